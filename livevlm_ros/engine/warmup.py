# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure what a step and an answer cost, so that the first question is already bounded."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from livevlm_ros.engine.budget import Costs
from livevlm_ros.engine.frames import see_frames
from livevlm_ros.engine.messages import Frame
from livevlm_ros.engine.question_read import read_question
from livevlm_ros.memory import FrameRef, Memory
from livevlm_ros.model import UnknownWords, VideoLanguageModel

STEPS = 3  # the first is not counted: it pays for allocations
TOKENS = 3
SPACING_NS = 10**9  # between frames of noise
_PROBE = 'what do you see now ?'


def warm_up(
    model: VideoLanguageModel,
    scratch: Memory,
    costs: Costs,
    *,
    cameras: Sequence[str],
    frames: int,
) -> None:
    """
    Run dummy frames and a question through a scratch memory, and start the cost averages.

    :param frames: of noise that fill the memory first, as many as a question reads, so that a
        question that retrieves is measured
    """
    last_ns = _fill(scratch, cameras, frames // len(cameras) + 1)
    grey = np.full((480, 640, 3), 128, np.uint8)
    for number in range(STEPS):
        started = time.monotonic()
        stamp_ns = last_ns + (number + 1) * SPACING_NS
        see_frames(model, scratch, [(Frame(camera, stamp_ns, grey), grey) for camera in cameras])
        if number:
            costs.step.add(time.monotonic() - started)
    scratch.settle()
    measure_answer(model, scratch, Costs())  # pays for allocations
    measure_answer(model, scratch, costs)


def _fill(scratch: Memory, cameras: Sequence[str], frames: int) -> int:
    """Put frames of noise into a memory, so many a camera; return the last stamp."""
    for number in range(frames):
        stamp_ns = (number + 1) * SPACING_NS
        scratch.put_noise([FrameRef(camera, stamp_ns) for camera in cameras])
        scratch.settle()
    return frames * SPACING_NS


def measure_answer(model: VideoLanguageModel, memory: Memory, costs: Costs) -> None:
    """Read a question and decode a few tokens, waiting for nothing; the memory stays as it was."""
    prompt = model.question(_probe_text(model))
    started = time.monotonic()
    views = memory.readings(
        tokens=prompt.tokens, extra_tokens=prompt.tokens + TOKENS, patience_s=0.0
    )
    question = read_question(model, prompt.embeds, views)
    int(model.logits(question.hidden).argmax())
    read = time.monotonic()
    view = question.view
    view.evidence()
    costs.finish.add(time.monotonic() - read)
    question.teach(costs, tokens=prompt.tokens, until_s=read)
    for _ in range(TOKENS):
        begun = time.monotonic()
        int(model.logits(model.read(prompt.embeds[-1:], view)).argmax())
        costs.token.add(time.monotonic() - begun)
    costs.answer.add(time.monotonic() - started)


def _probe_text(model: VideoLanguageModel) -> str:
    """Return a question the model understands; one with few words names examples itself."""
    try:
        model.question(_PROBE)
    except UnknownWords as error:
        return next(iter(error.examples.values()), '')
    return _PROBE
