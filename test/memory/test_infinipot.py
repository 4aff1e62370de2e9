# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""InfiniPot-V's scores: what is new at its place, and what has large values."""

from collections.abc import Callable

import torch

from livevlm_ros.memory import FrameRef
from livevlm_ros.memory.infinipot import scores, tokens_to_keep


def test_a_key_like_those_at_its_place_now_is_the_least_new() -> None:
    source = torch.Generator().manual_seed(1)
    keys = torch.randn(2, 2, 12, 8, generator=source)
    values = torch.randn(2, 2, 12, 8, generator=source)
    recent = torch.randn(2, 2, 3, 4, 8, generator=source)
    places = torch.arange(12) % 4
    keys[:, :, 5] = 3 * recent[:, :, 1, 1]
    newness, norms = scores(keys, values, places, recent)
    for token in range(12):
        cosines = torch.cosine_similarity(keys[:, :, token, None], recent[:, :, :, token % 4], -1)
        torch.testing.assert_close(newness[token], -cosines.mean())
        usual = values.norm(dim=-1).mean(-1)
        torch.testing.assert_close(norms[token], (values[:, :, token].norm(dim=-1) / usual).mean())
    assert int(newness.argmin()) == 5


def test_half_of_the_budget_goes_to_each_score() -> None:
    newness = torch.tensor([9.0, 8, 0, 0, 0, 0])
    norms = torch.tensor([7.0, 0, 0, 5, 6, 0])
    assert tokens_to_keep(torch.stack((newness, norms)), budget=4).tolist() == [0, 1, 3, 4]
    assert tokens_to_keep(torch.stack((newness, norms)), budget=9).tolist() == list(range(6))


def test_a_still_scene_makes_room_for_what_passed_through_it(small: Callable, tokens) -> None:
    memory = small('livevlm', 'front', eviction='infinipot')
    still = tokens(7, 4)
    for stamp in range(1, 120):
        seen = tokens(stamp, 4) if stamp == 30 else still
        with_new = memory.step([FrameRef('front', stamp)])
        seen.attend(with_new)
        with_new.commit()
    ids = memory.state().part('long_term.0').tensors['ids']
    stamps = (memory.ids.since_ns(memory.ids.frames(ids)) + memory.ids.origin_ns).tolist()
    assert stamps.count(30) == 4
