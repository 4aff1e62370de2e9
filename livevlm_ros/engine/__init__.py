# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The engine: newest frames in, questions in, answers out, deadlines kept. It knows no ROS.

Messages are importable without torch; `Engine` and `EngineConfig` bring it in when they are first
used, as do the names of memory/ and model/ that whoever drives the engine needs.

For whoever drives the engine:

- Online: `load()` (seconds; `progress(phase, share)`), `start()`, then `see` and `ask` from any
  thread, `stop()` (within 3 s), `cleanup()`. `load/start/stop/cleanup` are
  configure/activate/deactivate/cleanup of a lifecycle node; `stop` keeps the memory, `cleanup`
  frees it. `see` before `start` keeps the newest frame. With `snapshot`, `load` restores and
  `stop` saves, however long the disk takes.
- `see` wants `stamp_ns > 0`, rising per camera; a node replaces zero stamps by arrival time. A
  leap in time counts when the next frame confirms it, so that it costs a frame (`on_jump`), and
  with several cameras when all make it. The memory stays, in a time of its own; stamps in answers
  and questions are those that the frames came with.
  Nothing is raised: bad frames are counted in `stats().cameras[name]`, those of unknown cameras in
  `stats().unknown_cameras`.
- `ask` blocks its thread until the reply, at most the budget counted from `received_s`. `None` in
  a question means the configured default (a node maps 0 or a negative temperature to None).
- `begin` does not block: it gives an `Inquiry` to follow, to cancel and to take the reply of.
- A question of high priority goes before the normal ones that wait, but after three in a row a
  normal one has its turn. If the queue is full, the last normal one is told to come back.
- `retry_after_s` comes with `Status.OVERLOADED`. Each caller is promised a time of its own, and
  whoever asks at that time, up to a quarter of a second late, finds the engine free: no step and
  no question of the same patience is in its way.
- A budget that even an idle engine cannot keep gets `Status.DEADLINE` at once, and its message
  names the shortest budget that works now, and where to set it.
- `memory` is what others do with what is held: `timeline`, `frame`, `forget` (for good), `pause`,
  `save` and `load` by name; from any thread, `NotDone` or a `ValueError` says why not. A question
  with `recalls` has the frames that its answer would rest on for evidence, and no words.
- `watches` is where standing questions are asked: `add`, `remove`, `list` and `take_events`. Their
  rounds go after every question and give way to it; together they take a third of the time.
- Offline, one thread: `load()`; per frame `see(frame); turn()`; per question `ask_now(question)`;
  between streams `clear()`. `ask_now` has no deadline unless `budget_s` is set. With one thread
  and temperature 0 two runs agree.
- `stats()` is a frozen snapshot for `/diagnostics` and reports; it never waits.
- `take_events()` gives what happened since it was last called, for `~/events`; the oldest of more
  than 256 are lost, and counted. `newest_pictures()` gives the newest frame of each camera.
- `latency.budget_ms` is the budget allowed (at most `max_budget_s`), 0 when there was none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import (
    Answer,
    BadFrame,
    Evidence,
    Finish,
    Frame,
    Latency,
    NotDone,
    Phase,
    Pixels,
    Priority,
    Progress,
    Question,
    Scope,
    Source,
    Status,
)
from livevlm_ros.late import late

if TYPE_CHECKING:
    from livevlm_ros.engine.budget import Rung
    from livevlm_ros.engine.config import EngineConfig
    from livevlm_ros.engine.engine import Engine
    from livevlm_ros.engine.inquiry import Inquiry
    from livevlm_ros.engine.stats import EngineStats
    from livevlm_ros.memory import (
        FrameRef,
        HeadChoice,
        HeadRecall,
        HeadScores,
        MemoryConfig,
        MemoryRoom,
        MemorySizes,
        ReadFilter,
        RecallCounts,
        RetrievalSettings,
        choose_heads,
    )
    from livevlm_ros.model import (
        Absence,
        AnswerToken,
        BadQuestion,
        CheckpointError,
        Familiarity,
        ModelConfig,
        checkpoint_folder,
        likelihood_temperature,
        log_shares,
        token_figures,
    )

__all__ = [
    'Absence',
    'Answer',
    'AnswerToken',
    'BadFrame',
    'BadQuestion',
    'CheckpointError',
    'Engine',
    'EngineConfig',
    'EngineStats',
    'Evidence',
    'Familiarity',
    'Finish',
    'Frame',
    'FrameRef',
    'HeadChoice',
    'HeadRecall',
    'HeadScores',
    'HeldFrame',
    'Inquiry',
    'Latency',
    'MemoryConfig',
    'MemoryRoom',
    'MemorySizes',
    'ModelConfig',
    'NotDone',
    'Phase',
    'Pixels',
    'Priority',
    'Progress',
    'Question',
    'ReadFilter',
    'RecallCounts',
    'RetrievalSettings',
    'Rung',
    'Scope',
    'Source',
    'Status',
    'checkpoint_folder',
    'choose_heads',
    'likelihood_temperature',
    'log_shares',
    'token_figures',
]

_LATE = {
    'Absence': 'livevlm_ros.model',
    'CheckpointError': 'livevlm_ros.model',
    'checkpoint_folder': 'livevlm_ros.model',
    'Engine': 'livevlm_ros.engine.engine',
    'EngineConfig': 'livevlm_ros.engine.config',
    'EngineStats': 'livevlm_ros.engine.stats',
    'FrameRef': 'livevlm_ros.memory',
    'HeadChoice': 'livevlm_ros.memory',
    'HeadRecall': 'livevlm_ros.memory',
    'HeadScores': 'livevlm_ros.memory',
    'Inquiry': 'livevlm_ros.engine.inquiry',
    'MemoryConfig': 'livevlm_ros.memory',
    'MemoryRoom': 'livevlm_ros.memory',
    'MemorySizes': 'livevlm_ros.memory',
    'ReadFilter': 'livevlm_ros.memory',
    'RecallCounts': 'livevlm_ros.memory',
    'RetrievalSettings': 'livevlm_ros.memory',
    'choose_heads': 'livevlm_ros.memory',
    'ModelConfig': 'livevlm_ros.model',
    'token_figures': 'livevlm_ros.model',
    'likelihood_temperature': 'livevlm_ros.model',
    'log_shares': 'livevlm_ros.model',
    'BadQuestion': 'livevlm_ros.model',
    'Familiarity': 'livevlm_ros.model',
    'AnswerToken': 'livevlm_ros.model',
    'Rung': 'livevlm_ros.engine.budget',
}

__getattr__ = late(__name__, _LATE)
