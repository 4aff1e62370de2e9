# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import gc
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory.archive import locked
from livevlm_ros.memory.archive.locked import LockedPages

PIECE, PAGE = 2**16, 4096
DEVICE = torch.device('cpu')  # in place of a GPU


class FakeDriver:
    """Locks up to `most` bytes; refuses as CUDA does what shares a page with a locked piece."""

    def __init__(self) -> None:
        self.most, self.pieces = 2**30, dict[int, int]()

    @property
    def nbytes(self) -> int:
        return sum(self.pieces.values())

    def cudaHostRegister(self, pointer: int, nbytes: int, flags: int) -> int:
        pages = range(pointer // PAGE, (pointer + nbytes - 1) // PAGE + 1)
        for other, size in self.pieces.items():
            taken = range(other // PAGE, (other + size - 1) // PAGE + 1)
            if pages.start < taken.stop and taken.start < pages.stop:
                return 712  # already registered
        if self.nbytes + nbytes > self.most:
            return 2
        self.pieces[pointer] = nbytes
        return 0

    def cudaHostUnregister(self, pointer: int) -> None:
        del self.pieces[pointer]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    driver = FakeDriver()
    monkeypatch.setattr(locked, 'PIECE_BYTES', PIECE)
    monkeypatch.setattr(locked, 'can_read_host', lambda device: True)
    monkeypatch.setattr(locked, 'gather_runs', lambda *given, **named: None)
    monkeypatch.setattr('torch.cuda.device', lambda device: nullcontext())
    monkeypatch.setattr('torch.cuda.cudart', lambda: driver)
    return driver


@pytest.fixture
def slab() -> Tensor:
    """Make a tensor that begins and ends in the middle of a page."""
    return torch.zeros(5 * PIECE, dtype=torch.uint8)[100:-100]


def test_pages_are_locked_piece_by_piece_as_far_as_they_are_used(
    driver: FakeDriver, slab: Tensor
) -> None:
    pages = LockedPages.of(slab, DEVICE)
    assert pages is not None
    assert PIECE <= pages.nbytes == driver.nbytes <= 2 * PIECE
    assert pages.reach(PIECE) and driver.nbytes <= 2 * PIECE
    assert pages.reach(3 * PIECE)
    assert 3 * PIECE <= pages.nbytes == driver.nbytes <= 4 * PIECE
    assert pages.reach(slab.nbytes) and pages.nbytes == driver.nbytes == slab.nbytes
    first, *later = sorted(driver.pieces)
    assert first == slab.data_ptr()
    assert not any(piece % PIECE for piece in later)
    pages.unlock()
    assert not driver.pieces


def test_what_cannot_be_locked_leaves_what_is(driver: FakeDriver, slab: Tensor) -> None:
    driver.most = 3 * PIECE
    pages = LockedPages.of(slab, DEVICE)
    assert pages is not None and not pages.reach(slab.nbytes)
    assert 2 * PIECE < pages.nbytes == driver.nbytes <= 3 * PIECE
    assert pages.reach(2 * PIECE)
    pages.unlock()
    assert not driver.pieces


def test_a_system_that_locks_nothing_is_refused(driver: FakeDriver, slab: Tensor) -> None:
    driver.most = 0
    with pytest.raises(ValueError, match=r'archive_host_bytes: the GPU driver .* \(ulimit -l\)'):
        LockedPages.of(slab, DEVICE)


def test_pages_that_are_dropped_are_unlocked(driver: FakeDriver, slab: Tensor) -> None:
    pages = LockedPages.of(slab, DEVICE)
    assert driver.pieces
    del pages
    gc.collect()
    assert not driver.pieces


def test_where_triton_fails_nothing_stays_locked(
    driver: FakeDriver, slab: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise RuntimeError('no C compiler')

    monkeypatch.setattr(locked, 'gather_runs', fail)
    assert LockedPages.of(slab, DEVICE) is None
    assert not driver.pieces
