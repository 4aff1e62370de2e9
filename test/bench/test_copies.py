# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from livevlm_bench.copies import Copies


def test_bytes_that_go_to_a_device_are_counted() -> None:
    with Copies() as copies:
        there = torch.ones(3, 4).to('meta')
        there.copy_(torch.zeros(3, 4))
        there.to(torch.bfloat16)
        torch.ones(5).to(torch.float64)
    assert (copies.to_device, copies.to_host) == (2 * 48, 0)


def test_attention_of_the_last_tokens_runs_inside() -> None:
    q, keys = torch.randn(1, 4, 3, 8), torch.randn(1, 2, 7, 8)

    def attention() -> torch.Tensor:
        mask = causal_lower_right(3, 7)
        return scaled_dot_product_attention(q, keys, keys, attn_mask=mask, enable_gqa=True)

    with torch.inference_mode(), Copies():
        inside = attention()
    assert torch.equal(inside, attention())
