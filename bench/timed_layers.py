# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The language layers whose questions are timed: no pixels, for a question comes after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers.models.qwen2.modeling_qwen2 import Qwen2Config, Qwen2Model

from livevlm_bench.shapes import HALF_BILLION, PREFIX_TOKENS, QUESTION_TOKENS, cache_shape
from livevlm_ros.memory import CacheShape, Memory, QuestionView, View
from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.language import LanguageLayers, next_token

EMBEDDED_QUESTION = (
    'what color was the last traffic light you did see before the thing in front of you ?'
)


@dataclass(frozen=True, slots=True)
class Language:
    """
    Language layers with a prefix and a question in hand.

    :param prefix: embeddings of the text before the video, [tokens, hidden]
    :param question: embeddings of the text after it, [tokens, hidden]
    :param read: sends embeddings through all layers over a view; gives the last one's hidden state
    :param logits: scores of every next token, from that state
    :param embed: makes embeddings of ids, [tokens] to [tokens, hidden]
    :param settings: the checkpoint's `memory.yaml`, parsed
    """

    name: str
    shape: CacheShape
    dtype: torch.dtype
    prefix: Tensor
    question: Tensor
    read: Callable[[Tensor, View], Tensor]
    logits: Callable[[Tensor], Tensor]
    embed: Callable[[Tensor], Tensor]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def another_question(self, number: int) -> Tensor:
        """Make a question of as many tokens, as large as those of `question`, unlike any other."""
        source = torch.Generator().manual_seed(number)
        noise = torch.randn(self.question.shape, generator=source)
        return (noise * self.question.float().std()).to(self.dtype)

    @torch.inference_mode()
    def answer(
        self, question: Tensor, memory: Memory, *, tokens: int
    ) -> Iterator[tuple[int, QuestionView]]:
        """
        Read a question from a memory, which need not know it, and speak.

        :param question: embeddings, [tokens, hidden]
        :param tokens: to be spoken, whatever they mean
        :returns: the likeliest next token, one after another, and the view it was read off
        """
        room = len(question) + tokens - 1
        for view in memory.readings(tokens=len(question), extra_tokens=room):
            hidden = self.read(question, view)
        for left in reversed(range(tokens)):
            token = next_token(self.logits(hidden), temperature=0.0, generator=None)
            yield int(token), view
            if left:
                hidden = self.read(self.embed(token[None]), view)


def half_billion() -> Language:
    """Build the layers of LLaVA-OneVision 0.5B with random weights."""
    return random_language(
        'llava-onevision-0.5b',
        HALF_BILLION.config,
        tokens_per_frame=HALF_BILLION.tokens_per_frame,
        dtype=torch.bfloat16,
    )


@torch.inference_mode()
def random_language(
    name: str, config: Qwen2Config, *, tokens_per_frame: int, dtype: torch.dtype
) -> Language:
    """Build layers of some shape with random weights, and a question of random words."""
    torch.manual_seed(0)
    model = Qwen2Model._from_config(config, dtype=dtype).eval()
    words = torch.randint(config.vocab_size, (PREFIX_TOKENS + QUESTION_TOKENS,))
    prefix, question = model.embed_tokens(words).split((PREFIX_TOKENS, QUESTION_TOKENS))
    return Language(
        name=name,
        shape=cache_shape(config, tokens_per_frame=tokens_per_frame),
        dtype=dtype,
        prefix=prefix,
        question=question,
        read=LanguageLayers(model).read,
        logits=lambda hidden: torch.mv(model.embed_tokens.weight, hidden),  # the head is tied
        embed=model.embed_tokens,
    )


def embedded_language() -> Language:
    """Load the embedded model, as it is installed."""
    model = load_model(ModelConfig())
    return Language(
        name='embedded',
        shape=model.shape,
        dtype=model.dtype,
        prefix=model.prefix(),
        question=model.question(EMBEDDED_QUESTION).embeds,
        read=model.read,
        logits=model.logits,
        embed=model.embed,
        settings=model.memory_settings,
    )
