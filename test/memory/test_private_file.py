# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest

from livevlm_ros.memory.private_file import private


def test_nobody_else_reads_what_is_written(tmp_path: Path) -> None:
    with open(tmp_path / 'file', 'w', opener=private) as file:
        file.write('seen')
    assert (tmp_path / 'file').stat().st_mode & 0o777 == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / 'victim'
    victim.write_text('mine')
    (tmp_path / 'link').symlink_to(victim)
    with pytest.raises(OSError, match='link'):
        open(tmp_path / 'link', 'w', opener=private)  # noqa: SIM115
    assert victim.read_text() == 'mine'


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='No such device'):
        open(tmp_path / 'pipe', 'wb', opener=private)  # noqa: SIM115
    with pytest.raises(OSError, match='not a regular file'):
        open(tmp_path / 'pipe', 'rb', opener=private)  # noqa: SIM115


def test_what_was_open_to_others_no_longer_is_once_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / 'file'
    file.write_text('old')
    file.chmod(0o644)
    with open(file, 'w', opener=private) as opened:
        opened.write('seen')
    assert file.stat().st_mode & 0o777 == 0o600
