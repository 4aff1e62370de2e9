# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How an answer looks: in a line, in a notebook, in a terminal, as files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from livevlm_ros.api import answer as module
from livevlm_ros.api.answer import Answer
from livevlm_ros.engine.messages import Evidence, Latency, Status
from livevlm_ros.pose import Pose

SECOND = 10**9
JPEG = b'\xff\xd8jpeg'
POSE = Pose(1.5, -2.0, 0.5, 0.0, 0.0, 0.6, 0.8)
FOUND = (
    Evidence('front', 17 * SECOND, 'map', 'k1', 0.6, thumbnail_jpeg=JPEG, pose=POSE),
    Evidence('a/<b>', 15 * SECOND, 'map', 'k2', 0.3, thumbnail_jpeg=JPEG),
    Evidence('rear', 14 * SECOND, 'map', 'k3', 0.1),
)
ANSWER = Answer(
    Status.OK,
    text='red',
    confidence=0.934,
    evidence=FOUND,
    latency=Latency(total_ms=23.4),
    zero_ns=5 * SECOND,
)


def test_times_are_seconds() -> None:
    assert ANSWER.evidence_s == (12.0, 10.0, 9.0)


@pytest.mark.parametrize(
    ('changes', 'line'),
    [
        ({}, 'red (confidence 0.93; seen at 12.0 s, 10.0 s, 9.0 s; 23 ms)'),
        ({'evidence': ()}, 'red (confidence 0.93; 23 ms)'),
        ({'text': 'a\nb\x1b[31m'}, 'a b\ufffd[31m (confidence'),
        ({'status': Status.NOT_SEEN}, 'not seen, a guess: red (confidence'),
        ({'status': Status.PARTIAL}, 'cut off: red (confidence'),
        ({'status': Status.DEADLINE, 'message': 'too late'}, 'no answer: DEADLINE: too late'),
    ],
)
def test_printed_it_is_a_line(changes: dict[str, Any], line: str) -> None:
    told = str(replace(ANSWER, **changes))
    assert told.startswith(line) and '\n' not in told
    assert repr(replace(ANSWER, **changes)) == f'<Answer {told}>'


def test_pictures_are_written_where_nothing_shows_them(tmp_path: Path, capsys: Any) -> None:
    ANSWER.show(tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        str(ANSWER),
        f'12.0 s  front  60%  (1.50, -2.00, 0.50)  {tmp_path}/1_front.jpg',
        f'10.0 s  a/<b>  30%  {tmp_path}/2_a__b_.jpg',
        '9.0 s  rear  10%  no picture',
    ]
    assert (tmp_path / '1_front.jpg').read_bytes() == JPEG


def test_without_a_folder_they_go_to_a_new_one(capsys: Any) -> None:
    ANSWER.show()
    _, one, two, _ = capsys.readouterr().out.splitlines()
    files = [Path(line.split('  ')[-1]) for line in (one, two)]
    assert files[0].parent == files[1].parent and files[1].read_bytes() == JPEG


def test_a_terminal_that_can_shows_them(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(module, 'inline_picture', lambda jpeg: f'[{len(jpeg)}]' if jpeg else '')
    ANSWER.show(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == lines[4] == f'[{len(JPEG)}]' and not list(tmp_path.iterdir())


def test_a_notebook_shows_them(monkeypatch: Any, capsys: Any) -> None:
    shown: list[object] = []
    shell = SimpleNamespace(kernel=object())
    python = SimpleNamespace(
        get_ipython=lambda: shell, display=SimpleNamespace(display=shown.append)
    )
    monkeypatch.setitem(sys.modules, 'IPython', python)
    ANSWER.show()
    assert shown == [ANSWER] and not capsys.readouterr().out
    del shell.kernel  # IPython in a terminal
    ANSWER.show()
    assert len(shown) == 1 and capsys.readouterr().out.startswith('red')


def test_html_has_the_line_and_the_pictures_as_text_of_others() -> None:
    page = ANSWER._repr_html_()
    assert page.count('<img src="data:image/jpeg;base64,/9hqcGVn">') == 2
    assert '<p>red (confidence' in page and 'a/&lt;b&gt;' in page and '<b>' not in page
