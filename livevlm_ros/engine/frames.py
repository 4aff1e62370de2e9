# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From camera frames to keys and values in the memory."""

from __future__ import annotations

import numpy as np
import torch

from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.memory import FrameRef, Memory
from livevlm_ros.model import VideoLanguageModel


def see_frames(
    model: VideoLanguageModel, memory: Memory, frames: list[tuple[Frame, Pixels]]
) -> list[str]:
    """
    Encode frames in stamp order and keep their keys and values in the memory.

    :returns: keys of the frames unlike those that the checkpoint was calibrated on
    """
    refs = [
        FrameRef(frame.camera, frame.stream_ns, frame.frame_id, frame_key(frame))
        for frame, _ in frames
    ]
    start_ns = memory.ids.start_ns(refs)
    tokens = model.encode_frames(  # [frames, tokens_per_frame, hidden]
        [pixels for _, pixels in frames],
        [max(0, ref.stamp_ns - start_ns) / 1e9 for ref in refs],
    )
    view = memory.step(refs)
    model.read(tokens.flatten(0, 1), view)
    view.commit()
    if model.device.type == 'cuda':  # else the cost of the step would be booked to the next answer
        torch.cuda.synchronize(model.device)
    if model.familiarity is None:
        return []
    strange = model.familiarity.strange(tokens).tolist()
    return [ref.key for ref, is_strange in zip(refs, strange, strict=True) if is_strange]


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
