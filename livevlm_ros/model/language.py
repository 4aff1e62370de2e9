# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The language layers over a memory view: Qwen2's decoder with attention handed to `view.attend`.

One sequence, no batch axis. Queries and keys reach the view before rotary position; what they attend to, and what
is kept, is the view's business.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2Model, Qwen2RMSNorm

from livevlm_ros.memory import View


def read(model: Qwen2Model, embeds: Tensor, view: View) -> Tensor:
    """
    Send tokens through all layers.

    :param embeds: token embeddings, at least one, [tokens, hidden]
    :param view: what they attend to besides each other
    :returns: hidden state of the last token after the final norm, [hidden]
    """
    hidden = embeds
    last = len(model.layers) - 1
    for index, layer in enumerate(model.layers):
        attended = view.attend(index, *_heads(layer, hidden))
        if index == last:  # only the last token's output is wanted; keys of all are with the view
            hidden, attended = hidden[-1:], attended[-1:]
        hidden = hidden + linear(attended, layer.self_attn.o_proj.weight)
        hidden = hidden + _feed_forward(layer, hidden)
    return _norm(model.norm, hidden)[0]


def _heads(layer: Qwen2DecoderLayer, hidden: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys and values before rotary, each [heads, tokens, head_dim]."""
    attention = layer.self_attn
    normed = _norm(layer.input_layernorm, hidden)
    return tuple(
        linear(normed, part.weight, part.bias)
        .view(len(hidden), -1, attention.head_dim)
        .transpose(0, 1)
        for part in (attention.q_proj, attention.k_proj, attention.v_proj)
    )


def _feed_forward(layer: Qwen2DecoderLayer, hidden: Tensor) -> Tensor:
    mlp = layer.mlp
    normed = _norm(layer.post_attention_layernorm, hidden)
    gate = mlp.act_fn(linear(normed, mlp.gate_proj.weight))
    return linear(gate * linear(normed, mlp.up_proj.weight), mlp.down_proj.weight)


def _norm(norm: Qwen2RMSNorm, hidden: Tensor) -> Tensor:
    return rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)


def next_token(logits: Tensor, *, temperature: float, generator: torch.Generator | None) -> Tensor:
    """
    Choose the next token: the likeliest at temperature 0, else a draw.

    :param logits: [vocabulary]
    :returns: token id, int64 []
    """
    if temperature <= 0:
        return logits.argmax()
    shares = torch.softmax(logits.float() / temperature, dim=-1)
    return torch.multinomial(shares, 1, generator=generator)[0]
