# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from livevlm_bench import report_head
from livevlm_bench.report_head import commit, cpu_name, head
from livevlm_ros import __version__


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a repository with one commit of one file."""
    (tmp_path / 'file').write_text('one')
    who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
    for words in (['init', '-q'], ['add', 'file'], [*who, 'commit', '-qm', 'Begin']):
        subprocess.run(['git', *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_report_says_where_with_what_and_from_which_seed() -> None:
    found = head('answer', seed=7, threads=1)
    assert (found['suite'], found['seed']) == ('answer', 7)
    assert found['machine'].items() >= {'cores': os.cpu_count(), 'threads': 1}.items()
    assert found['machine']['cpu'] and found['machine']['load'] >= 0
    assert (
        found['versions'].items()
        >= {
            'livevlm_ros': __version__,
            'torch': torch.__version__,
        }.items()
    )
    assert 'triton' not in found['versions']  # no GPU was used
    assert json.loads(json.dumps(found)) == found


def test_the_commit_is_told_and_whether_files_were_changed(checkout: Path) -> None:
    clean = commit(checkout)
    (checkout / 'file').write_text('two')
    assert clean and commit(checkout) == f'{clean}-dirty'


def test_without_a_checkout_or_git_there_is_no_commit(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commit(tmp_path_factory.mktemp('installed')) is None
    monkeypatch.setenv('PATH', '/nowhere')
    assert commit(checkout) is None


def test_the_processor_is_named_where_linux_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(report_head.Path, 'read_text', unreadable)
    assert cpu_name() == report_head.platform.machine()
