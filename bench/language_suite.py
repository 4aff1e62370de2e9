# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the memory is worth to a pretrained language model that nobody here taught.

Memories read streams of running text with facts dropped in, 16 tokens a frame; after each stream
all questions are asked of each row. Rows of the same memory, such as an oracle beside retrieval,
ask one that has read the stream once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from livevlm_bench.facts import Kind, built_in_facts, read_facts
from livevlm_bench.filler import Paragraph, built_in_filler, read_filler
from livevlm_bench.language_model import FRAME_TOKENS, LanguageModel
from livevlm_bench.language_report import Asked, fingerprint, language_report
from livevlm_bench.language_rows import TextRow
from livevlm_bench.text_memory import STEP_FRAMES, ask, remember
from livevlm_bench.text_streams import TextStream, text_stream
from livevlm_bench.threads import one_thread
from livevlm_ros.memory import RESERVED_POSITIONS
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress

FEWEST_TOKENS = 512
"""Of a stream."""

SHORT = {'count': 1, 'tokens': 1536}
"""Streams of the short form."""


@dataclass(frozen=True, slots=True)
class Streams:
    """
    What is read and asked.

    :param seed: decides every stream
    :param count: streams
    :param tokens: of each
    :param facts: file of facts; None: those built in
    :param text: folder of filler; None: what is built in
    """

    seed: int = 0
    count: int = 8
    tokens: int = 1536
    facts: Path | None = None
    text: Path | None = None

    def kinds(self) -> list[Kind]:
        """
        Return the kinds of facts.

        :raises BadInput: as `read_facts`
        """
        return read_facts(self.facts) if self.facts else built_in_facts('table')

    def filler(self) -> tuple[Paragraph, ...]:
        """
        Return the filler.

        :raises BadInput: as `read_filler` and `built_in_filler`
        """
        return read_filler(self.text) if self.text else built_in_filler('table')

    def check(self, model: LanguageModel) -> None:
        """
        Refuse streams that a model cannot read whole.

        :raises BadInput: saying how long they may be
        """
        step = STEP_FRAMES * FRAME_TOKENS
        most = (model.shape.max_positions - RESERVED_POSITIONS) // step * step
        if self.tokens % step or not FEWEST_TOKENS <= self.tokens <= most:
            raise BadInput(
                f'--tokens {self.tokens}: expected a multiple of {step} from {FEWEST_TOKENS} to '
                f'{most}'
            )


def measure(
    model: LanguageModel,
    streams: Streams,
    rows: Sequence[TextRow],
    *,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = lambda name, share: None,
) -> Report:
    """
    Ask every row every question.

    :param settings: of the model's memory, as a checkpoint's `memory.yaml` has them
    :param progress: called with stream and row, and the share of everything done, [0, 1]
    :returns: see `language_report`
    :raises BadInput: for facts, text or sizes that cannot be used
    """
    streams.check(model)
    kinds, filler = streams.kinds(), streams.filler()
    asked: list[Asked] = []
    read: list[TextStream] = []
    began = time.monotonic()
    with one_thread():
        for number in range(streams.count):
            stream = text_stream(
                model, kinds, filler, seed=streams.seed, number=number, tokens=streams.tokens
            )
            read.append(stream)
            done = 0
            for config in dict.fromkeys(row.config for row in rows):
                same = [row for row in rows if row.config == config]
                share = (number + done / len(rows)) / streams.count
                progress(f'stream {number + 1}, {same[0].name}', share)
                memory = remember(model, stream, config, settings)
                for row in same:
                    for fact in stream.facts:
                        told = ask(model, memory, fact, reads=row.reads(memory, fact))
                        asked.append(Asked(row.name, number, fact, stream.age(fact), told))
                memory.close()
                done += len(same)
    return {
        'model': model.name,
        'parameters': model.parameters,
        'torch': torch.__version__,
        'threads': 1,
        'source': _source(streams, read),
        **language_report(asked, rows, tokens=streams.tokens),
        'seconds_taken': time.monotonic() - began,
    }


def _source(streams: Streams, read: Sequence[TextStream]) -> Report:
    return {
        'facts': str(streams.facts or 'built in'),
        'text': str(streams.text or 'built in'),
        'seed': streams.seed,
        'streams': streams.count,
        'tokens': streams.tokens,
        'frame_tokens': FRAME_TOKENS,
        'step_frames': STEP_FRAMES,
        'fingerprint': fingerprint(read),
    }
