# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The newest frame of one camera and the account of its frames; `Ingest` holds the lock."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.engine.rate import RateGate

JUMP_NS = (
    1_000_000_000  # a stamp running back further than this is a jump of time, not a late frame
)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Frames not used, by reason; `gate` counts frames refused for being like the last one."""

    rate: int = 0
    newer: int = 0
    gate: int = 0
    bad: int = 0

    @property
    def total(self) -> int:
        """Frames dropped for any reason."""
        return self.rate + self.newer + self.gate + self.bad


@dataclass(frozen=True, slots=True)
class CameraStats:
    """
    The account of one camera.

    :param waiting: frames whose fate is open: in the slot, or in the step that runs
    :param newest_stamp_ns: newest header stamp seen, 0 before the first
    :param used_stamp_ns: header stamp of the newest frame written to the memory, 0 before the
        first
    :param age_s: seconds on the steady clock since a frame came in, NaN before the first
    :param last_error: why the latest bad frame was bad, empty when there was none
    """

    frames_used: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    waiting: int = 0
    newest_stamp_ns: int = 0
    used_stamp_ns: int = 0
    age_s: float = math.nan
    last_error: str = ''

    @property
    def frames_in(self) -> int:
        """Frames whose fate is decided."""
        return self.frames_used + self.dropped.total


class CameraSlot:
    """The newest frame of one camera; counts what became of the others."""

    def __init__(self, name: str, *, target_fps: float, on_jump: str) -> None:
        self.name = name
        self.frame: Frame | None = None
        self.waits_since_s: float | None = None  # when a frame last came into the empty slot
        self._follow_jumps = on_jump == 'reset'
        self._gate = RateGate(target_fps)
        self._in_step = 0
        self._used = 0
        self._dropped = {'rate': 0, 'newer': 0, 'gate': 0, 'bad': 0}
        self._newest_stamp_ns = 0
        self._used_stamp_ns = 0
        self._arrived_s: float | None = None
        self._last_error = ''

    def put(self, frame: Frame) -> bool:
        """
        Store a frame if it is due.

        :returns: whether time jumped back with this frame, and is followed
        :raises BadFrame: for a stamp that is not positive or not newer than the last; already
            counted
        """
        self._arrived_s = time.monotonic()
        try:
            jumped = self._jumped(frame.stamp_ns)
        except BadFrame as error:
            self.refuse(str(error))
            raise
        if jumped:
            self.restart()
        self._newest_stamp_ns = frame.stamp_ns
        if not self._gate.due(frame.stamp_ns):
            self._dropped['rate'] += 1
            return jumped
        self._drop_waiting()
        if self.waits_since_s is None:
            self.waits_since_s = self._arrived_s
        self.frame = frame
        return jumped

    def refuse(self, why: str) -> None:
        """Count a frame as bad that never came into the slot."""
        self._dropped['bad'] += 1
        self._last_error = why

    def take(self) -> Frame | None:
        """Take the waiting frame for a step; `used` or `bad` must follow."""
        frame, self.frame = self.frame, None
        self.waits_since_s = None
        if frame is not None:
            self._in_step += 1
            self._gate.take(frame.stamp_ns)
        return frame

    def used(self, frame: Frame) -> None:
        """Count a taken frame as written to the memory."""
        self._in_step -= 1
        self._used += 1
        self._used_stamp_ns = frame.stamp_ns

    def bad(self, why: str) -> None:
        """Count a taken frame as bad; the next one may follow at once."""
        self._in_step -= 1
        self._gate.give_back()
        self.refuse(why)

    def restart(self) -> None:
        """Drop the waiting frame and forget the newest stamp: time begins anew."""
        self._drop_waiting()
        self.waits_since_s = None
        self._newest_stamp_ns = 0
        self._gate.restart()

    def stats(self) -> CameraStats:
        """Return the account so far."""
        return CameraStats(
            frames_used=self._used,
            dropped=Dropped(**self._dropped),
            waiting=self._in_step + (self.frame is not None),
            newest_stamp_ns=self._newest_stamp_ns,
            used_stamp_ns=self._used_stamp_ns,
            age_s=math.nan if self._arrived_s is None else time.monotonic() - self._arrived_s,
            last_error=self._last_error,
        )

    def _jumped(self, stamp_ns: int) -> bool:
        """Return whether a stamp is a jump of time to follow; raise for one of no use."""
        if stamp_ns <= 0:
            raise BadFrame(f'camera {self.name}: got stamp {stamp_ns} ns, expected a positive one')
        back_ns = self._newest_stamp_ns - stamp_ns
        if not self._newest_stamp_ns or back_ns < 0:
            return False
        if self._follow_jumps and back_ns > JUMP_NS:
            return True
        raise BadFrame(
            f'camera {self.name}: got stamp {stamp_ns} ns, {back_ns / 1e9:.3f} s before the '
            'newest one seen, expected a later one'
        )

    def _drop_waiting(self) -> None:
        if self.frame is not None:
            self.frame = None
            self._dropped['newer'] += 1
