# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, RetrievalSettings
from livevlm_ros.memory.retrieval import ENOUGH_MASS, choose, page_means, relevance
from livevlm_ros.memory.rotary import RotaryTable

PAPER = RetrievalSettings()


def _random(seed: int, *, pages: int = 12, asked: int = 5) -> tuple[Tensor, Tensor]:
    """Return queries [4, asked, 8] and mean keys [pages, 2, 8]."""
    source = torch.Generator().manual_seed(seed)
    q = torch.randn(4, asked, 8, generator=source)
    return q, torch.randn(pages, 2, 8, generator=source)


def _mass(q: Tensor, means: Tensor) -> Tensor:
    """Attention on pages, query by query, [pages]."""
    rows = [
        (means[:, head // 2] @ q[head, token] / 8**0.5).softmax(0)
        for head in range(4)
        for token in range(q.shape[1])
    ]
    return torch.stack(rows).mean(0)


def test_the_mean_of_a_page_is_that_of_its_own_tokens() -> None:
    keys = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(0))
    means = page_means(keys, page_tokens=4)
    assert means.shape == (3, 2, 8)
    for page in range(3):
        torch.testing.assert_close(means[page], keys[:, 4 * page : 4 * page + 4].mean(1))


def test_relevance_by_mass_is_the_share_of_attention_that_the_mean_query_pays() -> None:
    q, means = _random(1)
    scores = relevance(q, means, settings=PAPER)
    torch.testing.assert_close(scores, _mass(q.mean(dim=1, keepdim=True), means))
    assert scores.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize('score', ['mass', 'cosine'])
def test_pooling_last_asks_with_the_last_token_alone(score: str) -> None:
    q, means = _random(2)
    last = relevance(q, means, settings=RetrievalSettings(pooling='last', score=score))
    alone = relevance(q[:, -1:], means, settings=RetrievalSettings(score=score))
    torch.testing.assert_close(last, alone)
    assert not torch.allclose(last, relevance(q, means, settings=RetrievalSettings(score=score)))


def test_relevance_by_cosine_is_that_of_mean_key_and_mean_query_over_all_heads() -> None:
    q, means = _random(3)
    scores = relevance(q, means, settings=RetrievalSettings(score='cosine'))
    wanted = torch.cat([q[head].mean(0) for head in range(4)])
    for page in range(12):
        offered = torch.cat([means[page, head // 2] for head in range(4)])
        cosine = wanted @ offered / wanted.norm() / offered.norm()
        assert scores[page].item() == pytest.approx(cosine.item(), abs=1e-6)


@pytest.mark.parametrize('score', ['mass', 'cosine'])
def test_pages_that_may_not_be_read_take_no_share_and_cannot_win(score: str) -> None:
    q, means = _random(4)
    allowed = torch.arange(12) % 3 > 0
    settings = RetrievalSettings(score=score)
    scores = relevance(q, means, settings=settings, allowed=allowed)
    assert (scores[~allowed] == -math.inf).all()
    torch.testing.assert_close(scores[allowed], relevance(q, means[allowed], settings=settings))


def test_where_no_page_may_be_read_none_is_chosen() -> None:
    q, means = _random(5)
    scores = relevance(q, means, settings=PAPER, allowed=torch.zeros(12, dtype=torch.bool))
    assert choose(scores, most=5, least=3, mass=0.9).tolist() == []


SCORES = torch.tensor([0.05, 0.50, 0.06, 0.30, 0.09])


@pytest.mark.parametrize(
    ('amount', 'pages'),
    [
        ({'most': 2}, [1, 3]),
        ({'most': 9}, [0, 1, 2, 3, 4]),
        ({'most': 9, 'mass': 0.9}, [1, 2, 3, 4]),
        ({'most': 9, 'mass': 0.85}, [1, 3, 4]),
        ({'most': 9, 'mass': 0.4}, [1]),
        ({'most': 3, 'mass': 0.9}, [1, 3, 4]),
        ({'most': 9, 'least': 3, 'mass': 0.4}, [1, 3, 4]),
    ],
)
def test_the_best_pages_are_chosen_in_order_of_time(amount: dict, pages: list[int]) -> None:
    assert choose(SCORES, **amount).tolist() == pages


def test_pages_out_of_reach_do_not_fill_the_least() -> None:
    scores = SCORES.masked_fill(torch.tensor([True, False, True, True, True]), -math.inf)
    assert choose(scores, most=4).tolist() == [1]
    assert choose(scores, most=4, least=3, mass=0.9).tolist() == [1]


@pytest.mark.parametrize('seed', range(20))
def test_an_adaptive_choice_is_the_smallest_that_holds_the_mass(seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    scores = (torch.randn(40, generator=source) * (1 + seed / 4)).softmax(0)
    chosen = scores[choose(scores, most=40, mass=ENOUGH_MASS)]
    assert chosen.sum() >= ENOUGH_MASS > chosen.sum() - chosen.min()
    assert chosen.min() >= scores.topk(len(chosen)).values.min()


def _planted(shape: CacheShape, *, rotated: bool) -> int:
    """Rank of a page of keys that equal the query, kept here and there along a long stream."""
    source = torch.Generator().manual_seed(7)
    pages, size = 200, 16
    query = torch.randn(8, generator=source)
    query[[2, 3, 6, 7]] = 0.0  # what is left are the pairs that position turns the fastest
    keys = torch.randn(2, pages * size, 8, generator=source)
    keys[:, 40 * size : 41 * size] = query
    places = torch.rand(pages * size, generator=source).mul(8000).long().sort().values
    q = query.expand(4, 3, 8)
    if rotated:
        table = RotaryTable(shape, device=torch.device('cpu'), dtype=torch.float32)
        table.reserve(8003)
        turned = [
            table.rotate(keys[:, i : i + 1], first=place, out=torch.empty(2, 1, 8))
            for i, place in enumerate(places.tolist())
        ]
        keys = torch.cat(turned, 1)
        q = table.rotate(q, first=8000, out=torch.empty(4, 3, 8))
    scores = relevance(q, page_means(keys, page_tokens=size), settings=PAPER)
    return int((scores > scores[40]).sum())


def test_a_page_that_equals_the_query_is_found_before_rotary_and_lost_after(
    shape: CacheShape,
) -> None:
    assert _planted(shape, rotated=False) == 0
    assert _planted(shape, rotated=True) > 0


def test_settings_of_a_checkpoint_say_how_pages_are_found() -> None:
    read = RetrievalSettings.from_settings
    assert read({}) == read({'retrieval': None}) == RetrievalSettings(16, 'mean', 'mass')
    entry = {'page_tokens': 4, 'pooling': 'last', 'score': 'cosine'}
    assert read({'retrieval': entry}) == RetrievalSettings(4, 'last', 'cosine')


@pytest.mark.parametrize(
    ('entry', 'said'),
    [
        ({'page_tokens': 3}, 'retrieval.page_tokens must be a power of two up to 64, got 3'),
        ({'page_tokens': 128}, 'got 128'),
        ({'page_tokens': True}, 'got True'),
        ({'page_tokens': 4.0}, 'got 4.0'),
        ({'pooling': 'max'}, "retrieval.pooling must be one of mean, last, got 'max'"),
        ({'score': 'dot'}, "retrieval.score must be one of mass, cosine, got 'dot'"),
        ({'pages': 4}, 'takes the keys page_tokens, pooling, score'),
        ([4], 'takes the keys'),
    ],
)
def test_settings_no_page_can_have_are_refused_by_name(entry: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RetrievalSettings.from_settings({'retrieval': entry})
