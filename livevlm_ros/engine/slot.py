# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The newest frame of one camera and the account of its frames; `Ingest` holds the lock."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.engine.rate import RateGate
from livevlm_ros.engine.timeline import Timeline

BACK_NS = 1_000_000_000  # a stamp that runs back further is a leap in time, not a late frame
FORTH_NS = 3600 * 1_000_000_000  # one that runs ahead further is a leap, not a camera's pause
QUIET_S = 10.0  # without a frame on the steady clock, or thrice its last pause: a camera is off

Leap = Literal['', 'back', 'ahead']


@dataclass(frozen=True, slots=True)
class Dropped:
    """
    Frames not used, by reason.

    `gate` counts frames refused for being like the last one, `paused` those that came while none
    was taken in.
    """

    rate: int = 0
    newer: int = 0
    gate: int = 0
    bad: int = 0
    paused: int = 0

    @property
    def total(self) -> int:
        """Frames dropped for any reason."""
        return self.rate + self.newer + self.gate + self.bad + self.paused


@dataclass(frozen=True, slots=True)
class CameraStats:
    """
    The account of one camera: `frames_in == frames_used + dropped.total + waiting`, always.

    :param frames_in: frames that came in, counted as they did
    :param waiting: frames whose fate is open: in the slot, or in the step that runs
    :param newest_stamp_ns: newest header stamp seen, 0 before the first
    :param newest_stream_ns: its place in the memory's own time, 0 before the first
    :param used_stamp_ns: header stamp of the newest frame written to the memory, or skipped for
        repeating one in it, 0 before the first
    :param age_s: seconds on the steady clock since a frame came in, NaN before the first
    :param last_error: why the latest bad frame was bad, empty when there was none
    :param bad_in_row: bad frames since one was used, or skipped for repeating one
    """

    frames_in: int = 0
    frames_used: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    waiting: int = 0
    newest_stamp_ns: int = 0
    newest_stream_ns: int = 0
    used_stamp_ns: int = 0
    age_s: float = math.nan
    last_error: str = ''
    bad_in_row: int = 0


class CameraSlot:
    """
    The newest frame of one camera; counts what became of the others.

    A leap in time counts when the next frame confirms it: one stray stamp, from the past or the
    future, is a bad frame and changes nothing. It does not count while another camera goes on:
    then it is this camera's clock that leapt, and its frames are bad until both agree.
    """

    def __init__(
        self, name: str, timeline: Timeline | None = None, *, target_fps: float, on_jump: str
    ) -> None:
        """
        Create an empty slot.

        :param timeline: shared by the cameras of a memory
        """
        self.name = name
        self._timeline = timeline or Timeline()
        self.frame: Frame | None = None
        self.waits_since_s: float | None = None  # when a frame last came into the empty slot
        self._follow_jumps = on_jump != 'drop'
        self._rate = RateGate(target_fps)
        self._in = self._in_step = self._used = 0
        self._dropped = {'rate': 0, 'newer': 0, 'gate': 0, 'bad': 0, 'paused': 0}
        self._paused = False
        self._newest_stamp_ns = 0
        self._resumed_ns = 0  # stamp that the first frame follows, of an earlier life
        self._leapt_to_ns: int | None = None  # where the last stamp leapt to, if it did
        self.astray: Leap = ''  # where the clock leapt to, while other cameras go on
        self.settled = False  # whether a frame was used since time began anew
        self._gone_ns = 0  # how far the stream has gone, as far as this camera tells
        self._in_time_s: float | None = None  # when a frame last came whose stamp goes on
        self._pause_s = 0.0  # between the last two of them
        self._used_stamp_ns = 0
        self._arrived_s: float | None = None
        self._last_error = ''
        self._bad_in_row = 0

    def put(
        self, frame: Frame, others: Sequence[CameraSlot] = (), *, clears: bool = False
    ) -> Leap:
        """
        Store a frame if it is due, with its place in the memory's own time.

        :param others: the slots of the other cameras
        :param clears: whether the memory is cleared if time leaps back to this frame
        :returns: where time leapt with this frame, if it did and is followed
        :raises BadFrame: for a stamp that is not positive, not newer than the last, the first
            after a leap, or one of a clock that leapt alone; already counted
        """
        self._in += 1
        self._arrived_s = time.monotonic()
        try:
            leap = self._leap(frame.stamp_ns, others)
        except BadFrame as error:
            self._refuse(str(error))
            raise
        before_ns, first = self.newest_ns, not self._newest_stamp_ns
        if leap or (first and before_ns and self._timeline.is_far(frame.stamp_ns)):
            self._timeline.leap(frame.stamp_ns)
        if leap == 'back' and clears:
            self.restart()
        elif leap:
            self.begin_anew()
        self._go_on(frame.stamp_ns, self._arrived_s, others)
        if leap == 'ahead':  # by which the others may come later, too
            self._gone_ns += frame.stamp_ns - before_ns
        frame = replace(frame, stream_ns=self._timeline.stream_ns(frame.stamp_ns))
        if self._paused:
            self._dropped['paused'] += 1
            return leap
        if not self._rate.due(frame.stream_ns):
            self._dropped['rate'] += 1
            return leap
        waits_since_s = self.waits_since_s
        self.drop_waiting()
        self.waits_since_s = self._arrived_s if waits_since_s is None else waits_since_s
        self.frame = frame
        return leap

    def turn_away(self, why: str) -> None:
        """Count a frame that came in as bad, without a look at it."""
        self._in += 1
        self._refuse(why)

    def take(self) -> Frame | None:
        """Take the waiting frame for a step; `used`, `skipped` or `bad` must follow."""
        frame, self.frame = self.frame, None
        self.waits_since_s = None
        if frame is not None:
            self._in_step += 1
            self._rate.take(frame.stream_ns)
        return frame

    def used(self, frame: Frame) -> None:
        """Count a taken frame as written to the memory."""
        self._in_step -= 1
        self._used += 1
        self._note(frame)

    def skipped(self, frame: Frame) -> None:
        """Count a taken frame as one that the memory need not hold to be up to date."""
        self._in_step -= 1
        self._dropped['gate'] += 1
        self._note(frame)

    def bad(self, why: str) -> None:
        """Count a taken frame as bad; the next one may follow at once."""
        self._in_step -= 1
        self._rate.give_back()
        self._refuse(why)

    def pause(self, paused: bool) -> None:
        """Take in no frame, or take them in again; time goes on with those that come."""
        self._paused = paused
        if paused:
            self.drop_waiting('paused')

    def resume(self, stamp_ns: int) -> None:
        """Go on after a stamp: any later one may come first, however long the pause was."""
        self.restart()
        self._resumed_ns = stamp_ns

    def restart(self) -> None:
        """Let time begin anew, in a memory that holds nothing: any frame may come first."""
        self.begin_anew()
        self._rate.restart()

    def begin_anew(self) -> None:
        """Drop the waiting frame and forget the newest stamp: the clock has leapt."""
        self.drop_waiting()
        self._newest_stamp_ns, self._resumed_ns, self._leapt_to_ns = 0, 0, None
        self.astray, self.settled, self._in_time_s = '', False, None

    @property
    def newest_ns(self) -> int:
        """Newest stamp seen, or of an earlier life; 0 before the first."""
        return self._newest_stamp_ns or self._resumed_ns

    @property
    def goes_on(self) -> bool:
        """Whether the memory follows this camera's time, and it has not fallen silent."""
        if not self.settled or self.astray or self._in_time_s is None:
            return False
        return time.monotonic() - self._in_time_s < max(QUIET_S, 3 * self._pause_s)

    def differs(self, stamp_ns: int) -> str:
        """Say how far another camera's stamp is from this camera's time."""
        off_s = abs(stamp_ns - self._newest_stamp_ns) / 1e9
        return f'its clock differs by {off_s:.3f} s from that of camera {self.name}, which goes on'

    def stats(self) -> CameraStats:
        """Return the account so far."""
        newest_ns = self._newest_stamp_ns
        return CameraStats(
            frames_in=self._in,
            frames_used=self._used,
            dropped=Dropped(**self._dropped),
            waiting=self._in_step + (self.frame is not None),
            newest_stamp_ns=newest_ns,
            newest_stream_ns=self._timeline.stream_ns(newest_ns) if newest_ns else 0,
            used_stamp_ns=self._used_stamp_ns,
            age_s=math.nan if self._arrived_s is None else time.monotonic() - self._arrived_s,
            last_error=self._last_error,
            bad_in_row=self._bad_in_row,
        )

    def _leap(self, stamp_ns: int, others: Sequence[CameraSlot]) -> Leap:
        """Return where time leapt, if a stamp confirms that it did; raise for one of no use."""
        if stamp_ns <= 0:
            raise BadFrame(f'camera {self.name}: got stamp {stamp_ns} ns, expected a positive one')
        newest_ns, leapt_to_ns = self._newest_stamp_ns, self._leapt_to_ns
        self._leapt_to_ns = None
        if not newest_ns and stamp_ns > self._resumed_ns:
            return ''
        newest_ns = self.newest_ns
        if _follows(newest_ns, stamp_ns, pause_ns=_gone_ns(self, *others) - self._gone_ns):
            return ''
        ahead_ns = stamp_ns - newest_ns
        may_leap = ahead_ns > 0 or self._follow_jumps
        if may_leap and leapt_to_ns is not None and _follows(leapt_to_ns, stamp_ns):
            leap: Leap = 'ahead' if ahead_ns > 0 else 'back'
            unmoved = next((other for other in others if other.goes_on), None)
            if unmoved is None:
                return leap
            self._leapt_to_ns, self.astray = stamp_ns, leap
            raise BadFrame(
                f'camera {self.name}: got stamp {stamp_ns} ns, {unmoved.differs(stamp_ns)}: '
                'a leap in time counts when every camera makes it'
            )
        seen = (
            f'camera {self.name}: got stamp {stamp_ns} ns, {abs(ahead_ns) / 1e9:.3f} s '
            f'{"after" if ahead_ns > 0 else "before"} the newest one seen'
        )
        if may_leap and not -BACK_NS <= ahead_ns <= 0:
            self._leapt_to_ns = stamp_ns
            raise BadFrame(f'{seen}: a leap in time counts when the next frame confirms it')
        still = ': do the stamps stand still?' if not ahead_ns else ''
        raise BadFrame(f'{seen}, expected a later one{still}')

    def _go_on(self, stamp_ns: int, now_s: float, others: Sequence[CameraSlot]) -> None:
        """Take a stamp as the newest."""
        if self._newest_stamp_ns:
            self._gone_ns += stamp_ns - self._newest_stamp_ns
        else:
            self._gone_ns = _gone_ns(self, *others)
        self._pause_s = 0.0 if self._in_time_s is None else now_s - self._in_time_s
        self._newest_stamp_ns, self._in_time_s, self.astray = stamp_ns, now_s, ''

    def _note(self, frame: Frame) -> None:
        """Note a frame that the memory has seen; one of before a leap settles nothing."""
        self.settled |= self._timeline.stream_ns(frame.stamp_ns) == frame.stream_ns
        self._timeline.seen(frame.stream_ns)
        self._used_stamp_ns = frame.stamp_ns
        self._bad_in_row = 0

    def _refuse(self, why: str) -> None:
        self._dropped['bad'] += 1
        self._bad_in_row += 1
        self._last_error = why

    def drop_waiting(self, why: str = 'newer') -> None:
        """Drop the waiting frame, if there is one."""
        if self.frame is not None:
            self.frame = self.waits_since_s = None
            self._dropped[why] += 1


def _follows(earlier_ns: int, later_ns: int, *, pause_ns: int = 0) -> bool:
    """
    Return whether a stamp is newer than another, by no more than a camera may pause.

    :param pause_ns: how far the other cameras have gone in between
    """
    return 0 < later_ns - earlier_ns <= FORTH_NS + pause_ns


def _gone_ns(*slots: CameraSlot) -> int:
    return max(slot._gone_ns for slot in slots)
