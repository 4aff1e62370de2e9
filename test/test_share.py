# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Installed files are found, and the user's choice of DDS profile is kept."""

import os
from pathlib import Path

import pytest

from livevlm_ros import share


def pretend_installed(monkeypatch: pytest.MonkeyPatch, folder: Path, prefix: Path) -> None:
    """Make the code believe that it runs from `folder`, with `prefix` sourced."""
    monkeypatch.setattr(share, '__file__', str(folder / 'livevlm_ros' / 'share.py'))
    monkeypatch.setattr('sys.prefix', str(folder / 'no_venv'))
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))


def test_a_checkout_uses_its_own_files() -> None:
    root = Path(share.__file__).resolve().parents[1]
    assert share.share_file('config/fastdds.xml') == root / 'config/fastdds.xml'


def test_an_installed_package_uses_its_ros_prefix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / 'prefix/share/livevlm_ros/config/fastdds.xml'
    installed.parent.mkdir(parents=True)
    installed.touch()
    pretend_installed(monkeypatch, tmp_path, tmp_path / 'prefix')
    assert share.share_file('config/fastdds.xml') == installed


def test_a_missing_file_names_the_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_installed(monkeypatch, tmp_path, tmp_path / 'prefix')
    with pytest.raises(FileNotFoundError, match=f'{tmp_path}/prefix/share/livevlm_ros'):
        share.share_file('config/fastdds.xml')


def test_our_dds_profile_is_used_unless_the_user_chose_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(share.PROFILE_VARIABLE, '/mine.xml')
    share.use_dds_profile()
    assert os.environ[share.PROFILE_VARIABLE] == '/mine.xml'
    monkeypatch.delenv(share.PROFILE_VARIABLE)
    share.use_dds_profile()
    assert os.environ[share.PROFILE_VARIABLE].endswith('config/fastdds.xml')
