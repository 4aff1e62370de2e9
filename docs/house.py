# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Draw the rooms of the code, and which imports which, into CONTRIBUTING.md.

`make house` runs it. Rooms that may import all others have dotted arrows, and only those that no
other way along the arrows implies.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'CONTRIBUTING.md'
BEGIN, END = '<!-- house -->\n', '<!-- end of house -->'
BESIDE = {'livevlm_kernels': 'kernels', 'livevlm_bench': 'bench'}
"""Packages whose folders have other names."""

ANYTHING = ('cli', 'bench')
"""Rooms that may import all others."""


def rooms(root: Path) -> dict[str, Path]:
    """Return the folder of every room by its name."""
    found = (file.parent for file in (root / 'livevlm_ros').glob('*/__init__.py'))
    beside = {name: root / name for name in BESIDE.values()}
    return dict(sorted({folder.name: folder for folder in found}.items())) | beside


def imports(root: Path) -> dict[str, set[str]]:
    """Return what each room imports of the others."""
    found = rooms(root)
    return {
        room: {name for file in folder.rglob('*.py') for name in _imported(file)}
        & {*found} - {room}
        for room, folder in found.items()
    }


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, inside = node.module.partition('.')
            if package == 'livevlm_ros':
                yield from [inside.split('.')[0]] if inside else (each.name for each in node.names)
            elif package in BESIDE:
                yield BESIDE[package]


def reachable(room: str, arrows: dict[str, set[str]]) -> set[str]:
    """Return the rooms that a room comes to along the arrows."""
    direct = arrows[room]
    return direct.union(*(reachable(other, arrows) for other in direct))


def house(root: Path) -> str:
    """Return the picture as a Mermaid graph."""
    arrows = imports(root)
    lines = ['```mermaid', 'graph TD']
    for room, folder in rooms(root).items():
        lines.append(f'  {room}["<b>{room}</b><br/>{_what(folder)}"]')
    for room, others in arrows.items():
        if room in ANYTHING:
            others = others - set[str]().union(*(reachable(other, arrows) for other in others))
        arrow = '-.->' if room in ANYTHING else '-->'
        lines += [f'  {room} {arrow} {other}' for other in sorted(others)]
    return '\n'.join([*lines, '```\n'])


def _what(folder: Path) -> str:
    """Return what a room says that it is, up to the first stop."""
    text = ast.get_docstring(ast.parse((folder / '__init__.py').read_text(encoding='utf-8')))
    return re.split('[:;.]', (text or '').replace('`', ''))[0]


def page(text: str, root: Path) -> str:
    """Return the text with the picture as it is to be."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + house(root) + END + rest.split(END)[1]


def main() -> None:
    """Draw it anew."""
    PAGE.write_text(page(PAGE.read_text(encoding='utf-8'), ROOT), encoding='utf-8')


if __name__ == '__main__':
    main()
