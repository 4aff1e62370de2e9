# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive.costs import means_bytes
from livevlm_ros.memory.archive.means import PageMeans, page_means


def test_the_mean_of_a_page_is_that_of_its_own_tokens() -> None:
    keys = torch.randn(3, 2, 12, 8, generator=torch.Generator().manual_seed(0))
    means = page_means(keys, page_tokens=4)
    assert means.shape == (3, 2, 3, 8)
    for page in range(3):
        expected = keys[:, :, 4 * page : 4 * page + 4].mean(2)
        torch.testing.assert_close(means[:, :, page], expected)


def test_frames_keep_their_means_in_any_row(shape: CacheShape) -> None:
    means = PageMeans(shape, rows=5, page_tokens=2)
    size = (5, shape.layers, shape.kv_heads, shape.tokens_per_frame, shape.head_dim)
    keys = torch.randn(size, generator=torch.Generator().manual_seed(0))
    for row in range(5):
        means.put(row, means.of_frame(keys[row]))
    means.remove(1, 4)
    rows = torch.tensor([1, 3, 0])
    for layer in range(shape.layers):
        of_layer = means.of_layer(layer, rows)
        assert of_layer.shape == (shape.kv_heads, 3 * 2, shape.head_dim)
        for index, frame in enumerate((4, 3, 0)):
            expected = page_means(keys[frame, layer], page_tokens=2)
            assert torch.equal(of_layer[:, 2 * index : 2 * index + 2], expected)


def test_the_bytes_said_are_those_of_a_row(shape: CacheShape) -> None:
    means = PageMeans(shape, rows=1, page_tokens=2)
    means.put(0, means.of_frame(torch.zeros(2, 2, 4, 8)))
    row = sum(means.of_layer(layer, torch.tensor([0])).nbytes for layer in range(shape.layers))
    assert row == means_bytes(shape, page_tokens=2)
