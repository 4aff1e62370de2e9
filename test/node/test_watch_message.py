# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace

from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.node.watch_message import to_watch_message, to_watch_state

WATCH = Watch(
    'who is there ?',
    'w1',
    ('front', 'rear'),
    period_s=2.5,
    every_frames=3,
    min_confidence=0.5,
    cooldown_s=1.25,
    budget_s=0.5,
)
STATE = WatchState(WATCH, 'nobody', confidence=0.75, answered_ns=12_000_000_034, events=4)


def test_a_watch_survives_its_message_whole() -> None:
    assert to_watch_state(to_watch_message(STATE)) == STATE


def test_a_message_has_no_other_word_for_no_budget_than_0() -> None:
    open_ended = replace(STATE, watch=replace(WATCH, budget_s=None))
    assert to_watch_state(to_watch_message(open_ended)).watch.budget_s == 0.0
