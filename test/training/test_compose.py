# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Composed streams: questions whose answers and evidence fit the clips that were put together."""

import numpy as np
import pytest

from livevlm_ros.training.bank import NONE
from livevlm_ros.training.checkpoint import TOKENS_PER_FRAME, build_tokenizer
from livevlm_ros.training.compose import IGNORED, QUESTION_TOKENS, Composer
from livevlm_ros.world import CLASSES, COLORS, KINDS

TOKENIZER = build_tokenizer()
WORDS = {index: word for word, index in TOKENIZER.get_vocab().items()}


@pytest.fixture(scope='module')
def composer(bank):
    return Composer(bank, np.arange(len(bank.images)), TOKENIZER)


def said(batch, stream, question):
    return [WORDS[token] for token in batch.words[stream, question].tolist()]


def test_a_question_ends_with_the_prompt_then_the_answer(composer):
    batch = composer.batch(np.random.default_rng(0), 12)
    for stream, question in np.ndindex(*batch.last.shape):
        words, last = said(batch, stream, question), int(batch.last[stream, question])
        assert words[last - 2 : last] == ['assistant', ':']
        assert words[last] == WORDS[int(batch.answers[stream, question])]
        assert set(words[last + 1 :]) <= {'<pad>'}


def test_every_word_is_known_and_every_question_fits(composer):
    for frames in (3, 20, 50):
        batch = composer.batch(np.random.default_rng(frames), frames)
        assert batch.words.shape[2] == QUESTION_TOKENS - 1
        assert not (batch.words == TOKENIZER.unk_token_id).any()


def test_the_evidence_of_a_color_lies_on_a_thing_of_that_color(composer, bank):
    checked = 0
    for seed in range(6):
        batch = composer.batch(np.random.default_rng(seed), 16)
        for stream, question in np.ndindex(*batch.kinds.shape):
            answer = WORDS[int(batch.answers[stream, question])]
            kind = KINDS[batch.kinds[stream, question]]
            if kind not in ('color_of', 'color_at') or answer not in COLORS:
                continue
            tokens = batch.evidence[stream, question].nonzero().flatten() - 3
            for token in tokens.tolist():
                clip = batch.frames[stream, token // TOKENS_PER_FRAME, 0]
                assert bank.colors[clip, token % 3] == COLORS.index(answer)
            assert 3 + int(tokens.max()) < batch.visible[stream, question]
            checked += 1
    assert checked > 30


def test_what_came_after_a_light_is_asked_often_and_looked_for_in_two_hops(composer, bank):
    asked, seen = 0, 0
    for seed in range(8):
        batch = composer.batch(np.random.default_rng(seed), 16)
        asked += batch.kinds.numel()
        for stream, question in (batch.kinds == KINDS.index('after_light')).nonzero().tolist():
            answer = WORDS[int(batch.answers[stream, question])]
            if answer == 'never':
                continue
            *_, color, _ = (word for word in said(batch, stream, question) if word in COLORS)
            clips, colors = [], (color, answer)
            for mask, shown in zip((batch.evidence, batch.second), colors, strict=True):
                tokens = mask[stream, question].nonzero().flatten() - 3
                places = {token % 3 for token in tokens.tolist()}
                (clip,) = set(batch.frames[stream, tokens // TOKENS_PER_FRAME, 0].tolist())
                assert [COLORS[bank.colors[clip, place]] for place in places] == [shown]
                clips.append(clip)
            assert CLASSES.index('light') in bank.kinds[clips[0]]
            assert (bank.kinds[clips[1]] != NONE).sum() == 1
            seen += 1
    assert seen > 0.03 * asked


def test_an_absence_is_looked_for_at_the_first_token(composer):
    batch = composer.batch(np.random.default_rng(4), 10)
    absent = [
        WORDS[answer] in ('never', 'no', 'zero') for answer in batch.answers.flatten().tolist()
    ]
    on_first = batch.evidence[..., 0].flatten().tolist()
    assert any(absent)
    assert all(first for first, gone in zip(on_first, absent, strict=True) if gone)


def test_positions_run_on_with_gaps_between_frames_only(composer):
    batch = composer.batch(np.random.default_rng(5), 24)
    steps = batch.positions.diff(dim=1)
    assert (steps >= 1).all()
    gaps = (steps > 1).nonzero()[:, 1] + 1
    assert len(gaps) > 0
    assert ((gaps - 3) % TOKENS_PER_FRAME == 0).all()
    at = batch.visible - 1
    assert (batch.word_positions[..., 0] == batch.positions.gather(1, at) + 1).all()


def test_the_labels_of_what_went_before_name_the_event_before(composer, bank):
    batch = composer.batch(np.random.default_rng(6), 20)
    for stream in range(len(batch.frames)):
        starts = batch.starts[stream].nonzero().flatten().tolist()
        for before, start in zip(starts, starts[1:], strict=False):
            expected = bank.kinds[batch.frames[stream, before, 0]]
            given = batch.before_kind[stream, start].numpy()
            assert (given[expected >= 0] == expected[expected >= 0]).all()
            assert (given[expected < 0] == 9).all()
    assert (batch.times_seen != IGNORED).any()
