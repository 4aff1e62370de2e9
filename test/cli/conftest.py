# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command line run in this process, recordings, and a random checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from livevlm_ros.cli import app

WORLD = ('world', '--seed', '4', '--frames', '5..8', '--size', '128x96')


@pytest.fixture(scope='session')
def livevlm() -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; returns exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture(scope='session')
def refused(livevlm) -> Callable[..., str]:
    """Run a command that must refuse; returns its one line."""

    def run(*arguments: object) -> str:
        code, _, error = livevlm(*arguments)
        assert code == 2
        assert 'Traceback' not in error and error.count('\n') == 1
        return error

    return run


@pytest.fixture(scope='session')
def film(livevlm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Film two short streams with six questions each."""
    folder = tmp_path_factory.mktemp('cli') / 'film'
    code, out, _ = livevlm(*WORLD, '--out', folder, '--streams', 2, '--questions-per-stream', 6)
    assert code == 0 and '2 streams' in out
    return folder


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the embedded model's architecture with random weights."""
    from livevlm_ros.training.checkpoint import build_model, save_checkpoint

    folder = tmp_path_factory.mktemp('random') / 'checkpoint'
    save_checkpoint(build_model(0), folder)
    return folder
