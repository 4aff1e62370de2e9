# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A language model that reads text as a stream of frames, with the project's own layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from livevlm_ros.memory import CacheShape
from livevlm_ros.model.language import LanguageLayers

FRAME_TOKENS = 16
"""Tokens of running text that count as one frame."""

BEFORE, AFTER = 'Read these notes.\n\n', '\n\nQuestion: {ask}'
"""What the chat's user says before and after the stream."""

_STREAM = '\x00'


class Tokens(NamedTuple):
    """
    Text as tokens.

    :param ids: of the whole text
    :param places: of the tokens that hold a part of it
    """

    ids: list[int]
    places: list[int]


class LanguageModel:
    """
    A causal text model whose layers read over a memory; owned by one thread.

    `layers` read and probe, `shape` is what the memory is built for, `prefix_ids` are the chat
    before the stream, `hf` is the transformers model underneath.

    :param tokenizer: with a chat template
    """

    def __init__(
        self, hf: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, *, name: str
    ) -> None:
        config = hf.config
        self.name, self.hf = name, hf
        self.layers = LanguageLayers(hf.model)
        self.parameters = hf.num_parameters()
        self.shape = CacheShape(
            layers=config.num_hidden_layers,
            q_heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            tokens_per_frame=FRAME_TOKENS,
            rope_theta=config.rope_parameters['rope_theta'],
            max_positions=config.max_position_embeddings,
        )
        self._tokenizer = tokenizer
        said = [{'role': 'user', 'content': BEFORE + _STREAM + AFTER}]
        chat = tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
        before, _, self._after = chat.partition(_STREAM)
        self.prefix_ids = self.ids(before)

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text, none added."""
        found: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return found

    def tokens(self, text: str, *, begin: int, end: int) -> Tokens:
        """Return the tokens of a text, and which of them hold its letters `begin` to `end`."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        spans = enumerate(encoded.offset_mapping)
        places = [place for place, (first, last) in spans if last > begin and first < end]
        return Tokens(encoded.input_ids, places)

    def question_ids(self, ask: str) -> list[int]:
        """Return the chat after the stream: the question, and the mark of who answers."""
        return self.ids(self._after.replace('{ask}', ask))

    def text(self, ids: Sequence[int]) -> str:
        """Return tokens as text."""
        said: str = self._tokenizer.decode(list(ids))
        return said

    def is_blank(self, token: int) -> bool:
        """Return whether a token is nothing but space."""
        return not self.text([token]).strip()

    @torch.inference_mode()
    def embed(self, ids: Sequence[int]) -> Tensor:
        """Return the embeddings of tokens, [tokens, hidden]."""
        return self.hf.model.embed_tokens(torch.tensor(ids, dtype=torch.long))

    @torch.inference_mode()
    def log_shares(self, states: Tensor) -> Tensor:
        """Return log probabilities of every next token, [tokens, vocabulary], from states."""
        return torch.log_softmax(self.hf.lm_head(states).float(), dim=-1)
