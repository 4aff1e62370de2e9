# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_kernels.page_scores import page_scores, page_scores_torch

Draw = Callable[..., tuple[Tensor, Tensor]]


def score_by_score(q: Tensor, means: Tensor, chosen: list[int]) -> Tensor:
    """Score pages as the equation is written, one head and one token at a time."""
    pages, kv_heads, dim = means.shape
    group = len(q) // kv_heads
    scores = torch.zeros(kv_heads, pages)
    for head, queries in enumerate(q.float()):
        for query in queries:
            logits = torch.stack([query @ means[page, head // group].float() for page in chosen])
            share = (logits / dim**0.5).softmax(0) / (group * len(queries))
            scores[head // group, chosen] += share
    return scores


@pytest.mark.parametrize(
    ('q_heads', 'kv_heads', 'tokens', 'pages', 'dim'),
    [(4, 2, 5, 12, 64), (14, 2, 3, 7, 64), (3, 3, 1, 1, 32), (7, 1, 4, 9, 128)],
)
def test_a_score_is_the_mean_share_of_attention(
    draw: Draw, q_heads: int, kv_heads: int, tokens: int, pages: int, dim: int
) -> None:
    q, means = draw(q_heads, kv_heads, tokens, pages, dim)
    expected = score_by_score(q, means, list(range(pages)))
    torch.testing.assert_close(page_scores(q, means), expected, rtol=1e-5, atol=1e-6)


def test_only_pages_that_may_be_chosen_take_part(draw: Draw) -> None:
    q, means = draw(4, 2, 5, 12, 64)
    chosen = [0, 3, 4, 11]
    mask = torch.zeros(12, dtype=torch.bool)
    mask[chosen] = True
    scores = page_scores(q, means, mask=mask)
    expected = score_by_score(q, means, chosen)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-6)
    assert not scores[:, ~mask].any()


def test_pages_in_several_tensors_are_scored_as_one(draw: Draw) -> None:
    q, means = draw(4, 2, 5, 12, 64)
    mask = torch.arange(12) % 3 > 0
    parts = (means[:5].half(), means[5:5], means[5:])
    expected = page_scores(q, torch.cat([part.float() for part in parts]), mask=mask)
    torch.testing.assert_close(page_scores(q, *parts, mask=mask), expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_the_scores_of_a_kv_head_sum_to_one(draw: Draw, dtype: torch.dtype) -> None:
    q, means = draw(14, 2, 20, 1001, 64, dtype=dtype)
    scores = page_scores(q, means)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.sum(1), torch.ones(2))


def test_half_types_are_multiplied_and_summed_in_float32(draw: Draw) -> None:
    q, means = draw(14, 2, 20, 101, 64, dtype=torch.bfloat16)
    expected = page_scores(q.float(), means.float())
    torch.testing.assert_close(page_scores(q, means), expected, rtol=1e-6, atol=0)


def test_without_a_page_to_choose_every_score_is_zero(draw: Draw) -> None:
    q, means = draw(4, 2, 5, 12, 64)
    assert torch.equal(page_scores(q, means, mask=torch.zeros(12).bool()), torch.zeros(2, 12))
    assert page_scores(q, means[:0]).shape == (2, 0)


def test_the_arguments_are_left_as_they_were(draw: Draw) -> None:
    q, means = draw(4, 2, 5, 12, 64)
    mask = torch.arange(12) % 3 == 0
    before = [x.clone() for x in (q, means, mask)]
    page_scores(q, means, mask=mask)
    assert all(map(torch.equal, before, (q, means, mask)))


@pytest.mark.parametrize(
    ('q', 'means', 'mask', 'words'),
    [
        ((5, 3, 32), (6, 2, 32), None, r'multiple of kv_heads, got \[5, 3, 32\]'),
        ((4, 3, 32), (6, 2, 64), None, r'same dim.* and \[6, 2, 64\]'),
        ((4, 0, 32), (6, 2, 32), None, r'at least one token.* got \[4, 0, 32\]'),
        ((4, 3, 32), (6, 2, 32), torch.ones(5).bool(), r'mask of 6 pages, got torch.bool \[5\]'),
        ((4, 3, 32), (6, 2, 32), torch.ones(6), r'bool mask of 6 pages, got torch.float32'),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    q: tuple[int, ...], means: tuple[int, ...], mask: Tensor | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        page_scores(torch.ones(q), torch.ones(means), mask=mask)


def test_triton_is_not_needed() -> None:
    code = (
        'import sys; sys.modules["triton"] = None; import torch; '
        'from livevlm_kernels.page_scores import page_scores; '
        'print(page_scores(torch.ones(2, 1, 32), torch.ones(4, 1, 32)).tolist())'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == '[[0.25, 0.25, 0.25, 0.25]]\n'


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_tensors_on_a_gpu_are_scored_there(draw: Draw) -> None:
    q, means = (x.cuda() for x in draw(14, 2, 20, 1001, 64))
    scores = page_scores(q, means)
    assert scores.is_cuda
    torch.testing.assert_close(scores, page_scores_torch(q, means), rtol=1e-4, atol=1e-7)
