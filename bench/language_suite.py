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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from livevlm_bench.facts import built_in_facts, read_facts
from livevlm_bench.filler import built_in_filler, read_filler
from livevlm_bench.language_model import FRAME_TOKENS, LanguageModel
from livevlm_bench.language_report import Asked, fingerprint, language_report
from livevlm_bench.language_rows import TextRow
from livevlm_bench.report_head import head
from livevlm_bench.text_memory import STEP_FRAMES, ask, remember
from livevlm_bench.text_streams import TextStream, text_stream
from livevlm_bench.threads import one_thread
from livevlm_ros.memory import RESERVED_POSITIONS
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress

FEWEST_TOKENS = 512
"""Fewest tokens of a stream."""

QUICK = {'count': 1, 'tokens': 1536}
"""Streams of a quick run."""


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

    def written(self, model: LanguageModel) -> list[TextStream]:
        """
        Write the streams.

        :raises BadInput: as `read_facts`, `read_filler`, `built_in_filler` and `text_stream`
        """
        kinds = read_facts(self.facts) if self.facts else built_in_facts('table')
        filler = read_filler(self.text) if self.text else built_in_filler('table')
        return [
            text_stream(model, kinds, filler, seed=self.seed, number=number, tokens=self.tokens)
            for number in range(self.count)
        ]


def measure(
    model: LanguageModel,
    streams: Streams,
    rows: Sequence[TextRow],
    *,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = lambda name, share: None,
    so_far: Callable[[Report], None] = lambda report: None,
) -> Report:
    """
    Ask every row every question.

    :param settings: of the model's memory, as a checkpoint's `memory.yaml` has them
    :param progress: called with stream and row, and the share of everything done, [0, 1]
    :param so_far: called with the report on the rows that are done, when some more are
    :returns: see `language_report`
    :raises BadInput: for facts, text or sizes that cannot be used
    """
    streams.check(model)
    read = streams.written(model)
    asked: list[Asked] = []
    done: list[TextRow] = []
    report: Report = {}
    began = time.monotonic()
    with one_thread():
        for config in dict.fromkeys(row.config for row in rows):
            same = [row for row in rows if row.config == config]
            for number, stream in enumerate(read):
                share = (len(done) + len(same) * number / len(read)) / len(rows)
                progress(f'{same[0].name}, stream {number + 1}', share)
                asked += _asked(model, stream, number, same, settings)
            done += same
            report = {
                **head('language', seed=streams.seed, threads=torch.get_num_threads()),
                'model': model.name,
                'parameters': model.parameters,
                'source': _source(streams, read),
                **language_report(
                    asked, [row for row in rows if row in done], tokens=streams.tokens
                ),
                'seconds_taken': time.monotonic() - began,
            }
            so_far(report)
    return report


def _asked(
    model: LanguageModel,
    stream: TextStream,
    number: int,
    rows: Sequence[TextRow],
    settings: Mapping[str, Any] | None,
) -> list[Asked]:
    """Let a memory read a stream, and ask it all questions in the way of some rows."""
    memory = remember(model, stream, rows[0].config, settings)
    try:
        return [
            Asked(row.name, number, fact, stream.age(fact), told)
            for row in rows
            for fact in stream.facts
            for told in [ask(model, memory, fact, reads=row.reads(memory, fact))]
        ]
    finally:
        memory.close()


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
