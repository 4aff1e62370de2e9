# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = 'embedded, a checkpoint folder or a hub name.'
JsonFile = Annotated[Path | None, typer.Option('--json', help='Write the report as JSON.')]
HtmlFile = Annotated[Path | None, typer.Option('--html', help='Write the report as one page.')]
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]
