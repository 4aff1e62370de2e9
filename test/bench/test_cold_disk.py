# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from livevlm_bench.cold_disk import archive_file, cached_bytes, drop_cache
from livevlm_ros.memory import CacheShape, Memory, MemoryConfig
from livevlm_ros.memory.archive.file import ArchiveFile

SLOTS, RECORD = 64, (2, 1, 2, 16384)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ArchiveFile]:
    file = ArchiveFile(tmp_path, slots=SLOTS, record=RECORD)
    yield file
    file.close()


def test_what_was_written_comes_from_the_disk_again(file: ArchiveFile) -> None:
    written = torch.randint(0, 256, (SLOTS, *RECORD), dtype=torch.uint8)
    for slot in range(SLOTS):
        file.allocate(slot)
        file.records[slot] = written[slot]
    assert cached_bytes(file) >= file.nbytes
    drop_cache(file)
    if cached_bytes(file):
        pytest.skip('this file system keeps its files in RAM')
    assert file.records[7].equal(written[7])
    assert cached_bytes(file)
    assert file.records.equal(written)


def test_a_file_that_holds_nothing_yet_can_be_forgotten_too(file: ArchiveFile) -> None:
    drop_cache(file)
    assert cached_bytes(file) == 0


def test_a_memory_without_a_file_is_refused() -> None:
    shape = CacheShape(
        layers=1,
        q_heads=1,
        kv_heads=1,
        head_dim=8,
        tokens_per_frame=4,
        rope_theta=1e4,
        max_positions=4096,
    )
    memory = Memory(MemoryConfig('recent'), shape, ('camera',))
    with pytest.raises(ValueError, match='archive_disk_bytes'):
        archive_file(memory)
