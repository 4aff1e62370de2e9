# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Centroids lie near every key, also near those that are rare."""

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory.archive.centroids import CHUNK_KEYS, centroids_of, nearest

COUNT = 200


def made(keys: Tensor, count: int) -> Tensor:
    """Return centroids as `centroids_of` makes them, piece by piece."""
    pieces = centroids_of(keys, count)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def drawn(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_centroid_and_its_distance_are_those_of_plain_geometry() -> None:
    keys, centroids = drawn(2, CHUNK_KEYS + 100, 8), drawn(2, 50, 8, seed=1)
    codes, far = nearest(keys, centroids)
    expected = torch.cdist(keys, centroids).min(2)
    assert torch.equal(codes.long(), expected.indices) and codes.dtype == torch.int16
    torch.testing.assert_close(far, expected.values, rtol=1e-3, atol=1e-3)


def test_no_key_has_a_centroid_whose_half_is_infinite() -> None:
    keys = drawn(2, 50, 8)
    halves = keys.square().sum(-1) / 2
    halves[:, 25:] = torch.inf
    codes, far = nearest(keys, keys, halves)
    assert int(codes.max()) < 25 and far.isfinite().all()
    assert torch.equal(codes[:, :25].long(), torch.arange(25).expand(2, -1))


@pytest.mark.parametrize('keys', [1, COUNT - 1, COUNT])
def test_of_few_keys_each_is_a_centroid(keys: int) -> None:
    given = drawn(2, keys, 8)
    found = made(given, COUNT)
    assert found.shape == (2, COUNT, 8)
    torch.testing.assert_close(nearest(given, found)[1], torch.zeros(2, keys), atol=2e-3, rtol=0)


def test_rare_keys_are_near_a_centroid_where_an_even_draw_misses_most() -> None:
    """One key in a hundred lies where no other does, as what a robot saw once."""
    common, rare = 0.3 * drawn(2, 9900, 16), 6 * drawn(2, 100, 16, seed=1)
    keys = torch.cat((common, rare), 1)[:, torch.randperm(10_000)]
    even = keys[:, torch.arange(COUNT) * 50]
    far = {
        name: float(nearest(rare, centroids)[1].median())
        for name, centroids in (('even', even), ('ours', made(keys, COUNT)))
    }
    assert far['ours'] < 0.1 < 10 < far['even']


def test_centroids_are_means_of_their_keys_and_the_same_every_time() -> None:
    keys = torch.cat([center + 0.01 * drawn(1, 300, 4) for center in 10 * drawn(60, 1, 4)], 1)
    found = made(keys, COUNT)
    assert torch.equal(found, made(keys, COUNT))
    assert float(nearest(keys, found)[1].mean()) < 0.02


def test_keys_that_are_all_alike_are_no_harm() -> None:
    keys = torch.ones(2, 3 * COUNT, 8)
    torch.testing.assert_close(made(keys, COUNT), torch.ones(2, COUNT, 8))
