# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/own-data.md: its files are written and its commands run, from top to bottom."""

import re
import subprocess
import sys
from os import environ
from pathlib import Path

import pytest

from livevlm_ros.replay.questions import KEYS
from livevlm_ros.replay.sets import READERS
from livevlm_ros.world import World

PAGE = Path(__file__).resolve().parents[2] / 'docs/own-data.md'
BLOCK = re.compile(r'(?:<!-- file: (\S+) -->\n)?```(\w+)\n(.*?)```', re.DOTALL)


def test_the_page_names_every_key_and_every_set() -> None:
    text = PAGE.read_text(encoding='utf-8')
    assert all(f'`{name}`' in text for name in (*KEYS, *READERS))


@pytest.mark.slow
def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    cv2 = pytest.importorskip('cv2')
    writer = cv2.VideoWriter(
        str(tmp_path / 'walk.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 10.0, (320, 240)
    )
    street = World(700_001, 20.0)
    for number in range(200):
        writer.write(cv2.cvtColor(street.image(number / 10, (320, 240)), cv2.COLOR_RGB2BGR))
    writer.release()
    said = ''
    path = f'{Path(sys.executable).parent}:{environ["PATH"]}'
    for file, language, text in BLOCK.findall(PAGE.read_text(encoding='utf-8')):
        if file:
            (tmp_path / file).write_text(text, encoding='utf-8')
        elif language == 'bash':
            done = subprocess.run(
                ['bash', '-e', '-c', text],
                cwd=tmp_path,
                env={**environ, 'PATH': path},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            said = done.stdout
        elif language == 'text':
            shown = [re.escape(line.strip(' …')) for line in text.splitlines() if line != '…']
            assert re.search('.*'.join(shown), said, re.DOTALL), said
    assert (tmp_path / 'walk.html').is_file() and (tmp_path / 'ovo.html').is_file()
