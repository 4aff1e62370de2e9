# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure what a step and an answer cost, so that the first question is already bounded."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence

import numpy as np

from livevlm_ros.engine.budget import Costs
from livevlm_ros.engine.frames import see_frames
from livevlm_ros.engine.messages import Frame
from livevlm_ros.engine.question_read import read_question
from livevlm_ros.memory import FrameRef, Memory
from livevlm_ros.model import UnknownWords, VideoLanguageModel

WARM_UP_S = 5.0  # after which nothing is done twice: on a slow machine one run tells enough
STEPS = 3  # the first is not counted if there are others: it pays for allocations
TOKENS = 3
SPACING_NS = 10**9  # between frames of noise
_PROBE = 'what do you see now ?'

_log = logging.getLogger(__name__)


def warm_up(
    model: VideoLanguageModel, scratch: Memory, *, cameras: Sequence[str], frames: int
) -> Costs:
    """
    Run dummy frames and a question through a scratch memory; return what they cost.

    :param frames: of noise that fill the memory first, as many as a question reads, so that a
        question that retrieves is measured
    """
    _log.info('the weights are loaded, measuring what work costs')
    began_s = time.monotonic()
    ends_s = began_s + WARM_UP_S
    last_ns = _fill(scratch, cameras, frames // len(cameras) + 1)
    costs = Costs()
    measure_answer(model, scratch, costs, ends_s=ends_s)
    if time.monotonic() + costs.answer.value < ends_s:
        costs = Costs()  # without the allocations that the first has paid for
        measure_answer(model, scratch, costs)
    _measure_steps(model, scratch, costs, cameras, after_ns=last_ns, ends_s=ends_s)
    scratch.settle()
    _log.info(
        'a step takes %.2f s, the shortest answer %.2f s: measured in %.1f s',
        costs.step.value,
        costs.cheapest_answer_s(),
        time.monotonic() - began_s,
    )
    return costs


def _measure_steps(
    model: VideoLanguageModel,
    scratch: Memory,
    costs: Costs,
    cameras: Sequence[str],
    *,
    after_ns: int,
    ends_s: float,
) -> None:
    grey = np.full((480, 640, 3), 128, np.uint8)
    for number in range(STEPS):
        stamp_ns = after_ns + (number + 1) * SPACING_NS
        started = time.monotonic()
        see_frames(model, scratch, [(Frame(camera, stamp_ns, grey), grey) for camera in cameras])
        took_s = time.monotonic() - started
        is_last = number == STEPS - 1 or started + 2 * took_s > ends_s
        if number or is_last:
            costs.step.add(took_s)
        if is_last:
            break


def _fill(scratch: Memory, cameras: Sequence[str], frames: int) -> int:
    """Put frames of noise into a memory, so many a camera; return the last stamp."""
    for number in range(frames):
        stamp_ns = (number + 1) * SPACING_NS
        scratch.put_noise([FrameRef(camera, stamp_ns) for camera in cameras])
        scratch.settle()
    return frames * SPACING_NS


def measure_answer(
    model: VideoLanguageModel, memory: Memory, costs: Costs, *, ends_s: float = math.inf
) -> None:
    """
    Read a question and decode a few tokens, waiting for nothing; the memory stays as it was.

    :param ends_s: when to decode no more than one, on `time.monotonic`
    """
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
        costs.token.add(time.monotonic() - begun, question.length)
        if time.monotonic() > ends_s:
            break
    costs.answer.add(time.monotonic() - started)


def _probe_text(model: VideoLanguageModel) -> str:
    """Return a question the model understands; one with few words names examples itself."""
    try:
        model.question(_PROBE)
    except UnknownWords as error:
        return next(iter(error.examples.values()), '')
    return _PROBE
