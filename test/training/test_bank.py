# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The clip bank: labels that fit the clips, kept on disk between runs."""

import os

import numpy as np

from livevlm_ros.training import bank as bank_module
from livevlm_ros.training.bank import FRAMES_A_CLIP, film_bank


def test_the_things_of_a_clip_are_those_of_its_labels(bank):
    assert {len(bank.things(clip)) for clip in range(len(bank.images))} == {0, 1, 2, 3}
    for clip in range(len(bank.images)):
        things = bank.things(clip)
        assert (
            len({thing.kind for thing in things}) == len(things) == (bank.kinds[clip] >= 0).sum()
        )


def test_a_bank_is_filmed_once(tmp_path):
    first = film_bank(tmp_path, clips=4, seed=1, side=96)
    stamp = next(tmp_path.glob('*.u8')).stat().st_mtime_ns
    again = film_bank(tmp_path, clips=4, seed=1, side=96)
    assert next(tmp_path.glob('*.u8')).stat().st_mtime_ns == stamp
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.kinds, again.kinds)


def test_another_seed_films_other_clips(tmp_path):
    one = film_bank(tmp_path, clips=4, seed=1, side=96)
    two = film_bank(tmp_path, clips=4, seed=2, side=96)
    assert one.images.shape == (4, FRAMES_A_CLIP, 96, 96, 3)
    assert not np.array_equal(one.images, two.images)


def test_processes_film_the_same_clips(tmp_path, monkeypatch):
    alone = film_bank(tmp_path / 'alone', clips=5, seed=1, side=96)
    monkeypatch.setattr(bank_module, 'CLIPS_A_JOB', 3)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0, 1})
    shared = film_bank(tmp_path / 'shared', clips=5, seed=1, side=96)
    assert np.array_equal(alone.images, shared.images)
    assert np.array_equal(alone.kinds, shared.kinds)
    assert np.array_equal(alone.colors, shared.colors)
