# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stage two: the language layers learn to answer from a stream of frame tokens.

A batched forward pass over the modules of transformers. Many questions share one stream: each
attends to the video tokens before it and to itself, so that the video is encoded once. Two helps
make it learn in minutes: a few heads are told where the evidence lies, and throw-away heads on the
video tokens recall the event before.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaOnevisionForConditionalGeneration
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2Model, rotate_half

from livevlm_ros.training.checkpoint import EOS, TOKENS_PER_FRAME
from livevlm_ros.training.compose import IGNORED, StreamBatch
from livevlm_ros.world.scene import CLASSES, COLORS, PLACES
from livevlm_ros.world.wording import KINDS

FIRST_HOP_LAYER, SECOND_HOP_LAYER = 2, 4
EVENT_LAYER, RECALL_LAYER = 1, 3
END_WEIGHT, EVIDENCE_WEIGHT, RECALL_WEIGHT = 0.05, 0.3, 0.3
MOST_TIMES = 4


class RecallHeads(nn.Module):
    """Throw-away readings of the video tokens: what a memory of events would know there."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.start = nn.Linear(hidden, 1)
        self.kind = nn.Linear(hidden, len(CLASSES) + 1)
        self.color = nn.Linear(hidden, len(COLORS))
        self.times = nn.Linear(hidden, MOST_TIMES)

    def event_loss(self, tokens: Tensor, batch: StreamBatch) -> Tensor:
        """Score where events start, from tokens [streams, frames, tokens, hidden]."""
        starts = batch.starts[..., None].expand(tokens.shape[:-1])
        return functional.binary_cross_entropy_with_logits(self.start(tokens)[..., 0], starts)

    def recall_loss(self, tokens: Tensor, batch: StreamBatch) -> Tensor:
        """Score the event before, a place a row, and how often the class in a column was seen."""
        grid = tokens.unflatten(
            2, (len(PLACES), len(PLACES))
        )  # [streams, frames, rows, columns, hidden]
        by_row = (*grid.shape[:4],)
        loss = tokens.new_zeros(())
        for head, labels in (
            (self.kind, batch.before_kind[..., :, None].expand(by_row)),
            (self.color, batch.before_color[..., :, None].expand(by_row)),
            (self.times, batch.times_seen[..., None, :].expand(by_row)),
        ):
            wanted = labels.flatten()
            summed = functional.cross_entropy(
                head(grid).flatten(0, 3), wanted, ignore_index=IGNORED, reduction='sum'
            )
            loss = loss + summed / (wanted != IGNORED).sum().clamp(min=1)
        return loss


@dataclass
class Reading:
    """
    What came of a batch.

    :param loss: everything that is trained on
    :param answer_loss: cross-entropy of the answers alone
    :param logits: at the end of each prompt, [streams, questions, vocabulary]
    :param right: which questions were answered right, [streams, questions]
    """

    loss: Tensor
    answer_loss: Tensor
    logits: Tensor
    right: Tensor


def read_batch(
    model: LlavaOnevisionForConditionalGeneration,
    heads: RecallHeads,
    batch: StreamBatch,
    features: Tensor,
    start_tokens: Tensor,
    *,
    evidence_loss: bool = True,
) -> Reading:
    """
    Run the language layers over streams and their questions.

    :param model: the LLaVA-OneVision model
    :param heads: throw-away heads on the video tokens
    :param batch: streams and questions
    :param features: tokens of the clip bank, [clips, frames, tokens, hidden]
    :param start_tokens: tokens before the video
    :param evidence_loss: whether heads are told where the evidence lies
    """
    language = model.model.language_model
    streams, questions, _ = batch.words.shape
    picked = features[
        batch.frames[..., 0], batch.frames[..., 1]
    ].float()  # [streams, frames, tokens, hidden]
    start = language.embed_tokens(start_tokens).expand(streams, -1, -1)
    newline = model.model.image_newline.expand(streams, questions, 1, -1)
    asked = torch.cat([newline, language.embed_tokens(batch.words)], 2)
    x = torch.cat([start, picked.flatten(1, 2), asked.flatten(1, 2)], 1)
    attention = _SharedVideoAttention(language, batch, video=batch.positions.shape[1])
    loss = x.new_zeros(())
    for index, layer in enumerate(language.layers):
        x, mass = attention(layer, x)
        video = x[:, len(start_tokens) : batch.positions.shape[1]].unflatten(
            1, (-1, TOKENS_PER_FRAME)
        )
        if index == EVENT_LAYER:
            loss = loss + RECALL_WEIGHT * heads.event_loss(video, batch)
        elif index == RECALL_LAYER:
            loss = loss + RECALL_WEIGHT * heads.recall_loss(video, batch)
        if evidence_loss and index in (FIRST_HOP_LAYER, SECOND_HOP_LAYER):
            loss = loss + EVIDENCE_WEIGHT * _evidence_loss(index, mass, batch)
    hidden = x[:, batch.positions.shape[1] :].unflatten(1, (questions, -1))
    picks = torch.stack([batch.last, batch.last + 1], 2)[
        ..., None
    ]  # the prompt's end and the answer
    ends = hidden.gather(2, picks.expand(-1, -1, -1, hidden.shape[-1]))
    logits = model.lm_head(language.norm(ends)).float()  # [streams, questions, 2, vocabulary]
    answer_loss = functional.cross_entropy(logits[:, :, 0].flatten(0, 1), batch.answers.flatten())
    stops = batch.answers.new_full((streams * questions,), EOS)
    loss = loss + answer_loss
    loss = loss + END_WEIGHT * functional.cross_entropy(logits[:, :, 1].flatten(0, 1), stops)
    right = logits[:, :, 0].argmax(-1) == batch.answers
    return Reading(loss, answer_loss.detach(), logits[:, :, 0], right)


def _evidence_loss(layer: int, mass: Tensor, batch: StreamBatch) -> Tensor:
    """Return minus the log of the attention on the evidence of the questions a layer serves."""
    first = layer == FIRST_HOP_LAYER
    wanted = batch.evidence if first else batch.second
    served = wanted.any(-1)
    missed = -((mass * wanted).sum(-1) + 1e-6).log()
    return (missed * served).sum() / served.sum().clamp(min=1)


class _SharedVideoAttention:
    """A decoder layer over `[streams, video + questions * tokens, hidden]`, questions apart."""

    def __init__(self, language: Qwen2Model, batch: StreamBatch, *, video: int) -> None:
        self._video = video
        self._batch = batch
        self._questions, self._tokens = batch.word_positions.shape[1:]
        positions = torch.cat([batch.positions, batch.word_positions.flatten(1)], 1)
        angles = (
            positions[..., None].float() * language.rotary_emb.inv_freq
        )  # [streams, all, head_dim / 2]
        angles = torch.cat([angles, angles], -1)[:, None]
        self._cos, self._sin = angles.cos(), angles.sin()
        device = positions.device
        later = torch.arange(video, device=device) >= batch.visible[..., None]
        unseen = torch.zeros(later.shape, device=device).masked_fill_(later, -torch.inf)
        self._unseen = unseen[:, None, None, :, None]  # [streams, 1, 1, questions, 1, video]
        self._own = torch.full((self._tokens,) * 2, -torch.inf, device=device).triu(1)

    def __call__(self, layer: Qwen2DecoderLayer, x: Tensor) -> tuple[Tensor, Tensor]:
        """
        Run the layer.

        :returns: the new states, and the attention of each question's last prompt token on the
            video, mean over the query heads of the first key head, [streams, questions, video]
        """
        attention, video = layer.self_attn, self._video
        normed = layer.input_layernorm(x)
        q, k, v = (
            project(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )  # [streams, heads, all, head_dim]
        q = q * self._cos + rotate_half(q) * self._sin
        k = k * self._cos + rotate_half(k) * self._sin
        v = v.to(q.dtype)
        seen = functional.scaled_dot_product_attention(
            q[:, :, :video], k[:, :, :video], v[:, :, :video], is_causal=True, enable_gqa=True
        )
        told, mass = self._ask(q[:, :, video:] * attention.scaling, k, v)
        out = torch.cat([seen.transpose(1, 2), told.transpose(1, 2).to(seen.dtype)], 1).flatten(2)
        x = x + attention.o_proj(out).float()
        return x + layer.mlp(layer.post_attention_layernorm(x)).float(), mass

    def _ask(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from the question tokens, [streams, heads, questions * tokens, head_dim]."""
        streams, kv_heads, video = len(q), k.shape[1], self._video
        shape = (self._questions, self._tokens)
        q = q.unflatten(
            1, (kv_heads, -1)
        )  # [streams, kv_heads, group, questions * tokens, head_dim]
        group = q.shape[2]
        on_video = q.flatten(2, 3) @ k[:, :, :video].transpose(2, 3)
        on_video = on_video.view(streams, kv_heads, group, *shape, video) + self._unseen
        own_k = k[:, :, None, video:].unflatten(3, shape)
        own_v = v[:, :, None, video:].unflatten(3, shape)
        on_own = q.unflatten(3, shape) @ own_k.transpose(-1, -2) + self._own
        shares = torch.cat([on_video, on_own], -1).float().softmax(-1)
        from_video = shares[..., :video].reshape(streams, kv_heads, -1, video) @ v[:, :, :video]
        from_own = shares[..., video:].to(v.dtype) @ own_v
        out = from_video.view(streams, kv_heads, group, *shape, -1) + from_own
        last = self._batch.last[:, None, :, None, None].expand(-1, group, -1, 1, video)
        mass = shares[:, 0, ..., :video].gather(3, last)[..., 0, :].mean(1)
        return out.flatten(3, 4).flatten(1, 2), mass


def share_right(readings: list[tuple[Tensor, Tensor]]) -> dict[str, tuple[int, float]]:
    """Return the number and the share right of each kind, from (kinds, right) pairs."""
    kinds = torch.cat([kind.flatten() for kind, _ in readings]).cpu()
    right = torch.cat([each.flatten() for _, each in readings]).float().cpu()
    return {
        name: (int((kinds == index).sum()), float(right[kinds == index].mean()))
        for index, name in enumerate(KINDS)
        if (kinds == index).any()
    }
