# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from livevlm_ros.memory.archive import room
from livevlm_ros.memory.archive.room import AUTO, disk_for, free_ram, ram_for

MEMINFO = 'MemTotal:   16000 kB\nMemFree:    1000 kB\nMemAvailable:    8000 kB\n'
FREE = 8000 * 1024


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a machine with 8,000 kB of RAM to be had; return the folder of its cgroups."""
    (tmp_path / 'meminfo').write_text(MEMINFO)
    monkeypatch.setattr(room, 'MEMINFO', tmp_path / 'meminfo')
    monkeypatch.setattr(room, 'CGROUPS', tmp_path)
    return tmp_path


@pytest.fixture
def limit(machine: Path) -> Callable[..., None]:
    """Put the machine's processes into a container, of cgroup version 1 or 2."""

    def limit(version: int, *, most: str, used: int, freeable: int) -> None:
        if version == 2:
            folder, names = machine, ('memory.max', 'memory.current', 'inactive_file')
        else:
            folder = machine / 'memory'
            folder.mkdir()
            names = ('memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file')
        (folder / names[0]).write_text(f'{most}\n')
        (folder / names[1]).write_text(f'{used}\n')
        (folder / 'memory.stat').write_text(f'anon 5\n{names[2]} {freeable}\n')

    return limit


def test_a_number_that_is_given_is_taken(machine: Path) -> None:
    assert ram_for(123) == (123, 123)
    assert disk_for(0, None, most=9) == 0
    assert disk_for(456, machine, most=9) == 456


def test_else_it_is_a_quarter_of_the_ram_that_can_be_had(machine: Path) -> None:
    assert free_ram() == FREE
    assert ram_for(AUTO) == (FREE // 4, FREE // 2)  # the half for what was saved


@pytest.mark.parametrize('version', [1, 2])
def test_a_container_has_what_its_limit_leaves(limit: Callable, version: int) -> None:
    limit(version, most='3000000', used=1500000, freeable=500000)
    assert free_ram() == 2000000


@pytest.mark.parametrize(('version', 'most'), [(2, 'max'), (1, str(2**63 - 4096))])
def test_a_container_without_a_limit_has_what_the_machine_has(
    limit: Callable, version: int, most: str
) -> None:
    limit(version, most=most, used=1500000, freeable=0)
    assert free_ram() == FREE


def test_a_container_beyond_its_limit_has_nothing(limit: Callable) -> None:
    limit(2, most='1000', used=1500000, freeable=0)
    assert free_ram() == 0


@pytest.mark.parametrize(('most', 'got'), [(10**9, 250), (99, 99)])
def test_of_a_disk_it_is_a_quarter_of_what_is_free_there(
    machine: Path, monkeypatch: pytest.MonkeyPatch, most: int, got: int
) -> None:
    usage, asked = namedtuple('usage', 'total used free'), []
    monkeypatch.setattr('shutil.disk_usage', lambda at: asked.append(at) or usage(9000, 1, 1000))
    assert disk_for(AUTO, machine, most=most) == got
    assert asked == [machine]


def test_a_folder_that_is_not_there_is_refused(machine: Path) -> None:
    with pytest.raises(ValueError, match='archive_disk_bytes: cannot tell .*nowhere.*No such'):
        disk_for(AUTO, machine / 'nowhere', most=9)


def test_this_machine_has_some_ram() -> None:
    assert 2**20 < free_ram() < 2**50
