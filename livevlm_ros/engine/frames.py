# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From camera frames to keys and values in the memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.engine.static_tokens import StaticTokens, rows
from livevlm_ros.memory import FrameRef, Memory
from livevlm_ros.memory.views.step import Written
from livevlm_ros.model import VideoLanguageModel


class Seen(NamedTuple):
    """
    Frames that are in the memory now.

    :param written: what they became there
    :param strange: keys of those unlike the frames that the checkpoint was calibrated on
    :param whole: whether every token of the step's frames was read
    """

    refs: Sequence[FrameRef]
    written: Written
    strange: Sequence[str]
    whole: bool = True


def see_frames(
    model: VideoLanguageModel,
    memory: Memory,
    frames: list[tuple[Frame, Pixels]],
    static: StaticTokens | None = None,
    *,
    pose_frame: str = '',
) -> Seen | None:
    """
    Encode frames in stamp order and keep their keys and values in the memory.

    :param static: knows what of them has been read before; None: all of them is read
    :param pose_frame: the coordinate frame of their poses
    :returns: those that are kept, which are all but frames that show nothing new; None: none is
    """
    start_ns = memory.ids.start_ns(frames[0][0].stream_ns)
    tokens = model.encode_frames(  # [frames, tokens_per_frame, hidden]
        [pixels for _, pixels in frames],
        [max(0, frame.stream_ns - start_ns) / 1e9 for frame, _ in frames],
    )
    refs = [_ref(frame, pose_frame) for frame, _ in frames]
    changed = static.changed(refs, tokens) if static is not None else None
    whole = changed is None or bool(changed.all())
    if changed is not None:
        new = changed.any(dim=1)
        refs = [ref for ref, is_new in zip(refs, new.tolist(), strict=True) if is_new]
        if not refs:
            return None
        tokens, changed = rows(tokens, new), changed[new]
    view = memory.step(refs, changed)
    read = tokens.flatten(0, 1)
    model.read(read if changed is None else rows(read, changed.flatten()), view)
    strange = None if model.familiarity is None else model.familiarity.strange(tokens)
    kept = None if static is None or changed is None else static.read(refs, tokens, changed)
    written = view.commit()  # last: what fails before it changes nothing
    if static is not None and kept is not None:
        static.keep(kept)
    if model.device.type == 'cuda':  # else the cost of the step would be booked to the next answer
        torch.cuda.synchronize(model.device)
    marks = [False] * len(refs) if strange is None else strange.tolist()
    keys = [ref.key for ref, is_strange in zip(refs, marks, strict=True) if is_strange]
    return Seen(refs, written, keys, whole)


def _ref(frame: Frame, pose_frame: str) -> FrameRef:
    pose, key = frame.pose() if callable(frame.pose) else frame.pose, frame_key(frame)
    return FrameRef(frame.camera, frame.stream_ns, frame.frame_id, key, pose, pose_frame)


def frame_key(frame: Frame) -> str:
    """Return the stable name of a frame: camera and stream time, which no two frames share."""
    return f'{frame.camera}/{frame.stream_ns}'


def checked(pixels: Pixels) -> Pixels:
    """
    Return the image if it is one.

    :param pixels: expected uint8 RGB [height, width, 3]
    :raises BadFrame: for anything else
    """
    if not isinstance(pixels, np.ndarray):
        raise BadFrame(f'got {type(pixels).__name__}, expected a uint8 array [height, width, 3]')
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise BadFrame(
            f'got {pixels.dtype} {list(pixels.shape)}, expected a uint8 array [height, width, 3]'
        )
    return pixels
