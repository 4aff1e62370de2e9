# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that run the node, ask one, or look at the machine it would run on."""

from pathlib import Path
from typing import Annotated

import typer

from livevlm_ros.cli.options import MODEL_HELP, AsJson, JsonFile
from livevlm_ros.terminal import check_writable


def demo(
    seed: Annotated[int, typer.Option(min=0, help='Stream of the world camera.')] = 7,
    questions: Annotated[int, typer.Option(min=1, help='Questions to ask.')] = 44,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    json_file: JsonFile = None,
) -> None:
    """Start the node and the world camera over ROS and ask about now and the past."""
    check_writable(json_file)
    from livevlm_ros.node.demo import run_demo

    raise typer.Exit(run_demo(seed=seed, questions=questions, json_path=json_file, model=model))


def ask(
    question: Annotated[str, typer.Argument(help='The question, in words.')],
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    budget: Annotated[
        float | None, typer.Option(min=0.001, help='Seconds the reply may take.')
    ] = None,
    thumbnails: Annotated[
        Path | None, typer.Option(help='Folder for the evidence frames as jpegs.')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a running node and print the answer with its evidence."""
    from livevlm_ros.node.ask_client import ask as ask_node

    code = ask_node(
        question, namespace=namespace, budget_s=budget, thumbnails=thumbnails, as_json=as_json
    )
    raise typer.Exit(code)


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine has and what is wrong with it."""
    from livevlm_ros.doctor import doctor as examine

    raise typer.Exit(examine(as_json=as_json))
