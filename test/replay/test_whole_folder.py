# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.whole_folder import whole_folder


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / 'in' / 'new'
    with whole_folder(folder) as part:
        (part / 'a').write_text('half')
        assert not folder.exists()
        (part / 'a').write_text('whole')
    assert (folder / 'a').read_text() == 'whole' and list(folder.parent.iterdir()) == [folder]


def test_an_empty_folder_stays_the_one_it_was(tmp_path: Path) -> None:
    (tmp_path / 'there').mkdir()
    (tmp_path / 'link').symlink_to('there')
    inode = (tmp_path / 'there').stat().st_ino
    with whole_folder(tmp_path / 'link') as part:
        (part / 'sub').mkdir()
        (part / 'a').symlink_to('gone')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'there').stat().st_ino == inode
    assert sorted(each.name for each in (tmp_path / 'there').iterdir()) == ['a', 'sub']


@pytest.mark.parametrize('there', [False, True])
def test_a_folder_that_fails_half_way_is_as_it_was(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / 'out'
    if there:
        folder.mkdir()

    def left() -> list[Path]:
        return sorted(tmp_path.rglob('*'))

    before = left()
    with (
        pytest.raises(BadInput, match='out: cannot be written: No space'),
        whole_folder(folder) as part,
    ):
        (part / 'a').write_text('half')
        Path('/dev/full').write_text('and the disk is full')
    assert left() == before
    with pytest.raises(KeyboardInterrupt), whole_folder(folder) as part:
        (part / 'a').write_text('half')
        raise KeyboardInterrupt
    assert left() == before
