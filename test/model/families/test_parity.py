# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A family read as a stream says what transformers says of the whole video at once."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.families import open_family

QUESTION = 'what color was the car'
TOLERANCE = 1e-4


@pytest.mark.parametrize('preset', ['full', 'recent'])
@pytest.mark.parametrize('steps', [[1] * 8, [3, 1, 4], [8]])
def test_logits_equal_transformers_own(
    family: Any, preset: str, steps: list[int], watch: Callable, ask: Callable
) -> None:
    model = load_model(ModelConfig(str(family.folder)))
    logits, _ = ask(model, watch(model, family.frames, steps, preset=preset), QUESTION)
    assert family.logits.std() > 0.1  # the checkpoint says something
    assert (logits - family.logits).abs().max() < TOLERANCE


def test_greedy_answers_equal_generate(family: Any, watch: Callable) -> None:
    model = load_model(ModelConfig(str(family.folder)))
    memory = watch(model, family.frames, [1] * 8, preset='full')
    prompt = model.question(QUESTION)
    view = memory.question(extra_tokens=prompt.tokens + 16)
    tokens = model.answer_tokens(model.read(prompt.embeds, view), view, temperature=0.0)
    ours = [token.id for token in islice(tokens, 16)]
    assert ours == family.reference(family.folder).answer(family.frames, tokens=16)
    assert len(set(ours)) > 1


@pytest.mark.parametrize('preset', ['livevlm', 'balanced', 'rekv'])
def test_a_question_that_looks_back_reads_whole_frames(
    family: Any, watch: Callable, preset: str
) -> None:
    model, frames = load_model(ModelConfig(str(family.folder))), [*family.frames, *family.frames]
    long = {} if preset == 'rekv' else {'long_term_frames': 3}
    memory = watch(
        model, frames, [1] * 16, preset=preset, short_term_frames=4, retrieval_frames=3, **long
    )
    memory.settle()
    prompt = model.question(QUESTION)
    for view in memory.readings(tokens=prompt.tokens, extra_tokens=prompt.tokens):
        hidden = model.read(prompt.embeds, view)
    assert torch.isfinite(model.logits(hidden)).all()
    for layer in range(3):
        _, counts = memory.ids.frames(view.ids(layer)).unique(return_counts=True)
        assert counts.tolist() == [model.shape.tokens_per_frame] * 7
    memory.close()


@pytest.mark.parametrize('bits', [8, 4])
def test_fewer_bits_say_what_the_same_weights_say(
    family: Any, tmp_path: Path, lowered: Callable, bits: int
) -> None:
    folder = family.save(tmp_path, *family.wide)
    same, own = lowered(folder, family.frames, QUESTION, bits)
    assert same.largest < 0.1 and same.equal > 0.8
    assert own.typical < {8: 0.05, 4: 0.7}[bits]


def test_the_plan_is_what_is_loaded(family: Any, planned: Callable) -> None:
    planned(family.folder)


@pytest.mark.parametrize(
    ('family', 'hours', 'said'),
    [
        ('smolvlm', 1, '60:00'),
        ('smolvlm', 1.5, '90:00'),
        ('smolvlm', 2, '20:00'),
        ('qwen3_vl', 1, '03600.0'),
        ('qwen3_vl', 25, '90000.0'),
        ('qwen3_vl', 28, '00800.0'),
    ],
    indirect=['family'],
)
def test_a_frame_has_as_many_tokens_after_hours(family: Any, hours: float, said: str) -> None:
    opened = open_family(family.folder)
    late = opened.frame_text(hours * 3600)
    assert said in opened.tokenizer.decode(late.before)
    assert len(late.before) == len(opened.frame_text(0.0).before)
