# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way in for frames: the newest of each camera waits, and every frame is accounted for.

`put` is called by any thread and only swaps a reference; the engine thread calls `take`, then
`used`, `skipped` or `bad` for each frame taken. For each camera `frames_in == frames_used +
dropped + waiting` holds at any moment: a frame is counted when it comes in, and `waiting` until
its fate is decided.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from livevlm_ros.engine.events import EventKind, Events
from livevlm_ros.engine.messages import NAME_CHARACTERS, BadFrame, Frame
from livevlm_ros.engine.slot import CameraSlot, CameraStats, Leap
from livevlm_ros.engine.timeline import Timeline

JUMP = 'time', BadFrame  # as a kind of warning
WARN_EVERY_S = 5.0  # between two warnings of one kind about one camera; the counters tell of each
WARN_RARELY_S = 600.0  # the same, when it goes on: each pause is twice the one before

_log = logging.getLogger(__name__)


class IngestStats(NamedTuple):
    """
    The account of all cameras.

    :param unknown: of frames whose camera is none of these
    :param jumps: how often the clock leapt back, or further than the memory spans
    :param resets: how often the memory was cleared for it
    """

    cameras: dict[str, CameraStats]
    unknown: CameraStats
    jumps: int
    resets: int


class Ingest:
    """
    The slots of all cameras under one lock, which is held for a few assignments only.

    `timeline` is the memory's own time, which the clocks of the cameras move. While `paused` no
    frame is taken in.
    """

    def __init__(
        self,
        cameras: tuple[str, ...],
        *,
        target_fps: float,
        on_jump: str,
        events: Events | None = None,
    ) -> None:
        self.timeline = Timeline()
        self._events = events or Events()
        self._slots = {
            name: CameraSlot(name, self.timeline, target_fps=target_fps, on_jump=on_jump)
            for name in cameras
        }
        self._follow_back, self._clears = on_jump != 'drop', on_jump == 'reset'
        self._lock = threading.Lock()
        self.paused = self._jumped = False
        self._jumps = self._resets = 0
        self._unknown = CameraSlot('unknown', target_fps=target_fps, on_jump='drop')
        self._warned: dict[tuple[str, type[Exception]], tuple[float, float]] = {}

    def put(self, frame: Frame) -> bool:
        """Store the newest frame of its camera; return whether a frame waits now. Any thread."""
        if len(frame.frame_id) > NAME_CHARACTERS:
            frame = replace(frame, frame_id=frame.frame_id[:NAME_CHARACTERS])
        try:
            with self._lock:
                leap, by_ns = self._put(frame)
        except BadFrame as error:
            self._warn(frame.camera, error, str(error))
            return False
        if leap:
            self._tell_jump(frame, by_ns, cleared=leap == 'back' and self._jumped)
        return self.waits

    def turn_away(self, camera: str, why: BadFrame) -> None:
        """Count a frame that came in as bad, without a look at it. Any thread."""
        with self._lock:
            self._slots.get(camera, self._unknown).turn_away(str(why))
        self._warn(camera, why, str(why))

    def take(self) -> tuple[list[Frame], bool]:
        """
        Take the newest unseen frame of each camera.

        :returns: the frames in order of time, and whether what the memory holds must be cleared
            before they are written, because time began anew since the last call
        """
        with self._lock:
            frames = [frame for slot in self._slots.values() if (frame := slot.take()) is not None]
            jumped, self._jumped = self._jumped, False
        return sorted(frames, key=lambda frame: frame.stream_ns), jumped

    def used(self, frame: Frame) -> None:
        """Count a taken frame as written to the memory."""
        with self._lock:
            self._slots[frame.camera].used(frame)

    def skipped(self, frame: Frame) -> None:
        """Count a taken frame as dropped for repeating one in the memory."""
        with self._lock:
            self._slots[frame.camera].skipped(frame)

    def bad(self, frame: Frame, why: Exception) -> None:
        """Count a taken frame as bad and keep the reason; any but a `BadFrame` is an error."""
        self._warn(frame.camera, why, self.lost(frame, str(why)))

    def lost(self, frame: Frame, why: str) -> str:
        """Count a taken frame as bad and log nothing; return the reason as it is kept."""
        text = f'camera {frame.camera}, stamp {frame.stamp_ns} ns: {why}'
        with self._lock:
            self._slots[frame.camera].bad(text)
        return text

    def leapt(self, frame: Frame, *, ahead: bool) -> bool:
        """
        Tell of a taken frame that is further from the start of the stream than the memory spans.

        :param ahead: whether it is later than that, or else earlier
        :returns: whether that is followed, so that the next frame has a place in the memory's
            time, which begins anew where the memory can span no more; not if it is the clock of
            this camera that differs from those in use
        """
        camera = frame.camera
        with self._lock:
            used = {name for name, slot in self._slots.items() if slot.stats().frames_used}
            alone = not self._slots[camera].settled and self._unmoved(camera) is not None
            followed = (not used or camera in used) and (ahead or self._follow_back) and not alone
            if followed and self.timeline.stream_ns(frame.stamp_ns) == frame.stream_ns:
                self.timeline.leap(frame.stamp_ns)
            ends = self.timeline.stream_ns(frame.stamp_ns) == frame.stream_ns  # the ids run out
            by_ns = frame.stamp_ns - self._slots[camera].stats().used_stamp_ns
            if followed:
                self._jump(frame, clears=ends)
        if followed:
            self._tell_jump(frame, by_ns, cleared=ends)
        return followed

    def differs(self, camera: str, stamp_ns: int) -> str:
        """Say how far a camera's stamp is from the time of another one; empty if none goes on."""
        with self._lock:
            unmoved = self._unmoved(camera)
            return '' if unmoved is None else unmoved.differs(stamp_ns)

    def resume(self, newest_ns: Mapping[str, int]) -> None:
        """
        Go on after the frames of an earlier life.

        :param newest_ns: by camera, the stream time of the newest frame that the memory holds
        """
        with self._lock:
            self._resume(newest_ns)

    def go_on_after(self, newest_ns: Mapping[str, int], episodes: Sequence[Sequence[int]]) -> None:
        """
        Go on after the frames of another memory, in its time.

        :param newest_ns: as `resume` has it
        :param episodes: as `Timeline.restore` has them
        """
        with self._lock:
            self._restart()
            self.timeline.restore(episodes)
            self._resume(newest_ns)

    def pause(self, paused: bool) -> None:
        """Take in no frame, or take them in again. Any thread."""
        with self._lock:
            self.paused = paused
            for slot in self._slots.values():
                slot.pause(paused)

    def drop_waiting(self, matches: Callable[[Frame], bool]) -> None:
        """Drop the frames that wait and match."""
        with self._lock:
            for slot in self._slots.values():
                if slot.frame is not None and matches(slot.frame):
                    slot.drop_waiting()

    def restart(self) -> None:
        """Drop waiting frames and forget the stamps seen; the counters go on."""
        with self._lock:
            self._restart()

    @property
    def waits(self) -> bool:
        """Whether any camera has a frame to take."""
        return any(slot.frame is not None for slot in self._slots.values())

    def blind_s(self) -> float:
        """Return for how many seconds frames have been passed over, 0 when none waits."""
        with self._lock:
            since = [
                slot.waits_since_s
                for slot in self._slots.values()
                if slot.waits_since_s is not None
            ]
        return time.monotonic() - min(since) if since else 0.0

    def stats(self) -> IngestStats:
        """Return the accounts of the cameras, and what clocks did."""
        with self._lock:
            cameras = {name: slot.stats() for name, slot in self._slots.items()}
            return IngestStats(cameras, self._unknown.stats(), self._jumps, self._resets)

    def _resume(self, newest_ns: Mapping[str, int]) -> None:
        for camera, stream_ns in newest_ns.items():
            self._slots[camera].resume(self.timeline.header_ns(stream_ns))
            self.timeline.seen(stream_ns)

    def _restart(self) -> None:
        self._jumped = False
        self.timeline.clear()
        for slot in self._slots.values():
            slot.restart()

    def _put(self, frame: Frame) -> tuple[Leap, int]:
        """Store a frame; return where time leapt, and by how many nanoseconds."""
        slot = self._slots.get(frame.camera)
        if slot is None:
            camera, known = frame.camera[:NAME_CHARACTERS], ', '.join(self._slots)
            error = BadFrame(f'got a frame of camera {camera!r}, expected one of {known}')
            self._unknown.turn_away(str(error))
            raise error
        others = self._others(frame.camera)
        clears = self._clears and self.timeline.returns(frame.stamp_ns)
        by_ns = frame.stamp_ns - slot.newest_ns
        leap = slot.put(frame, others, clears=clears)
        if leap == 'back':
            self._jump(frame, clears=clears)
        elif leap == 'ahead':
            for other in others:
                if other.astray == 'ahead':
                    other.begin_anew()
        return leap, by_ns

    def _jump(self, to: Frame, *, clears: bool = False) -> None:
        """Let every camera follow where one has leapt."""
        self._jumps += 1
        self._resets += clears
        self._jumped |= clears
        for slot in self._others(to.camera):
            slot.restart() if clears else slot.begin_anew()

    def _tell_jump(self, frame: Frame, by_ns: int, *, cleared: bool) -> None:
        """Tell of a jump in time, and warn of it."""
        outcome = 'the memory is cleared' if cleared else 'the memory stays and goes on'
        self._events.tell(
            EventKind.TIME_JUMP, camera=frame.camera, detail=outcome, value=by_ns / 1e9
        )
        if self._may_warn(JUMP):
            stamp_s = frame.stamp_ns / 1e9
            _log.warning('camera %s: time jumped to %.3f s, %s', frame.camera, stamp_s, outcome)

    def _others(self, camera: str) -> list[CameraSlot]:
        return [slot for name, slot in self._slots.items() if name != camera]

    def _unmoved(self, camera: str) -> CameraSlot | None:
        """Return another camera that goes on in the memory's time."""
        return next((slot for slot in self._others(camera) if slot.goes_on), None)

    def _warn(self, camera: str, why: Exception, text: str) -> None:
        kind = camera if camera in self._slots else '', type(why)
        if not self._may_warn(kind):
            return
        if isinstance(why, BadFrame):
            _log.warning('bad frame dropped: %s', text)
        else:
            _log.error('frame lost: %s', text, exc_info=why)

    def _may_warn(self, kind: tuple[str, type[Exception]]) -> bool:
        """Return whether a warning is due, and if so, note it."""
        now = time.monotonic()
        warned_s, pause_s = self._warned.get(kind, (-math.inf, 0.0))
        since_s = now - warned_s
        if since_s < pause_s:
            return False
        goes_on = since_s < 2 * pause_s
        pause_s = min(2 * pause_s, WARN_RARELY_S) if goes_on else WARN_EVERY_S
        self._warned[kind] = now, pause_s
        return True
