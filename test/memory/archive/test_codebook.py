# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A codebook knows its rows while they come and go, and gives spare centroids to what is far."""

from threading import RLock

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory.archive.codebook import CENTROIDS, SPARE, Codebook

LAYERS, HEADS, TOKENS, DIM, ROWS = 2, 2, 3, 8, 60
FITTED = CENTROIDS - SPARE


@pytest.fixture
def source() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def new_book(source: torch.Generator, *, used: int = FITTED) -> Codebook:
    centroids = torch.randn(LAYERS, HEADS, CENTROIDS, DIM, generator=source)
    return Codebook(centroids, torch.full((LAYERS, HEADS), used), tokens=TOKENS, rows=ROWS)


def put(book: Codebook, row: int, keys: Tensor) -> None:
    coded = book.encode(keys)
    book.open(coded)
    book.put(row, coded)


def check(book: Codebook, keys: list[Tensor]) -> None:
    """Check codes and counts of all rows against plain distances."""
    counts = torch.zeros(LAYERS, HEADS, CENTROIDS)
    for row, of_row in enumerate(keys):
        nearest = torch.cdist(of_row, book.centroids).argmin(-1)
        assert torch.equal(book.codes[..., row].long(), nearest)
        counts.scatter_add_(2, nearest, torch.ones(nearest.shape))
    assert torch.equal(book.counts, counts)


@pytest.mark.parametrize('at_once', [1, 4, 50])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_rows_that_come_and_go_while_others_are_coded_are_counted_once(
    source: torch.Generator, at_once: int, seed: int
) -> None:
    book, chance = new_book(source, used=CENTROIDS), torch.Generator().manual_seed(seed)

    def drawn(most: int) -> int:
        return int(torch.randint(most, (1,), generator=chance))

    keys = [torch.randn(LAYERS, HEADS, TOKENS, DIM, generator=source) for _ in range(40)]
    book.first = [len(keys)] * LAYERS
    while any(book.first):
        layer = drawn(LAYERS)
        if drawn(2) and len(keys) < ROWS:
            keys.append(torch.randn(LAYERS, HEADS, TOKENS, DIM, generator=source))
            put(book, len(keys) - 1, keys[-1])
        while drawn(3) and len(keys) > 1:
            row = drawn(len(keys))
            book.remove(row, len(keys) - 1)
            keys[row] = keys[-1]
            keys.pop()
        first = max(0, book.first[layer] - at_once)
        rows = keys[first : book.first[layer]]
        if rows:
            farthest = book.fill(layer, first, torch.cat([row[layer] for row in rows], 1))
            assert farthest.shape == (HEADS, len(rows))
    check(book, keys)


def test_a_far_key_gets_a_spare_centroid_and_its_like_are_coded_by_it(
    source: torch.Generator,
) -> None:
    book = new_book(source)
    book.reach = torch.full((LAYERS, HEADS), 5.0)
    near = book.centroids[:, :, :TOKENS].clone()
    put(book, 0, near)
    assert not book.encode(near).opens.any()
    far = near.clone()
    far[1, 0, 2] = 40.0
    coded = book.encode(far)
    assert coded.opens.tolist() == [[False, False], [True, False]]
    put(book, 1, far)
    assert int(book.codes[1, 0, 2, 1]) == FITTED
    again = book.encode(far + 0.1)
    assert not again.opens.any() and int(again.codes[1, 0, 2]) == FITTED
    assert torch.equal(book.centroids[1, 0, FITTED], far[1, 0, 2])


def test_spare_centroids_come_to_an_end(source: torch.Generator) -> None:
    book = new_book(source, used=CENTROIDS - 2)
    for row in range(4):
        put(book, row, torch.full((LAYERS, HEADS, TOKENS, DIM), 10.0 * (row + 2)))
    codes = book.codes[0, 0, 0, :4].tolist()
    assert codes == [CENTROIDS - 2, *[CENTROIDS - 1] * 3]  # the last one was given to row 1


def test_a_restored_codebook_goes_on_as_the_first_would(source: torch.Generator) -> None:
    book = new_book(source)
    frames = [3 * torch.randn(LAYERS, HEADS, TOKENS, DIM, generator=source) for _ in range(20)]
    for row, keys in enumerate(frames[:10]):
        put(book, row, keys)
    twin = Codebook.restored(book.state(10, RLock()), rows=ROWS)
    for row, keys in enumerate(frames[10:], start=10):
        for each in (book, twin):
            put(each, row, keys)
    assert torch.equal(book.codes[..., :20], twin.codes[..., :20])
    assert torch.equal(book.centroids, twin.centroids) and torch.equal(book.counts, twin.counts)


def test_a_centroid_that_no_key_has_is_forgotten_and_no_key_gets_it(
    source: torch.Generator,
) -> None:
    book = new_book(source)
    keys = [torch.randn(LAYERS, HEADS, TOKENS, DIM, generator=source) for _ in range(3)]
    keys[0] *= 100  # so far that it gets spare centroids of its own
    for row, of_row in enumerate(keys):
        put(book, row, of_row)
    gone = book.centroids[..., FITTED, :].clone()
    book.remove(0, 2)
    book.drop_unused()
    assert not (book.centroids == gone[:, :, None]).all(3).any()
    assert ((book.centroids != 0).any(3) == (book.counts > 0)).all()
    book.reach.fill_(torch.inf)  # so that no other spare centroid is given
    codes = book.encode(keys[0]).codes.flatten(2).long()
    assert (book.counts.gather(2, codes) > 0).all()
