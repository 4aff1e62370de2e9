# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A step: the newest unseen frame of each camera, as one batch, into the memory."""

from __future__ import annotations

import time

from livevlm_ros.engine.album import thumbnail
from livevlm_ros.engine.frames import checked, frame_key, see_frames
from livevlm_ros.engine.gate import FrameGate
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import Frame, Pixels
from livevlm_ros.engine.rooms import Rooms


def take_step(rooms: Rooms, ingest: Ingest, gate: FrameGate) -> None:
    """Write the frames that wait and repeat no other into the memory; count the bad ones."""
    started = time.monotonic()
    frames, jumped = ingest.take()
    if jumped:
        rooms.forget()
        gate.clear()
    good: list[tuple[Frame, Pixels]] = []
    jpegs: list[bytes] = []
    for frame in frames:
        try:
            pixels = checked(frame.pixels() if callable(frame.pixels) else frame.pixels)
            if gate.repeats(frame, pixels):
                ingest.skipped(frame)
                continue
            jpegs.append(thumbnail(pixels))
            good.append((frame, pixels))
        except Exception as error:
            ingest.bad(frame, error)
    if not good:
        return
    try:
        see_frames(rooms.model, rooms.memory, good)
    except Exception as error:  # model or device failed: the frames are lost, the engine is not
        for frame, _ in good:
            ingest.bad(frame, error)
        return
    for (frame, pixels), jpeg in zip(good, jpegs, strict=True):
        rooms.album.add(frame_key(frame), jpeg)
        gate.keep(frame, pixels)
        ingest.used(frame)
    if len(rooms.album) > rooms.memory.frame_count:
        rooms.album.keep_only(ref.key for ref in rooms.memory.frames())
    rooms.costs.step.add(time.monotonic() - started)
