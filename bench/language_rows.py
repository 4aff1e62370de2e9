# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rows of the language table: memories that read the same streams, and what questions read of them.

The presets' budgets are made for hundreds of frames. A stream of less than `LONG` tokens has half
of them, so that most of it is old; all rows but `full` and `oracle` read as many tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from livevlm_bench.text_memory import everything, nothing, truth
from livevlm_bench.text_streams import Fact
from livevlm_ros.memory import Memory, MemoryConfig, ReadFilter
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.rows import check_names, read_rows
from livevlm_ros.replay.settings import engine_config

LONG = 4096
"""Tokens of a stream from which on budgets are the presets' own."""

QUICK_ROWS = ('full', 'balanced', 'oracle', 'rekv', 'recent')
"""Rows that tell in three minutes whether retrieval finds anything."""


class Sizes(NamedTuple):
    """
    Budgets of a row, in frames.

    :param short_term: newest frames
    :param retrieved: frames' worth of tokens that a question reads beside them
    :param long_term_share: of the preset's long-term
    """

    short_term: int
    retrieved: int
    long_term_share: float

    def of(self, preset: str) -> dict[str, int]:
        """Return the settings of a preset's memory."""
        if preset == 'full':
            return {}
        long_term = MemoryConfig(preset).long_term_frames
        return {
            'short_term_frames': self.short_term,
            'long_term_frames': int(long_term * self.long_term_share),
            'retrieval_frames': self.retrieved,
        }


def sizes_for(tokens: int) -> Sizes:
    """
    Return the budgets for streams of some length.

    A question reads 20 frames, or 26 of a long stream: 320 of 1,536 tokens are 21 %, 416 of 6,144
    tokens 6.8 %.
    """
    return Sizes(8, 12, 0.5) if tokens < LONG else Sizes(16, 10, 1.0)


class TextRow(NamedTuple):
    """
    One way to answer.

    :param config: of the memory; rows of equal ones ask the same memory
    :param reads: what a question may read of it
    """

    name: str
    config: MemoryConfig
    reads: Callable[[Memory, Fact], ReadFilter] = everything


def table_rows(tokens: int, *, texts: Sequence[str] = (), quick: bool = False) -> list[TextRow]:
    """
    Make the rows for streams of some length.

    :param texts: further rows as `livevlm evaluate --row` takes them, with settings of memory and
        retrieval; sizes that are not given are those of the others
    :param quick: no more than `QUICK_ROWS`, and those of `texts`
    :raises BadInput: for a text that is no row, another setting, or a name given twice
    """
    sizes = sizes_for(tokens)

    def preset(name: str, **settings: Any) -> MemoryConfig:
        return MemoryConfig(name, **{**sizes.of(name), **settings})

    window = sizes.short_term + sizes.retrieved
    rows = [
        TextRow('full', preset('full')),
        TextRow('balanced', preset('balanced')),
        TextRow('oracle', preset('balanced'), truth),
        TextRow('rekv', preset('rekv')),
        TextRow('means', preset('balanced', retrieval='means')),
        TextRow('recent', preset('recent')),
        TextRow('livevlm', preset('livevlm')),
        TextRow('window', preset('recent', short_term_frames=window)),
        TextRow('closed', preset('balanced'), nothing),
    ]
    if quick:
        rows = [row for row in rows if row.name in QUICK_ROWS]
    rows += [_read(text, sizes) for text in texts]
    check_names([row.name for row in rows])
    return rows


def _read(text: str, sizes: Sizes) -> TextRow:
    (bare,) = read_rows((), (text,))
    given = [
        f'{"retrieval.frames" if name == "retrieval_frames" else f"memory.{name}"}={size}'
        for name, size in sizes.of(bare.config.memory.preset).items()
    ]
    (row,) = read_rows((), (text,), given=given)
    plain = engine_config()
    if replace(row.config, memory=plain.memory) != plain:
        raise BadInput(f'row {row.name}: expected settings of memory and retrieval only')
    return TextRow(row.name, row.config.memory, truth if row.oracle else everything)
