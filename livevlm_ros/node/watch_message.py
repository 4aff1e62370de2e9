# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The message `Watch`, from a standing question of the engine and back."""

from __future__ import annotations

from livevlm_interfaces.msg import Watch as WatchMessage
from livevlm_ros.engine.watch import Watch, WatchState
from livevlm_ros.node.conversions import nanoseconds, to_duration, to_time


def to_watch_message(state: WatchState) -> WatchMessage:
    """Return the message of a watch and what became of it."""
    watch = state.watch
    return WatchMessage(
        watch_id=watch.watch_id,
        question=watch.text,
        cameras=watch.cameras,
        period=to_duration(watch.period_s),
        every_frames=watch.every_frames,
        min_confidence=watch.min_confidence,
        cooldown=to_duration(watch.cooldown_s),
        latency_budget=to_duration(watch.budget_s or 0.0),
        answer=state.answer,
        confidence=state.confidence,
        answered_at=to_time(state.answered_ns),
        events=state.events,
    )


def to_watch_state(message: WatchMessage) -> WatchState:
    """Return the watch of a message and what became of it."""
    watch = Watch(
        text=message.question,
        watch_id=message.watch_id,
        cameras=tuple(message.cameras),
        period_s=nanoseconds(message.period) / 1e9,
        every_frames=message.every_frames,
        min_confidence=message.min_confidence,
        cooldown_s=nanoseconds(message.cooldown) / 1e9,
        budget_s=nanoseconds(message.latency_budget) / 1e9,
    )
    return WatchState(
        watch,
        answer=message.answer,
        confidence=message.confidence,
        answered_ns=nanoseconds(message.answered_at),
        events=message.events,
    )
