# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stand-in counts what would wait for a GPU, refuses what a GPU refuses, and computes."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from livevlm_ros.memory.archive.locked import LockedPages


@pytest.fixture
def x(gpu) -> Iterator[Tensor]:
    """Give six numbers on the device, [2, 3]."""
    with gpu, torch.inference_mode():
        yield torch.arange(6.0, device=gpu.device).view(2, 3)


WAITS: list[tuple[str, Callable[[Tensor], object]]] = [
    ('_local_scalar_dense', lambda x: x.sum().item()),
    ('_local_scalar_dense', lambda x: int(x[0, 0])),
    ('_local_scalar_dense', lambda x: bool((x > 0).any())),
    ('_local_scalar_dense', lambda x: x[x.argmax() - x.argmax()]),
    ('download', lambda x: x.tolist()),
    ('download', lambda x: x.cpu()),
    ('download', lambda x: x.to('cpu', non_blocking=True)),
    ('download', lambda x: torch.empty(2, 3).copy_(x)),
    ('upload', lambda x: torch.ones(2).to(x.device)),
    ('upload', lambda x: torch.ones(2).to(x.device, non_blocking=True)),
    ('upload', lambda x: torch.ones(2).pin_memory().to(x.device)),
    ('upload', lambda x: torch.tensor([1.0], device=x.device)),
    ('upload', lambda x: x.copy_(torch.ones(2, 3))),
    ('index from the host', lambda x: x[[0]]),
    ('index from the host', lambda x: x[torch.tensor([0])]),
    ('index by a mask', lambda x: x[x > 1]),
    ('nonzero', lambda x: x.nonzero()),
    ('masked_select', lambda x: x.masked_select(x > 1)),
    ('_unique2', lambda x: x.unique()),
    ('equal', lambda x: torch.equal(x, x)),
    ('repeat_interleave', lambda x: x.repeat_interleave(x[0].long(), 1)),
    ('synchronize', lambda x: torch.cuda.synchronize(x.device)),
]


@pytest.mark.parametrize(('what', 'call'), WAITS)
def test_what_waits_is_counted(gpu, x: Tensor, what: str, call: Callable) -> None:
    call(x)
    assert gpu.taken() == {f'test: {what}': 1}
    assert not gpu.taken()


GOES_ON: list[Callable[[Tensor], Tensor]] = [
    lambda x: torch.ones(2, 3).pin_memory().to(x.device, non_blocking=True),
    lambda x: x.copy_(torch.ones(2, 3).pin_memory(), non_blocking=True),
    lambda x: (x @ x.T).softmax(1).topk(1).values,
    lambda x: x.index_select(1, x[0].long()),
    lambda x: x[:, x[0].long()],
    lambda x: x.masked_fill(x > 1, 0) + torch.tensor(2.0),
    lambda x: torch.mul(x, 2, out=x.new_empty(2, 3)),
    lambda x: torch.cosine_similarity(x, x + 1),
]


@pytest.mark.parametrize('call', GOES_ON)
def test_all_else_goes_on_and_says_what_the_host_says(gpu, x: Tensor, call: Callable) -> None:
    expected = call(torch.arange(6.0).view(2, 3))
    found = call(x)
    assert not gpu.taken()
    assert found.is_cuda and found.device == gpu.device
    assert torch.equal(found.cpu(), expected)


REFUSED: list[Callable[[Tensor], object]] = [
    lambda x: x + torch.ones(2, 3),
    lambda x: torch.cat((x, torch.ones(2, 3))),
    lambda x: x.index_select(0, torch.tensor([0])),
    lambda x: torch.ones(2)[x[0, :1].long()],
    lambda x: torch.ones(2, 3).add_(x),
    lambda x: torch.zeros(2, device='cuda'),
    lambda x: x.to('cuda:0'),
    lambda x: x.pin_memory(),
    lambda x: x.numpy(),
]


@pytest.mark.parametrize('call', REFUSED)
def test_what_a_gpu_refuses_is_refused(x: Tensor, call: Callable) -> None:
    with pytest.raises(RuntimeError):
        call(x)


def test_a_write_through_a_view_or_an_output_is_seen(x: Tensor) -> None:
    x[1].copy_(x[0])
    torch.mul(x[0], 10, out=x[0])
    assert x.add_(1) is x
    assert x.tolist() == [[1, 11, 21], [1, 2, 3]]


def test_attention_leaves_its_output_as_it_is_told(gpu, x: Tensor) -> None:
    q, keys = (torch.randn(1, heads, 3, 8).to(gpu.device) for heads in (4, 2))
    gpu.laid_out = lambda out: out.transpose(1, 2).contiguous().transpose(1, 2)
    mask = causal_lower_right(3, 3)
    out = scaled_dot_product_attention(q, keys, keys, attn_mask=mask, enable_gqa=True)
    assert out.is_cuda and out.stride() == (96, 8, 32, 1)
    with pytest.raises(RuntimeError, match='view'):
        out.view(4, 24)


@pytest.mark.parametrize(('gpu', 'locked'), [(True, True), (False, False)], indirect=['gpu'])
def test_with_triton_it_reads_ram_that_is_locked(gpu, locked: bool) -> None:
    with gpu:
        pages = LockedPages.of(torch.zeros(4, dtype=torch.uint8), gpu.device)
        assert (pages is not None) == locked
        if pages is not None:
            pages.unlock()
