# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: between the lines of a terminal that shows them, or as files."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Callable, Mapping
from io import BytesIO

from PIL import Image

CHUNK = 4096  # characters that kitty takes at once


def inline_picture(jpeg: bytes) -> str:
    """Return what shows a picture when it is printed; empty where the terminal shows none."""
    if not jpeg or not sys.stdout.isatty():
        return ''
    draw = _protocol(os.environ)
    return '' if draw is None else draw(jpeg)


def picture_name(*parts: object) -> str:
    """Return the name of a jpeg file that is told by numbers, and names of others."""
    return re.sub(r'[^\w.-]', '_', '_'.join(map(str, parts))) + '.jpg'


def _protocol(environ: Mapping[str, str]) -> Callable[[bytes], str] | None:
    """Return how the terminal is told, as far as it says who it is."""
    program, kind = environ.get('TERM_PROGRAM', ''), environ.get('TERM', '')
    if 'TMUX' in environ or kind.startswith(('screen', 'tmux')):
        return None  # which hands on no picture
    if 'KITTY_WINDOW_ID' in environ or kind in ('xterm-kitty', 'xterm-ghostty'):
        return _kitty
    if program in ('iTerm.app', 'WezTerm') or environ.get('LC_TERMINAL') == 'iTerm2':
        return _iterm
    return None


def _kitty(jpeg: bytes) -> str:
    """Follow kitty's graphics protocol, which takes png."""
    png = BytesIO()
    Image.open(BytesIO(jpeg)).save(png, 'png')
    text = base64.b64encode(png.getvalue()).decode()
    chunks = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    heads = ['a=T,f=100,', *[''] * (len(chunks) - 1)]
    more = [1] * (len(chunks) - 1) + [0]
    told = zip(heads, more, chunks, strict=True)
    return ''.join(f'\x1b_G{head}m={goes_on};{chunk}\x1b\\' for head, goes_on, chunk in told)


def _iterm(jpeg: bytes) -> str:
    """Follow iTerm2's inline images, which take jpeg."""
    text = base64.b64encode(jpeg).decode()
    return f'\x1b]1337;File=inline=1;size={len(jpeg)}:{text}\a'
