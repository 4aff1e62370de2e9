# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = 'embedded, a checkpoint folder or a hub name.'
JsonFile = Annotated[Path | None, typer.Option('--json', help='Write the report as JSON.')]
HtmlFile = Annotated[Path | None, typer.Option('--html', help='Write the report as one page.')]
Settings = Annotated[
    list[str] | None,
    typer.Option('--set', help='Setting as name=value, such as ingest.gate=true; repeatable.'),
]
Topic = Annotated[str | None, typer.Option(help='Image topic, where a bag has several.')]
Fps = Annotated[float, typer.Option(help='Most frames used per second of the source.')]
Start = Annotated[
    float,
    typer.Option(
        min=0,
        show_default=False,
        help='Seconds from the first frame, before which nothing is used.',
    ),
]
Duration = Annotated[
    float,
    typer.Option(min=0.001, show_default=False, help='Seconds used from there; by default all.'),
]
Loop = Annotated[
    bool, typer.Option('--loop', help='Play it again and again, as a stream without end.')
]
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]
