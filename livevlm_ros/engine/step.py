# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A step: the newest unseen frame of each camera, as one batch, into the memory."""

from __future__ import annotations

import logging
import time

from livevlm_ros.engine.frames import checked, frame_key, see_frames
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.engine.rooms import Rooms

_log = logging.getLogger(__name__)


def take_step(rooms: Rooms, ingest: Ingest) -> None:
    """Write the frames that wait into the memory; frames that cannot be used are counted bad."""
    started = time.monotonic()
    frames, jumped = ingest.take()
    if jumped:
        rooms.forget()
    good = [(frame, pixels) for frame in frames if (pixels := _pixels(frame, ingest)) is not None]
    if not good:
        return
    try:
        see_frames(rooms.model, rooms.memory, good)
        for frame, pixels in good:
            rooms.album.add(frame_key(frame), pixels)
    except (
        Exception
    ) as error:  # the model or the device failed: the frames are lost, the engine is not
        _log.exception('a step failed on %d frames', len(good))
        for frame, _ in good:
            ingest.bad(frame, error)
        return
    for frame, _ in good:
        ingest.used(frame)
    held = rooms.memory.frames()
    if len(rooms.album) > len(held):
        rooms.album.keep_only(ref.key for ref in held)
    rooms.costs.step.add(time.monotonic() - started)


def _pixels(frame: Frame, ingest: Ingest) -> Pixels | None:
    """Decode and check a frame's image; None, and counted, when it cannot be used."""
    try:
        return checked(frame.pixels() if callable(frame.pixels) else frame.pixels)
    except BadFrame as error:
        ingest.bad(frame, error)
    except Exception as error:
        _log.exception('decoding frame %s failed', frame_key(frame))
        ingest.bad(frame, error)
    return None
