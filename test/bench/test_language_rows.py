# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_bench.language_rows import QUICK_ROWS, TextRow, sizes_for, table_rows
from livevlm_bench.text_memory import everything, truth
from livevlm_ros.memory import MemoryConfig
from livevlm_ros.replay.errors import BadInput


def _row(rows: list[TextRow], name: str) -> TextRow:
    (row,) = (row for row in rows if row.name == name)
    return row


@pytest.mark.parametrize(('tokens', 'most'), [(1536, 0.25), (6144, 0.07)])
def test_a_question_reads_no_more_of_a_stream_than_we_promise(tokens: int, most: float) -> None:
    sizes = sizes_for(tokens)
    assert 16 * (sizes.short_term + sizes.retrieved) <= most * tokens


def test_all_but_full_and_oracle_read_as_much() -> None:
    rows = table_rows(1536)
    config = _row(rows, 'balanced').config
    assert (config.short_term_frames, config.retrieval_frames) == (8, 12)
    for name in ('livevlm', 'rekv', 'means'):
        other = _row(rows, name).config
        assert (other.short_term_frames, other.retrieval_frames) == (8, 12)
    assert _row(rows, 'window').config.short_term_frames == 20
    assert _row(rows, 'means').config.retrieval == 'means'


def test_budgets_are_half_of_the_presets_in_short_streams() -> None:
    for tokens, share in ((1536, 0.5), (6144, 1.0)):
        for preset in ('livevlm', 'balanced'):
            given = _row(table_rows(tokens), preset).config.long_term_frames
            assert given == int(share * MemoryConfig(preset).long_term_frames)


def test_an_oracle_and_closed_book_ask_the_memory_of_balanced() -> None:
    rows = table_rows(1536)
    for name in ('oracle', 'closed'):
        assert _row(rows, name).config == _row(rows, 'balanced').config


def test_the_short_form_has_few_rows() -> None:
    assert [row.name for row in table_rows(1536, quick=True)] == list(QUICK_ROWS)


def test_further_rows_have_the_sizes_of_the_others_and_their_own_settings() -> None:
    texts = ('few=balanced retrieval.frames=3', 'best=rekv oracle=true memory.archive_bits=8')
    few, best = table_rows(1536, texts=texts, quick=True)[-2:]
    assert few.config.retrieval_frames == 3 and few.config.short_term_frames == 8
    assert few.reads is everything and best.reads is truth
    assert best.config.archive_bits == 8 and best.config.retrieval_frames == 12


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('balanced=balanced', 'given twice'),
        ('gate=balanced ingest.gate=true', 'memory and retrieval only'),
        ('other=nothing', 'preset'),
        ('words', 'expected NAME=PRESET'),
    ],
)
def test_what_is_no_row_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        table_rows(1536, texts=(text,))
