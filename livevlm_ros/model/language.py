# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The language layers over a memory view: a decoder whose attention is handed to `view.attend`.

Llama's kind, with or without biases of queries, keys and values, and with or without norms of
queries and keys. One sequence, no batch axis. Queries and keys reach the view after their norms
and before rotary position; what they attend to, and what is kept, is the view's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm

from livevlm_kernels.low_bits import Scratch
from livevlm_ros.memory import View
from livevlm_ros.model.packed import packed


class Decoder(Protocol):
    """A language model of transformers without its head: embedding, layers, norm."""

    embed_tokens: nn.Embedding
    layers: Iterable[Any]
    norm: Any


class LanguageLayers:
    """
    The decoder layers of a transformers model, ready for few tokens at a time.

    Weights that read the same input are packed side by side, which halves the time of a token on a
    CPU; the modules of `model` go on as views of them or give them up, so the weights exist once.

    :raises ValueError: for a bias other than those of queries, keys and values, which is not added
    """

    def __init__(self, model: Decoder) -> None:
        scratch = Scratch()
        self._layers = [_Layer(layer, scratch) for layer in model.layers]
        self._norm = model.norm

    def read(self, embeds: Tensor, view: View) -> Tensor:
        """
        Send tokens through all layers.

        :param embeds: token embeddings, at least one, [tokens, hidden]; or [tokens, (1 + n) *
            hidden], where behind an embedding lies what is added to the token's state after each
            of the first n layers
        :param view: what they attend to besides each other
        :returns: hidden state of the last token after the final norm, [hidden]; of a view that
            ends the read, without a meaning
        """
        return self.read_states(embeds, view, last=1)[0]

    def read_states(self, embeds: Tensor, view: View, *, last: int) -> Tensor:
        """
        Send tokens through all layers as `read` does, for the states of more than one.

        :param last: newest tokens whose states are wanted, at least one
        :returns: their hidden states after the final norm, [last, hidden]
        """
        hidden, *added = embeds.split(self._norm.weight.shape[0], dim=1)
        top = len(self._layers) - 1
        for index, layer in enumerate(self._layers):
            attended = view.attend(index, *layer.heads(hidden))
            if attended is None:
                break
            if index == top:  # the view has every token's keys, few tokens' outputs are used
                hidden, attended = hidden[-last:], attended[-last:]
            hidden = layer.feed_forward(layer.output.product(attended, plus=hidden))
            if index < len(added):
                hidden = hidden + added[index][-len(hidden) :]
        return _norm(self._norm, hidden[-last:])


class _Layer:
    """One decoder layer's packed weights."""

    def __init__(self, layer: Any, scratch: Scratch) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        for part in (attention.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj):
            if part.bias is not None:
                raise ValueError(
                    'layers with a bias on o_proj, gate_proj, up_proj or down_proj are not read'
                )
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._head_dim = attention.head_dim
        self._head_counts = [part.out_features // attention.head_dim for part in parts]
        self._qkv = packed(parts, scratch)
        biases = [part.bias for part in parts if part.bias is not None]  # of all three, or none
        self._qkv_bias = torch.cat(biases) if biases else None
        self._gate_up = packed((mlp.gate_proj, mlp.up_proj), scratch)
        self._down, self._activation = packed((mlp.down_proj,), scratch), mlp.act_fn
        self._norms = [getattr(attention, name, None) for name in ('q_norm', 'k_norm')]
        self._norm_in, self._norm_mlp = layer.input_layernorm, layer.post_attention_layernorm
        self.output = packed((attention.o_proj,), scratch)  # q_heads * head_dim to hidden

    def heads(self, hidden: Tensor) -> Sequence[Tensor]:
        """Project to queries, keys and values before rotary, each [heads, tokens, head_dim]."""
        qkv = self._qkv.product(_norm(self._norm_in, hidden), plus=self._qkv_bias)
        by_head = qkv.view(len(hidden), -1, self._head_dim).transpose(0, 1)
        q, k, v = by_head.split(self._head_counts)
        q_norm, k_norm = self._norms
        if q_norm is not None and k_norm is not None:
            q, k = _norm(q_norm, q), _norm(k_norm, k)
        return q, k, v

    def feed_forward(self, hidden: Tensor) -> Tensor:
        """Add the gated feed-forward block, [tokens, hidden]."""
        gate, up = self._gate_up.product(_norm(self._norm_mlp, hidden)).chunk(2, dim=1)
        return self._down.product(self._activation(gate) * up, plus=hidden)


def _norm(norm: Any, hidden: Tensor) -> Tensor:
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
