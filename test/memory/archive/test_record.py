# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive.record import RecordLayout

REAL = CacheShape(24, 14, 2, 64, 196, 1e6, 32768)


def _drawn(shape: CacheShape, frames: int = 3) -> tuple[Tensor, Tensor]:
    """Keys and values, [frames, layers, kv_heads, tokens, head_dim] each."""
    source = torch.Generator().manual_seed(0)
    size = (frames, shape.layers, shape.kv_heads, shape.tokens_per_frame, shape.head_dim)
    keys, values = (torch.randn(size, generator=source) for _ in range(2))
    return keys, values


def _within(keys: Tensor, bits: int) -> float:
    return float(keys.amax() - keys.amin()) / (2**bits - 1)


@pytest.mark.parametrize('bits', [4, 8, 16])
@pytest.mark.parametrize('page_tokens', [1, 2, 4])
def test_pages_come_out_of_records_as_they_went_in(
    shape: CacheShape, page_tokens: int, bits: int
) -> None:
    layout = RecordLayout(shape, page_tokens, bits)
    keys, values = _drawn(shape)
    records = torch.stack([layout.encode(k, v) for k, v in zip(keys, values, strict=True)])
    assert records.shape == (3, *layout.record)
    assert (records[0].nbytes, layout.pages) == (layout.record_bytes, 4 // page_tokens)

    frames = torch.tensor([2, 0, 2])
    for place in range(layout.pages):
        codes = records[frames, ..., : layout.code_bytes].unflatten(-1, (layout.pages, -1))
        scales = records[frames, ..., layout.code_bytes :]
        read = layout.decode(codes[..., place, :], scales, torch.float32)
        span = slice(place * page_tokens, (place + 1) * page_tokens)
        for side, part in enumerate((keys, values)):
            expected = part[frames, :, :, span]
            atol = _within(part, bits)
            torch.testing.assert_close(read[:, :, :, side], expected, atol=atol, rtol=1e-3)


@pytest.mark.parametrize('bits', [4, 8, 16])
def test_the_keys_of_a_record_are_those_of_its_pages(shape: CacheShape, bits: int) -> None:
    layout = RecordLayout(shape, 2, bits)
    keys, values = _drawn(shape, 1)
    record = layout.encode(keys[0], values[0])
    whole = layout.keys(record)
    assert whole.shape == keys[0].shape and whole.dtype == torch.float32
    codes = record[:, :, 0, : layout.code_bytes].unflatten(-1, (layout.pages, -1))
    scales = record[:, :, 0, None, layout.code_bytes :].expand(-1, -1, layout.pages, -1)
    assert torch.equal(whole, layout.decode(codes, scales, torch.float32).flatten(2, 3))


@pytest.mark.parametrize('bits', [4, 8, 16])
def test_blocks_lie_where_it_is_said(shape: CacheShape, bits: int) -> None:
    layout = RecordLayout(shape, 2, bits)
    numbers = torch.arange(layout.record_bytes).view(layout.record)
    assert torch.equal(layout.blocks(slice(None)), numbers[..., 0].permute(2, 0, 1))
    assert torch.equal(layout.blocks(1), numbers[1:2, ..., 0].permute(2, 0, 1))
    sizes = (layout.page_bytes, layout.code_bytes, layout.scales_bytes, layout.block_bytes)
    assert not any(size % layout.unit for size in sizes)


@pytest.mark.parametrize(('bits', 'times'), [(4, 3.8), (8, 1.95), (16, 1.0)])
def test_records_of_the_real_model_shrink_as_promised(bits: int, times: float) -> None:
    frame_bytes = REAL.tokens_per_frame * REAL.token_bytes(2)
    assert frame_bytes / RecordLayout(REAL, 14, bits).record_bytes >= times


def test_keys_and_values_of_a_head_lie_together(shape: CacheShape) -> None:
    layout = RecordLayout(shape, 2, 16)
    size = (shape.layers, shape.kv_heads, shape.tokens_per_frame, shape.head_dim)
    heads = torch.arange(shape.layers * shape.kv_heads).view(-1, shape.kv_heads, 1, 1)
    record = layout.encode(heads.expand(size) * 2, heads.expand(size) * 2 + 1)
    numbers = record.flatten().view(torch.float16)
    assert torch.equal(numbers, numbers.sort().values)


@pytest.mark.parametrize('bits', [4, 8, 16])
def test_numbers_beyond_half_precision_do_not_spoil_a_frame(shape: CacheShape, bits: int) -> None:
    layout = RecordLayout(shape, 2, bits)
    keys, values = _drawn(shape, 1)
    keys[0, 0, 0, 1, 3] = 1e9
    assert layout.keys(layout.encode(keys[0], values[0])).isfinite().all()
