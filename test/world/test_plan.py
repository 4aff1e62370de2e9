# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The script of a stream: events in order, apart, with distractors and empty stretches."""

from itertools import pairwise

import numpy as np
import pytest

from livevlm_ros.world.plan import plan_events
from livevlm_ros.world.scene import CLASSES, Event, colors_of


@pytest.fixture(scope='module')
def streams() -> list[list[Event]]:
    return [plan_events(np.random.default_rng(seed), 256.0) for seed in range(30)]


def test_events_follow_each_other_and_stay_inside_the_stream(streams):
    for events in streams:
        assert all(a.end <= b.start for a, b in pairwise(events))
        assert all(0 <= e.start < e.end <= 256 and e.things for e in events)


def test_no_class_stands_in_two_events_that_touch(streams):
    for events in streams:
        for before, after in pairwise(events):
            if before.end == after.start:
                kinds = {thing.kind for thing in before.things}
                assert kinds.isdisjoint(thing.kind for thing in after.things)


def test_an_event_has_no_place_and_no_class_twice(streams):
    for event in (event for events in streams for event in events):
        assert len({thing.place for thing in event.things}) == len(event.things)
        assert len({thing.kind for thing in event.things}) == len(event.things)
        assert all(thing.color in colors_of(thing.kind) for thing in event.things)


def test_some_classes_keep_coming_back_and_others_appear_once(streams):
    for events in streams:
        times = [sum(e.of_kind(kind) is not None for e in events) for kind in CLASSES]
        assert max(times) >= 8
        assert times.count(1) >= 1


def test_streams_have_empty_stretches(streams):
    filled = np.mean([sum(e.end - e.start for e in events) / 256 for events in streams])
    assert 0.55 < filled < 0.85
