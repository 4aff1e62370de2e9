# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livevlm_ros.memory import State
from livevlm_ros.memory.state import alike, copied


def test_states_that_are_joined_can_be_parted() -> None:
    parts = {
        'lane.1': State({'keys': torch.ones(1)}, {'count': 1}),
        'lane.10': State({'keys': torch.ones(10)}, {'count': 10}),
        'bare': State(),
    }
    memory = State.joined({'memory': State.joined(parts)}).part('memory')
    for name, state in parts.items():
        part = memory.part(name)
        assert part.facts == state.facts
        assert part.tensors.keys() == state.tensors.keys()
        assert all(torch.equal(part.tensors[key], state.tensors[key]) for key in part.tensors)


def test_a_copy_is_whole_and_no_view() -> None:
    block = torch.zeros(2, 6, 3)
    copy = copied(block[:, :4].transpose(0, 1))
    block.fill_(1.0)
    assert copy.is_contiguous() and not copy.any()
    assert copy.untyped_storage().nbytes() == copy.nbytes


@pytest.mark.parametrize(
    ('dtype', 'rounding', 'training'),
    [(torch.float32, 1e-5, 1e-2), (torch.bfloat16, 1e-2, 0.3)],
)
def test_alike_are_tensors_that_differ_by_rounding(dtype, rounding, training) -> None:
    source = torch.Generator().manual_seed(3)
    one, noise = torch.randn(2, 100, 20, generator=source)
    assert alike(one.to(dtype), one.to(dtype))
    assert alike(one.to(dtype), (one + rounding * noise).to(dtype))
    assert not alike(one.to(dtype), (one + training * noise).to(dtype))
    assert not alike(one.to(dtype), one[:50].to(dtype))
    assert not alike(one, one.double())
    assert not alike(one, torch.full_like(one, torch.nan))
