# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive import Archive
from livevlm_ros.memory.long_term import Tokens
from livevlm_ros.memory.resident import CHUNK_PAGES, ResidentPages, Staging

PAGE = 4


@pytest.fixture
def archive(shape: CacheShape) -> Archive:
    archive = Archive(shape, lanes=1, page_tokens=PAGE, bits=8, host_bytes=2**22)
    archive.add(0, _tokens(shape, range(PAGE * 4 * CHUNK_PAGES)))
    return archive


def _tokens(shape: CacheShape, names: range) -> Tokens:
    made = torch.Generator().manual_seed(names.start)
    block = (shape.layers, shape.kv_heads, len(names), shape.head_dim)
    rows = torch.tensor(names).expand(shape.layers, -1)
    return Tokens(
        torch.randn(block, generator=made),
        torch.randn(block, generator=made),
        rows,
        rows.double(),
        rows.float(),
    )


@pytest.fixture
def make(shape: CacheShape) -> Callable[..., tuple[ResidentPages, Staging]]:
    def make(slots: int) -> tuple[ResidentPages, Staging]:
        kind = {'device': torch.device('cpu'), 'dtype': torch.float32}
        pages = ResidentPages(shape, slots=slots, page_tokens=PAGE, **kind)
        return pages, Staging(shape, page_tokens=PAGE, like=pages.tokens)

    return make


@pytest.mark.parametrize('count', [1, CHUNK_PAGES, 3 * CHUNK_PAGES + 1])
def test_pages_read_on_the_device_are_those_of_the_archive(
    archive: Archive, make: Callable, count: int
) -> None:
    pages, staging = make(slots=count)
    rows = torch.randperm(4 * CHUNK_PAGES)[:count]
    slots = pages.bring(archive, 1, rows, staging)
    piece, wanted = pages.piece(1, slots), archive.read(1, rows)
    assert torch.equal(piece.keys, wanted.keys) and torch.equal(piece.values, wanted.values)
    assert torch.equal(piece.names, wanted.names)


def test_a_page_that_is_there_is_not_brought_again(archive: Archive, make: Callable) -> None:
    pages, staging = make(slots=6)
    pages.bring(archive, 0, torch.arange(6), staging)
    slots = pages.bring(archive, 0, torch.tensor([4, 9, 2]), staging)
    assert pages.brought == 6 + 1
    assert torch.equal(
        pages.piece(0, slots).names, archive.page_names(0, torch.tensor([4, 9, 2])).flatten()
    )


def test_what_is_not_wanted_stays_while_there_is_room(archive: Archive, make: Callable) -> None:
    pages, staging = make(slots=6)
    pages.bring(archive, 0, torch.arange(3), staging)
    pages.bring(archive, 0, torch.arange(3, 5), staging)
    assert sorted(pages.index(0).serials.tolist()) == [0, 1, 2, 3, 4]
    pages.bring(archive, 0, torch.arange(5, 9), staging)
    held = set(pages.index(0).serials.tolist())
    assert held >= {5, 6, 7, 8} and len(held) == 6


def test_layers_hold_pages_of_their_own(archive: Archive, make: Callable) -> None:
    pages, staging = make(slots=2)
    pages.bring(archive, 0, torch.tensor([1, 2]), staging)
    assert not len(pages.index(1).serials)
    pages.bring(archive, 1, torch.tensor([5]), staging)
    assert (sorted(pages.index(0).serials.tolist()), pages.index(1).serials.tolist()) == (
        [1, 2],
        [5],
    )


def test_the_index_is_that_of_the_archive(archive: Archive, make: Callable) -> None:
    pages, staging = make(slots=3)
    pages.bring(archive, 0, torch.tensor([7, 3, 5]), staging)
    ours, whole = pages.index(0), archive.index(0)
    rows = torch.tensor([whole.serials.tolist().index(serial) for serial in ours.serials.tolist()])
    torch.testing.assert_close(ours.means, whole.means[rows].float())
    assert torch.equal(ours.ends, whole.ends[rows])
    pages.clear()
    assert not len(pages.index(0).serials)


def test_a_page_that_changed_in_the_archive_is_another_page(
    archive: Archive, make: Callable, shape: CacheShape
) -> None:
    pages, staging = make(slots=3)
    last = len(archive.index(0).serials)
    archive.add(0, _tokens(shape, range(5000, 5004)))  # waits for a group
    pages.bring(archive, 0, torch.tensor([last]), staging)
    archive.add(0, _tokens(shape, range(4000, 4004)))  # comes before it in time
    slots = pages.bring(archive, 0, torch.tensor([last]), staging)
    assert pages.piece(0, slots).names.tolist() == list(range(4000, 4004))
