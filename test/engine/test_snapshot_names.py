# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.engine.snapshot_names import BadName, snapshot_folder


def test_a_plain_name_is_a_folder_inside_and_none_is_the_folder_itself(tmp_path: Path) -> None:
    assert snapshot_folder(str(tmp_path), 'kitchen_2-b') == tmp_path / 'kitchen_2-b'
    assert snapshot_folder(str(tmp_path), '') == tmp_path


@pytest.mark.parametrize('name', ['..', 'a/b', '.a', 'a.b', 'a' * 65, '-a', 'a\n', '\0', 'ä'])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadName, match='name: got'):
        snapshot_folder(str(tmp_path), name)


def test_links_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    (tmp_path / 'away').symlink_to('/tmp')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'memory.json').symlink_to('/etc/passwd')
    for name, why in (('file', 'is a file'), ('away', 'is a link'), ('folder', 'is a link')):
        with pytest.raises(BadName, match=why):
            snapshot_folder(str(tmp_path), name)


def test_without_a_path_there_is_no_folder() -> None:
    with pytest.raises(BadName, match='memory.path is not set'):
        snapshot_folder('', 'a')
