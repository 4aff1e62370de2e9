# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A fault is told once, and once that it is over."""

from __future__ import annotations

from typing import Any

import pytest

from livevlm_ros.node.console import LASTING_S, Console
from livevlm_ros.node.diagnostics import ERROR, OK, STALE, WARN, Health

ABSENT = Health('camera/front', WARN, 'no publisher', fault='no publisher')
SILENT = Health('camera/front', ERROR, 'no image for 3.0 s', fault='silent')
WELL = Health('camera/front', OK, '30 images a second')
STOPPED = Health('camera/front', STALE, 'not subscribed')


class Lines:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda text: self.lines.append(f'{level}: {text}')


def lines(*found: tuple[float, Health]) -> list[str]:
    logger = Lines()
    console = Console(logger)  # type: ignore[arg-type]
    for now_s, health in found:
        console.tell([health], now_s)
    return logger.lines


def test_an_error_is_told_at_once_and_once() -> None:
    later = Health('camera/front', ERROR, 'no image for 9.0 s', fault='silent')
    assert lines((0, SILENT), (1, SILENT), (9, later)) == [
        'error: camera/front: no image for 3.0 s'
    ]


def test_a_warning_is_told_when_it_lasts() -> None:
    assert not lines((0, ABSENT), (LASTING_S - 0.1, ABSENT))
    assert lines((0, ABSENT), (LASTING_S, ABSENT), (60, ABSENT)) == [
        'warning: camera/front: no publisher'
    ]


def test_the_end_of_a_fault_is_told_once_when_it_lasts() -> None:
    assert lines((0, SILENT), (1, WELL), (2, WELL), (6, WELL), (60, WELL))[1:] == [
        'info: camera/front: 30 images a second; all is well again'
    ]
    assert len(lines((0, SILENT), (1, WELL), (2, SILENT), (3, WELL), (4, SILENT))) == 1


def test_another_fault_is_told_too() -> None:
    assert len(lines((0, ABSENT), (6, ABSENT), (7, SILENT))) == 2


@pytest.mark.parametrize('again', [SILENT, WELL])
def test_a_node_that_is_stopped_begins_anew(again: Health) -> None:
    told = lines((0, SILENT), (1, STOPPED), (9, STOPPED), (10, again), (20, again))
    assert len(told) == (2 if again is SILENT else 1)


def test_what_is_well_from_the_start_is_no_news() -> None:
    assert not lines((0, WELL), (60, WELL))
