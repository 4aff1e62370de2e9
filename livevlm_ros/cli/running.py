# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that run the node, or look at the machine it would run on."""

from typing import Annotated

import typer

from livevlm_ros.cli.options import MODEL_HELP, AsJson, JsonFile
from livevlm_ros.terminal import check_writable, plain_errors


def demo(
    seed: Annotated[int, typer.Option(min=0, help='Stream of the world camera.')] = 7,
    questions: Annotated[int, typer.Option(min=1, help='Questions to ask.')] = 44,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    json_file: JsonFile = None,
) -> None:
    """Start the node and the world camera over ROS and ask about now and the past."""
    check_writable(json_file)
    from livevlm_ros.node.demo import run_demo

    with plain_errors():
        asked = run_demo(seed=seed, questions=questions, json_path=json_file, model=model)
    raise typer.Exit(asked)


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has and what is wrong with it."""
    from livevlm_ros.doctor import doctor as examine

    raise typer.Exit(examine(as_json=as_json))
