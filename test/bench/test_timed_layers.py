# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_bench.timed_layers import Language, embedded_language
from livevlm_ros.memory import Memory, MemoryConfig


def test_the_first_token_is_the_likeliest_after_the_question(
    language: Callable[..., Language],
) -> None:
    small = language()
    memory = Memory(MemoryConfig('recent'), small.shape, ('front',))
    with torch.inference_mode():
        view = memory.question(extra_tokens=len(small.question))
        scores = small.logits(small.read(small.question, view))
    ((token, view),) = small.answer(small.question, memory, tokens=1)
    assert token == scores.argmax() and view.tokens_read == [0] * small.shape.layers


def test_each_token_of_an_answer_is_the_likeliest_after_those_before(
    language: Callable[..., Language],
) -> None:
    small = language()
    memory = Memory(MemoryConfig('recent'), small.shape, ('front',))
    said = [token for token, _ in small.answer(small.question, memory, tokens=4)]
    for number in range(1, 4):
        spoken = small.embed(torch.tensor(said[:number]))
        longer = torch.cat((small.question, spoken)).detach()
        ((token, _),) = small.answer(longer, memory, tokens=1)
        assert token == said[number]


def test_another_number_is_another_question_as_large(language: Callable[..., Language]) -> None:
    small = language(torch.bfloat16)
    first, second = (small.another_question(number) for number in (-1, 2))
    assert first.equal(small.another_question(-1)) and not first.equal(second)
    for question in (first, second):
        assert question.shape == small.question.shape and question.dtype == small.dtype
        assert float(question.float().std() / small.question.float().std()) == pytest.approx(
            1.0, rel=0.1
        )


def test_the_embedded_model_comes_with_its_settings() -> None:
    embedded = embedded_language()
    assert embedded.settings and embedded.shape.tokens_per_frame == 9
    assert len(embedded.prefix) and 15 <= len(embedded.question) <= 25
