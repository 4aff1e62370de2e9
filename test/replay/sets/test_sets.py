# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.set_rules import SETS
from livevlm_ros.replay.sets import READERS, import_set


def test_every_set_that_is_read_has_a_rule() -> None:
    assert READERS.keys() == SETS.keys()


def test_videos_are_linked_to_and_ids_are_told_apart(
    ovo_bench: Path, imported, tmp_path: Path
) -> None:
    file = ovo_bench / 'data/ovo_bench_new.json'
    rows = json.loads(file.read_text())
    file.write_text(json.dumps([rows[0], {**rows[0], 'realtime': 1}]))
    _, questions = imported('OVO-Bench')
    link = tmp_path / 'out/src_videos__COIN__street.mp4'
    assert link.readlink() == (ovo_bench / 'src_videos/COIN/street.mp4').resolve()
    assert [(e.id, e.at) for e in questions['src_videos__COIN__street']] == [
        ('0', 1.0),
        ('0~2', rows[0]['realtime']),
    ]


def test_a_folder_that_cannot_be_written_is_one_line(ovo_bench: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(BadInput, match='file/out: cannot be written: Not a directory'):
        import_set('OVO-Bench', ovo_bench, tmp_path / 'file/out')
