# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The feed: batches of the lengths asked for, the same each time, by workers or without."""

import dataclasses
from contextlib import closing

import numpy as np
import pytest
import torch

from livevlm_ros.training.checkpoint import build_tokenizer
from livevlm_ros.training.compose import Composer
from livevlm_ros.training.feed import AHEAD, Feed


@pytest.fixture(scope='module')
def composer(bank):
    return Composer(bank, np.arange(len(bank.images)), build_tokenizer(), tokens=1500)


def columns(batch):
    return [getattr(batch, field.name) for field in dataclasses.fields(batch)]


def test_a_feed_without_workers_composes_what_its_composer_would(composer):
    with closing(Feed(composer, [4, 1], workers=0)) as feed:
        given = feed.next(lambda rng: int(rng.integers(5, 9)))
    rng = np.random.default_rng([4, 1])
    expected = composer.batch(rng, int(rng.integers(5, 9)))
    assert all(map(torch.equal, columns(given), columns(expected)))


def test_workers_compose_ahead_and_keep_the_order(composer):
    asked_for = []

    def choose_frames(rng):
        asked_for.append(int(rng.integers(3, 12)))
        return asked_for[-1]

    with closing(Feed(composer, [4, 2], workers=1)) as feed:
        first = [feed.next(choose_frames) for _ in range(4)]
    assert [batch.frames.shape[1] for batch in first] == asked_for[:4]
    assert len(asked_for) == AHEAD + 3
    with closing(Feed(composer, [4, 2], workers=2)) as feed:
        second = [feed.next(choose_frames) for _ in range(4)]
    for one, other in zip(first, second, strict=True):
        assert all(map(torch.equal, columns(one), columns(other)))
