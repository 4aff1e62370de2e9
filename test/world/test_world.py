# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The world: deterministic, seeds of evaluation and training apart, truths that follow events."""

from hashlib import sha256

import numpy as np
import pytest

from livevlm_ros.world import World
from livevlm_ros.world.world import TRAINING


def test_the_same_seed_gives_the_same_stream():
    one, two = World(5, 60), World(5, 60)
    assert one.events == two.events
    assert np.array_equal(one.image(12.5, (160, 120)), two.image(12.5, (160, 120)))
    assert one.questions(count=12) == two.questions(count=12)


def test_training_and_evaluation_draw_from_different_streams():
    for seed in range(20):
        assert World(seed, 60).events != World(seed, 60, namespace=TRAINING).events


def test_frames_in_and_out_of_an_event_differ_where_its_thing_stands():
    world = World(5, 120)
    event = next(e for e in world.events if len(e.things) == 1 and e.things[0].place == 'left')
    inside = world.image((event.start + event.end) / 2, (96, 96)).astype(int)
    empty = next(t for t in np.arange(0.0, 120) if world.event_at(t) is None)
    outside = world.image(empty, (96, 96)).astype(int)
    changed = np.abs(inside - outside).mean(axis=2)
    assert changed[45:90, :32].mean() > 1.3 * changed[45:90, 64:].mean()


@pytest.mark.parametrize('size', [(96, 72), (320, 240), (640, 480), (1280, 960)])
def test_a_frame_has_the_size_that_was_asked_for(size):
    image = World(1, 10).image(3.0, size)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8


def test_the_history_holds_only_what_a_frame_has_shown():
    world = World(8, 60)
    at = world.events[3].start
    assert world.history(at - 0.5).events == tuple(world.events[:3])
    assert world.history(at).events == tuple(world.events[:4])
    assert world.history(at).now == world.events[3]


@pytest.mark.parametrize('fps', [0.1, 0.25, 0.3, 0.7, 1.0, 1.5, 10.0, 30.0, 1000.0])
def test_an_event_is_seen_when_a_frame_falls_into_it(fps):
    for seed in range(20):
        world = World(seed, 60)
        shown = [world.event_at(frame / fps) for frame in range(int(60 * fps))]
        expected = [event for event in world.events if event in set(shown)]
        assert list(world.history((len(shown) - 1) / fps, fps=fps).events) == expected


def test_questions_at_a_frame_a_second_are_those_that_models_were_measured_on():
    asked = World(5, 64).questions(count=24)
    text = repr([(q.id, q.at, q.question, q.answer, q.evidence) for q in asked])
    assert sha256(text.encode()).hexdigest()[:16] == '5c5440bce6e6e19e'


def test_answers_change_with_the_time_a_question_is_asked_at():
    world = World(8, 200)
    question = next(q for q in world.questions(count=60) if q.type == 'count_now')
    counts = {world.answers(question, t) for t in range(200)}
    assert {('zero',), ('one',)} <= counts
    assert world.answers(question, question.at) == question.answer


@pytest.mark.parametrize(('seed', 'seconds'), [(-1, 10), (1, 0)])
def test_a_world_refuses_numbers_that_make_no_stream(seed, seconds):
    with pytest.raises(ValueError, match='seed must be'):
        World(seed, seconds)
