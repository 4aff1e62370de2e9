# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine tells about itself: frozen snapshots that any thread may take."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.engine.percentiles import Percentiles
from livevlm_ros.engine.slot import CameraStats, Dropped

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine.horizon import Horizon
    from livevlm_ros.engine.watch import WatchState
    from livevlm_ros.memory import MemorySizes

WINDOW = 1000  # answers that latency percentiles look back on


@dataclass(frozen=True, slots=True)
class AskStats:
    """
    Questions so far.

    :param served: replies by status, only those that occurred
    :param waiting: questions in the queue now
    :param deadline_met: replies inside the budget they were given, refusals for lack of time among
        them; questions without a budget and invalid ones count nowhere
    :param first_token_ms: from receipt, of replies with at least one token
    :param total_ms: from receipt to reply, of replies with at least one token
    :param newest_text: of the newest reply with at least one token
    :param newest_age_s: seconds since that reply, NaN before the first
    """

    served: dict[Status, int]
    waiting: int
    deadline_met: int
    deadline_missed: int
    first_token_ms: Percentiles
    total_ms: Percentiles
    newest_text: str = ''
    newest_age_s: float = math.nan


@dataclass(frozen=True, slots=True)
class ModelStats:
    """
    What is loaded, and what work cost at load (`warm_up_ms`) and costs now (`costs_ms`).

    :param dtype: that is computed in
    :param weights: types of the weights in words
    """

    model_id: str
    dtype: str
    weights: str
    weight_bytes: int
    device: str
    parameters: int
    load_s: float
    warm_up_ms: dict[str, float]
    costs_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """
    Tokens of frames.

    :param shown: that the vision tower gave
    :param read: that the language layers have read; the others showed nothing new
    """

    shown: int = 0
    read: int = 0

    @property
    def share_read(self) -> float:
        """Share of them that was read; 1 where nobody counts, for then all are."""
        return self.read / self.shown if self.shown else 1.0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """
    A snapshot of the engine.

    :param cameras: the account of each configured camera
    :param unknown_cameras: the account of frames of cameras that are not configured, all of them
        bad
    :param time_jumps: how often the clock leapt back, or further than the memory spans
    :param time_resets: how often the memory was cleared for it
    :param state: `unloaded`, `loaded` or `running`
    :param busy_with: `idle`, `step`, `answer` or `save`
    :param heartbeat_age_s: seconds since the engine thread last finished a token, a step or an
        idle round; NaN while it does not run
    :param usual_s: seconds that what it is busy with usually takes
    :param turns_failed: how often work failed of which neither a bad frame nor a reply tells
    :param paused: whether no frame is taken in
    :param usual_budget_s: budget of a question that names none, where no setting does either
    :param memory_id: another one after each `clear` and load, empty while unloaded
    :param memory: sizes, None while unloaded
    :param snapshot_problem: why the memory began empty, or is not saved
    :param strangers: frames unlike those that the checkpoint was calibrated on
    :param unsaved: changes of the memory that a kill would cost, because the disk failed
    :param tokens: of frames, where those that show nothing new are not read again
    :param horizon: how long everything seen is kept, None while unloaded
    :param watches: the standing questions, oldest first
    """

    cameras: dict[str, CameraStats]
    unknown_cameras: CameraStats
    time_jumps: int
    ask: AskStats
    time_resets: int = 0
    state: str = 'unloaded'
    busy_with: str = 'idle'
    heartbeat_age_s: float = math.nan
    usual_s: float = 0.0
    turns_failed: int = 0
    paused: bool = False
    usual_budget_s: float = 0.0
    memory_id: str = ''
    memory: MemorySizes | None = None
    snapshot_problem: str = ''
    strangers: int = 0
    unsaved: int = 0
    tokens: TokenCounts = field(default_factory=TokenCounts)
    horizon: Horizon | None = None
    watches: tuple[WatchState, ...] = ()
    model: ModelStats | None = None

    @property
    def frames_in(self) -> int:
        """Frames of all cameras, known or not: `frames_used + dropped.total + waiting`."""
        return sum(account.frames_in for account in self._accounts)

    @property
    def frames_used(self) -> int:
        """Frames of all cameras that were written to the memory."""
        return sum(account.frames_used for account in self._accounts)

    @property
    def dropped(self) -> Dropped:
        """Frames of all cameras, known or not, that were not used."""
        return Dropped(
            rate=sum(account.dropped.rate for account in self._accounts),
            newer=sum(account.dropped.newer for account in self._accounts),
            gate=sum(account.dropped.gate for account in self._accounts),
            bad=sum(account.dropped.bad for account in self._accounts),
            paused=sum(account.dropped.paused for account in self._accounts),
        )

    @property
    def waiting(self) -> int:
        """Frames of all cameras whose fate is open."""
        return sum(account.waiting for account in self._accounts)

    @property
    def _accounts(self) -> list[CameraStats]:
        return [*self.cameras.values(), self.unknown_cameras]


class AskRecord:
    """Counts replies and keeps the latest latencies; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: Counter[Status] = Counter()
        self._met = self._missed = 0
        self._first_token_ms: deque[float] = deque(maxlen=WINDOW)
        self._total_ms: deque[float] = deque(maxlen=WINDOW)
        self._newest = '', math.nan  # text of the newest answer, and when it was given

    def add(self, answer: Answer) -> None:
        """Count a reply that is about to be handed out."""
        latency = answer.latency
        with self._lock:
            self._served[answer.status] += 1
            if 0.0 < latency.budget_ms < math.inf:
                met = latency.total_ms <= latency.budget_ms
                self._met, self._missed = self._met + met, self._missed + (not met)
            if answer.completion_tokens:
                self._first_token_ms.append(latency.first_token_ms)
                self._total_ms.append(latency.total_ms)
                self._newest = answer.text, time.monotonic()

    def stats(self, *, waiting: int) -> AskStats:
        """Return the counts so far."""
        with self._lock:
            served, met, missed = dict(self._served), self._met, self._missed
            first_token_ms, total_ms = list(self._first_token_ms), list(self._total_ms)
            newest_text, newest_s = self._newest
        return AskStats(
            served=served,
            waiting=waiting,
            deadline_met=met,
            deadline_missed=missed,
            first_token_ms=Percentiles.of(first_token_ms),
            total_ms=Percentiles.of(total_ms),
            newest_text=newest_text,
            newest_age_s=time.monotonic() - newest_s,
        )
