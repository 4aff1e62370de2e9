# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_bench.filling import filled
from livevlm_bench.imposing import ImposedView
from livevlm_bench.language import Language

FRAMES = 140
PAGES = {'livevlm': 16, 'balanced': 16, 'rekv': 18}


@pytest.mark.parametrize('preset', PAGES)
def test_each_layer_reads_as_many_pages_as_it_is_told(
    language: Callable[..., Language], preset: str
) -> None:
    small = language()
    memory = filled(small, preset=preset, frames=FRAMES)
    views = [memory.question(extra_tokens=20, asked=str(number)) for number in range(2)]
    counts = ([3, 3, 3, 3], [1, 7, 2, 12])
    for view, told in zip(views, counts, strict=True):
        small.first_token(ImposedView(view, told))
    memory.close()
    few, many = (view.tokens_read for view in views)
    more = [told - 3 for told in counts[1]]
    assert [b - a for a, b in zip(few, many, strict=True)] == [
        PAGES[preset] * pages for pages in more
    ]


def test_no_more_is_read_than_the_memory_allows(language: Callable[..., Language]) -> None:
    small = language()
    memory = filled(small, preset='livevlm', frames=FRAMES)
    own, told = (memory.question(extra_tokens=20) for _ in range(2))
    small.first_token(own)
    small.first_token(ImposedView(told, [10_000] * 4))
    assert told.tokens_read == own.tokens_read


def test_the_pages_read_are_the_best_ones(language: Callable[..., Language]) -> None:
    small = language()
    memory = filled(small, preset='livevlm', frames=FRAMES)
    q, k, v = (torch.randn(heads, 20, 8) for heads in (4, 2, 2))

    @torch.inference_mode()
    def read(count: int) -> set[int]:
        view = memory.question(extra_tokens=20)
        ImposedView(view, [count] * 4).attend(0, q, k, v)
        return set(view._read[0].tolist())

    assert read(2) < read(5) < read(9)


def test_afterwards_a_question_chooses_for_itself(language: Callable[..., Language]) -> None:
    small = language()
    memory = filled(small, preset='livevlm', frames=FRAMES)
    before, told, after = (memory.question(extra_tokens=20) for _ in range(3))
    small.first_token(before)
    with torch.inference_mode(), pytest.raises(ValueError, match='expected q'):
        ImposedView(told, [1] * 4).attend(0, *(torch.zeros(3, 20, 8),) * 3)
    small.first_token(after)
    assert after.tokens_read == before.tokens_read
