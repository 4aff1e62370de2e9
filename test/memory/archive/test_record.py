# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive_groups import GroupLayout


@pytest.mark.parametrize(
    ('page_tokens', 'pages', 'tokens'), [(1, 64, 64), (4, 16, 64), (9, 7, 63), (196, 1, 196)]
)
def test_a_group_is_as_many_whole_pages_as_share_scales(
    shape: CacheShape, page_tokens: int, pages: int, tokens: int
) -> None:
    layout = GroupLayout(shape, page_tokens, 8)
    assert (layout.pages, layout.tokens) == (pages, tokens)


@pytest.mark.parametrize('bits', [4, 8, 16])
@pytest.mark.parametrize('page_tokens', [4, 9])
def test_pages_come_out_of_records_as_they_went_in(
    shape: CacheShape, page_tokens: int, bits: int
) -> None:
    layout = GroupLayout(shape, page_tokens, bits)
    source = torch.Generator().manual_seed(0)
    size = (3, shape.layers, shape.kv_heads, layout.tokens, shape.head_dim)
    keys, values = (torch.randn(size, generator=source) for _ in range(2))
    records = torch.stack([layout.encode(k, v) for k, v in zip(keys, values, strict=True)])
    assert records.shape == (3, *layout.record)
    assert records[0].nbytes == layout.record_bytes

    groups, pages = torch.tensor([2, 0, 2]), torch.tensor([0, 5, 6])
    read = layout.decode(
        records, layer=1, groups=groups, pages=pages, heads=torch.arange(shape.kv_heads)
    )
    step = (keys.amax() - keys.amin()) / (2**bits - 1)
    for row, (group, page) in enumerate(zip(groups, pages, strict=True)):
        span = slice(page * page_tokens, (page + 1) * page_tokens)
        for side, part in enumerate((keys, values)):
            expected = part[group, 1, :, span]
            torch.testing.assert_close(read[row, :, side], expected, atol=float(step), rtol=1e-3)


def test_keys_and_values_of_a_head_lie_together(shape: CacheShape) -> None:
    layout = GroupLayout(shape, 4, 16)
    size = (shape.layers, shape.kv_heads, layout.tokens, shape.head_dim)
    heads = torch.arange(shape.layers * shape.kv_heads).view(-1, shape.kv_heads, 1, 1)
    record = layout.encode(heads.expand(size) * 2, heads.expand(size) * 2 + 1)
    numbers = record.flatten().view(torch.float16)
    assert torch.equal(numbers, numbers.sort().values)
