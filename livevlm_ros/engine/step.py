# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A step: the newest unseen frame of each camera, as one batch, into the memory."""

from __future__ import annotations

import time

import torch

from livevlm_ros.engine import changes
from livevlm_ros.engine.album import Picture, thumbnail
from livevlm_ros.engine.frames import Seen, checked, frame_key, see_frames
from livevlm_ros.engine.gate import FrameGate
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.engine.parts import EngineParts
from livevlm_ros.memory import OutOfOrder, OutOfSpan


def take_step(parts: EngineParts, ingest: Ingest, gate: FrameGate) -> list[Frame]:
    """
    Write the frames that wait and repeat no other into the memory; count the bad ones.

    :returns: those that are in it now
    """
    started = time.monotonic()
    frames, jumped = ingest.take()
    if jumped:
        parts.clear('time began anew')
        gate.clear()
    good: list[tuple[Frame, Pixels]] = []
    jpegs: dict[str, bytes] = {}
    for frame in frames:
        try:
            pixels = checked(frame.pixels() if callable(frame.pixels) else frame.pixels)
            if gate.repeats(frame, pixels):
                ingest.skipped(frame)
                continue
            jpegs[frame_key(frame)] = thumbnail(pixels)
            good.append((frame, pixels))
        except Exception as error:
            ingest.bad(frame, error)
    written, seen = _written(parts, ingest, gate, good)
    if seen is None:
        return []
    for frame, pixels in written:
        key = frame_key(frame)
        parts.album.add(key, jpegs[key])
        parts.album.show(frame.camera, Picture(key, frame.stamp_ns, jpegs[key]))
        gate.keep(frame, pixels)
        ingest.used(frame)
    parts.album.trim(parts.memory)
    parts.snapshots.note(changes.step(seen, jpegs, parts.timeline))
    took_s, cost = time.monotonic() - started, parts.costs.step
    if seen.whole or took_s > cost.value:  # what a step may take
        cost.add(took_s)
    return [frame for frame, _ in written]


def _written(
    parts: EngineParts, ingest: Ingest, gate: FrameGate, frames: list[tuple[Frame, Pixels]]
) -> tuple[list[tuple[Frame, Pixels]], Seen | None]:
    """
    Write frames into the memory; return those that are in it, and count the others.

    :param frames: in stamp order
    :returns: with them what became of them, None if there are none
    """
    while frames:
        try:
            seen = see_frames(
                parts.model, parts.memory, frames, parts.static, pose_frame=parts.pose_frame
            )
            kept = [] if seen is None else [ref.key for ref in seen.refs]
            for frame, _ in frames:
                if frame_key(frame) not in kept:
                    ingest.skipped(frame)
            if seen is not None:
                parts.mark_strange(seen.strange)
            return [each for each in frames if frame_key(each[0]) in kept], seen
        except OutOfSpan as error:
            astray = next(frame for frame, _ in frames if frame.camera == error.ref.camera)
            why = [ingest.differs(astray.camera, astray.stamp_ns), str(error)]
            if parts.memory.frame_count and ingest.leapt(astray, ahead=error.ahead):
                why = ['time leapt with it; the next frame counts']
            ingest.bad(astray, BadFrame('; '.join(filter(None, why))))
            frames = [seen for seen in frames if seen[0] is not astray]
        except OutOfOrder as error:
            late = next(seen for seen in frames if seen[0].camera == error.ref.camera)
            ingest.bad(late[0], BadFrame(str(error)))
            frames = [seen for seen in frames if seen is not late]
        except torch.OutOfMemoryError as error:
            said = parts.shortages.tell('step', error)
            for frame, _ in frames:
                ingest.lost(frame, said)
            break
        except Exception as error:  # model or device failed: frames are lost, the engine is not
            for frame, _ in frames:
                ingest.bad(frame, error)
            break
    return [], None
