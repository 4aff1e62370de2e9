# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures in terminals, by what terminals say of themselves."""

import base64
import re
import sys
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from livevlm_ros.pictures import CHUNK, inline_picture, picture_name

NOISE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
JPEG = cv2.imencode('.jpg', NOISE)[1].tobytes()


@pytest.fixture
def terminal(monkeypatch: Any) -> Any:
    """Let stdout be a terminal of some name."""
    for name in ('TERM', 'TERM_PROGRAM', 'LC_TERMINAL', 'KITTY_WINDOW_ID', 'TMUX'):
        monkeypatch.delenv(name, raising=False)

    def be(**variables: str) -> None:
        monkeypatch.setattr(sys, 'stdout', SimpleNamespace(isatty=lambda: True))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return be


def test_a_terminal_that_says_nothing_shows_nothing(terminal: Any) -> None:
    terminal(TERM='xterm-256color')
    assert inline_picture(JPEG) == ''


def test_what_is_no_terminal_and_what_hides_one_show_nothing(
    terminal: Any, monkeypatch: Any
) -> None:
    terminal(KITTY_WINDOW_ID='1')
    assert inline_picture(JPEG) and not inline_picture(b'')
    terminal(TMUX='/tmp/tmux')
    assert inline_picture(JPEG) == ''
    monkeypatch.delenv('TMUX')
    monkeypatch.setattr(sys, 'stdout', SimpleNamespace(isatty=lambda: False))
    assert inline_picture(JPEG) == ''


@pytest.mark.parametrize('kind', ['xterm-kitty', 'xterm-ghostty'])
def test_kitty_is_sent_a_png_in_chunks(terminal: Any, kind: str) -> None:
    terminal(TERM=kind)
    chunks = re.findall(r'\x1b_G(a=T,f=100,)?m=([01]);([^\x1b]*)\x1b\\', inline_picture(JPEG))
    assert len(chunks) > 1 and all(len(text) <= CHUNK for _, _, text in chunks)
    assert [bool(head) for head, _, _ in chunks] == [True] + [False] * (len(chunks) - 1)
    assert [more for _, more, _ in chunks] == ['1'] * (len(chunks) - 1) + ['0']
    png = base64.b64decode(''.join(text for _, _, text in chunks))
    shown, meant = (np.asarray(Image.open(BytesIO(data))) for data in (png, JPEG))
    assert png.startswith(b'\x89PNG') and (shown == meant).all()


@pytest.mark.parametrize(
    ('variable', 'name'),
    [('TERM_PROGRAM', 'iTerm.app'), ('TERM_PROGRAM', 'WezTerm'), ('LC_TERMINAL', 'iTerm2')],
)
def test_iterm_is_sent_the_jpeg(terminal: Any, variable: str, name: str) -> None:
    terminal(**{variable: name})
    text = base64.b64encode(JPEG).decode()
    assert inline_picture(JPEG) == f'\x1b]1337;File=inline=1;size={len(JPEG)}:{text}\a'


def test_names_of_others_make_no_path() -> None:
    assert picture_name(1, 2, '../front cam') == '1_2_.._front_cam.jpg'
