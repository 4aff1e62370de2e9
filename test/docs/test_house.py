# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture of the house in CONTRIBUTING.md is what the code makes of it."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOUSE = runpy.run_path(str(ROOT / 'docs/house.py'))
ROOM = '"""The {0} room: its text."""\n'


def test_the_picture_is_true() -> None:
    text = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    assert HOUSE['page'](text, ROOT) == text, 'run `make house`'


def test_rooms_and_what_they_import_are_found_wherever_it_is_imported(tmp_path: Path) -> None:
    files = {
        'livevlm_ros/red/__init__.py': ROOM.format('red'),
        'livevlm_ros/red/deep/late.py': 'def f():\n    from livevlm_ros.blue.inside import x\n',
        'livevlm_ros/blue/__init__.py': ROOM.format('blue'),
        'livevlm_ros/blue/own.py': 'import livevlm_ros\nfrom livevlm_kernels.a import b\n',
        'livevlm_ros/cli/__init__.py': ROOM.format('cli')
        + 'from livevlm_ros import red, images\n',
        'livevlm_ros/cli/more.py': 'from livevlm_ros.blue import y\n',
        'kernels/__init__.py': ROOM.format('kernels'),
        'bench/__init__.py': ROOM.format('bench'),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding='utf-8')
    drawn = HOUSE['house'](tmp_path).splitlines()
    assert '  red["<b>red</b><br/>The red room"]' in drawn
    arrows = [line.strip() for line in drawn if '->' in line]
    assert sorted(arrows) == ['blue --> kernels', 'cli -.-> red', 'red --> blue']
