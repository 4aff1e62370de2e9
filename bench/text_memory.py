# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A memory that reads a stream of text, and questions that are answered from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from livevlm_bench.language_model import FRAME_TOKENS, LanguageModel
from livevlm_bench.text_streams import Fact, TextStream
from livevlm_ros.memory import (
    EvidenceHeads,
    FrameRef,
    Memory,
    MemoryConfig,
    QuestionView,
    ReadFilter,
    RetrievalSettings,
)

STEP_FRAMES = 4
"""Frames that are read at once."""

SOURCE = 'text'
"""The one camera's name."""

FRAME_NS = 10**9


@dataclass(frozen=True, slots=True)
class Told:
    """
    What became of a question.

    :param right: whether each token of the value is the likeliest after the true answer so far;
        it is what greedy decoding would have said. None for a fact that was not said
    :param log_share: log probability of the value after the true answer up to it
    :param sure: log probability of the likeliest token where the value begins, right or wrong
    :param recall: share of the tokens that are needed among those read, mean over layers; None for
        a fact that was not said
    :param tokens_read: of the stream, mean over layers
    """

    right: bool | None
    log_share: float
    sure: float
    recall: float | None
    tokens_read: float


def frame_ref(frame: int) -> FrameRef:
    """Return the name of a frame of a stream, counted from 0."""
    return FrameRef(SOURCE, frame * FRAME_NS)


def everything(memory: Memory, fact: Fact) -> ReadFilter:
    """Let a question read what the memory finds."""
    return ReadFilter()


def truth(memory: Memory, fact: Fact) -> ReadFilter:
    """Let a question read short-term, and of the rest the frames that say the fact."""
    if not fact.frames:
        return ReadFilter(long_term=False)
    stamps_ns = sorted(frame * FRAME_NS for frame in fact.frames)
    return ReadFilter(only_ns=tuple((stamp_ns, stamp_ns) for stamp_ns in stamps_ns))


def nothing(memory: Memory, fact: Fact) -> ReadFilter:
    """Let a question read the prefix alone."""
    return ReadFilter(short_term=False, long_term=False)


@torch.inference_mode()
def remember(
    model: LanguageModel,
    stream: TextStream,
    config: MemoryConfig,
    settings: Mapping[str, Any] | None = None,
) -> Memory:
    """
    Let a new memory read a stream, a few frames a step.

    :param settings: as of a checkpoint's `memory.yaml`
    :raises RuntimeError: if a frame could not be archived
    """
    memory = Memory(
        config,
        model.shape,
        (SOURCE,),
        evidence=EvidenceHeads({0: None}),  # of no interest here, so little of it
        retrieval=RetrievalSettings.from_settings(settings or {}, model.shape),
    )
    with memory.write_prefix() as view:
        model.layers.read(model.embed(model.prefix_ids), view)
    for first in range(0, stream.frames, STEP_FRAMES):
        end = min(first + STEP_FRAMES, stream.frames)
        step = memory.step([frame_ref(frame) for frame in range(first, end)])
        model.layers.read(model.embed(stream.ids[first * FRAME_TOKENS : end * FRAME_TOKENS]), step)
        step.commit()
        memory.settle()  # text comes faster than the archive's thread writes on a busy machine
    if lost := memory.sizes().archive_lost:
        raise RuntimeError(f'{lost} frames were not archived, see the log')
    return memory


@torch.inference_mode()
def ask(model: LanguageModel, memory: Memory, fact: Fact, *, reads: ReadFilter) -> Told:
    """
    Ask a question, then say the true answer and see whether the value was expected.

    :param reads: what may be read of the memory
    """
    question = model.embed(model.question_ids(fact.ask))
    ids, places = fact.answer
    for view in memory.readings(
        tokens=len(question), extra_tokens=len(question) + len(ids), reading=reads
    ):
        state = model.layers.read(question, view)
    states = state[None]  # what says token i of the answer, [i, hidden]
    if ids[:-1]:
        said = model.embed(ids[:-1])
        states = torch.cat((states, model.layers.read_states(said, view, last=len(said))))
    shares = model.log_shares(states[places])  # [value's tokens, vocabulary]
    wanted = torch.tensor([ids[place] for place in places])
    begin = next((n for n, token in enumerate(wanted.tolist()) if not model.is_blank(token)), 0)
    return Told(
        right=bool((shares.argmax(dim=-1) == wanted).all()) if fact.spans else None,
        log_share=float(shares.gather(1, wanted[:, None]).sum()),
        sure=float(shares[begin].max()),
        recall=_recall(memory, view, fact) if fact.spans else None,
        tokens_read=sum(view.tokens_read) / len(view.tokens_read),
    )


def _recall(memory: Memory, view: QuestionView, fact: Fact) -> float:
    """Return the share of the needed tokens that were read, mean over layers."""
    wanted = torch.stack(
        [
            memory.ids.of_frame(frame_ref(place // FRAME_TOKENS))[place % FRAME_TOKENS]
            for place in fact.needed
        ]
    )
    read = [torch.isin(wanted, view.ids(layer)) for layer in range(len(view.tokens_read))]
    return float(torch.stack(read).float().mean())
