# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The `livevlm` command.

Each command imports its room when it runs, so that `livevlm --help` needs neither torch nor ROS.
What the user gave and cannot be used is one line on stderr and exit code 2.
"""

import sys
from inspect import cleandoc
from itertools import takewhile
from typing import Annotated

import typer

from livevlm_ros import __version__
from livevlm_ros.cli.asking import ask
from livevlm_ros.cli.bagging import bag
from livevlm_ros.cli.benching import bench
from livevlm_ros.cli.chatting import chat
from livevlm_ros.cli.filming import world
from livevlm_ros.cli.importing import import_
from livevlm_ros.cli.memory import memory
from livevlm_ros.cli.planning import plan
from livevlm_ros.cli.replaying import evaluate, replay, sweep
from livevlm_ros.cli.running import demo, doctor
from livevlm_ros.cli.serving import mcp
from livevlm_ros.cli.sharding import merge
from livevlm_ros.cli.training import calibrate, card, train
from livevlm_ros.cli.viewing import view
from livevlm_ros.cli.watching import watch

# The order is that of --help.
COMMANDS = (
    demo,
    chat,
    ask,
    watch,
    view,
    mcp,
    world,
    bag,
    import_,
    evaluate,
    merge,
    sweep,
    replay,
    bench,
    train,
    card,
    calibrate,
    plan,
    doctor,
)


def flowing(text: str) -> str:
    """Return a docstring with its paragraphs unbroken."""
    return '\n\n'.join(' '.join(part.split()) for part in cleandoc(text).split('\n\n'))


app = typer.Typer(
    help="A robot's camera memory that can be asked questions.",
    no_args_is_help=True,
    context_settings={'help_option_names': ['-h', '--help']},
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in COMMANDS:
    # One is a keyword of Python. Typer would break lines where the docstrings do.
    app.command(_command.__name__.rstrip('_'), help=flowing(_command.__doc__ or ''))(_command)
app.add_typer(memory, name='memory')


def main() -> None:
    """Run the command line; what launch appends to it is for ROS alone."""
    app(args=list(takewhile(lambda word: word != '--ros-args', sys.argv[1:])))


def _version(wanted: bool) -> None:
    if wanted:
        print(f'livevlm {__version__}')
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option('--version', callback=_version, is_eager=True, help='Print the version.'),
    ] = False,
) -> None:
    pass
