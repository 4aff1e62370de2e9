# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_bench.facts import built_in_facts
from livevlm_bench.filler import built_in_filler
from livevlm_bench.language_model import FRAME_TOKENS, LanguageModel
from livevlm_bench.text_memory import STEP_FRAMES, Told, ask, everything, nothing, remember, truth
from livevlm_bench.text_streams import Fact, TextStream, text_stream
from livevlm_ros.memory import MemoryConfig
from livevlm_ros.memory.archive import writer

SHORT_TERM = 4


@pytest.fixture(scope='module')
def stream(text_model: LanguageModel) -> TextStream:
    kinds, filler = built_in_facts('table'), built_in_filler('table')
    return text_stream(text_model, kinds, filler, seed=3, number=0, tokens=768)


@pytest.fixture(scope='module')
def told(text_model: LanguageModel, stream: TextStream) -> Callable[..., list[tuple[Fact, Told]]]:
    """Let a memory read the stream, and ask it all questions."""

    def told(preset: str, reads: Callable = everything, **sizes: int) -> list[tuple[Fact, Told]]:
        memory = remember(text_model, stream, MemoryConfig(preset, **sizes))
        asked = [
            (fact, ask(text_model, memory, fact, reads=reads(memory, fact)))
            for fact in stream.facts
        ]
        memory.close()
        return asked

    return told


def test_reading_all_says_what_transformers_says(
    text_model: LanguageModel, stream: TextStream, told: Callable
) -> None:
    for fact, answer in told('full')[::4]:
        question = [*text_model.prefix_ids, *stream.ids, *text_model.question_ids(fact.ask)]
        ids, places = fact.answer
        with torch.inference_mode():
            logits = text_model.hf(torch.tensor([question + ids])).logits[0].float()
        shares = logits.log_softmax(dim=-1)[len(question) - 1 :]  # [what says each token of ids]
        expected = sum(float(shares[place, ids[place]]) for place in places)
        assert answer.log_share == pytest.approx(expected, abs=1e-3)
        likeliest = shares.argmax(dim=-1)
        said = all(int(likeliest[place]) == ids[place] for place in places)
        assert answer.right is (said if fact.spans else None)
        assert answer.tokens_read == len(stream.ids)


@pytest.mark.parametrize('short_term', [SHORT_TERM, 40])
def test_an_oracle_reads_the_facts_frames_and_short_term(
    stream: TextStream, told: Callable, short_term: int
) -> None:
    for fact, answer in told('rekv', truth, short_term_frames=short_term):
        newest = set(range(stream.frames - short_term, stream.frames))
        assert answer.tokens_read == FRAME_TOKENS * len(newest | fact.frames)
        assert answer.recall == (1.0 if fact.spans else None)


def test_closed_book_reads_nothing(told: Callable) -> None:
    for fact, answer in told('recent', nothing, short_term_frames=SHORT_TERM):
        assert answer.tokens_read == 0
        assert answer.recall == (0.0 if fact.spans else None)


def test_recall_is_the_share_of_the_needed_tokens_that_are_read(
    stream: TextStream, told: Callable
) -> None:
    first = FRAME_TOKENS * (stream.frames - 10)
    for fact, answer in told('recent', short_term_frames=10):
        if fact.spans:
            held = [place >= first for place in fact.needed]
            assert answer.recall == pytest.approx(sum(held) / len(held))


def test_what_was_not_said_is_neither_right_nor_wrong(told: Callable) -> None:
    for fact, answer in told('recent', short_term_frames=SHORT_TERM):
        assert (answer.right is None) == (fact.type == 'not_said')
        assert answer.sure <= 0 and answer.log_share < 0


def test_a_value_that_begins_the_answer_is_scored_too(
    text_model: LanguageModel, stream: TextStream
) -> None:
    memory = remember(text_model, stream, MemoryConfig('recent', short_term_frames=SHORT_TERM))
    fact = next(fact for fact in stream.facts if fact.spans)
    tokens = text_model.tokens(fact.value, begin=0, end=len(fact.value))
    begins = Fact('single', fact.ask, tokens, fact.value, 2, fact.spans, fact.needed)
    told = ask(text_model, memory, begins, reads=everything(memory, begins))
    assert len(tokens.places) == len(tokens.ids) and told.log_share < 0


def test_no_frame_is_lost_to_an_archive_that_writes_slowly(
    text_model: LanguageModel, stream: TextStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, 'MOST_WAITING', STEP_FRAMES)
    memory = remember(text_model, stream, MemoryConfig('rekv', short_term_frames=SHORT_TERM))
    archived = memory.sizes().archive_tokens
    assert archived == len(stream.ids) - SHORT_TERM * FRAME_TOKENS


def test_a_frame_that_cannot_be_archived_ends_the_measurement(
    text_model: LanguageModel, stream: TextStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, 'MOST_WAITING', STEP_FRAMES - 1)
    with pytest.raises(RuntimeError, match='frames were not archived'):
        remember(text_model, stream, MemoryConfig('rekv', short_term_frames=SHORT_TERM))
