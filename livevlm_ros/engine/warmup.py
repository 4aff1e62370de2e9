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
from livevlm_ros.memory import Memory
from livevlm_ros.model import UnknownWords, VideoLanguageModel

STEPS = 3  # the first is not counted: it pays for allocations
TOKENS = 3
_PROBE = 'what do you see now ?'


def warm_up(
    model: VideoLanguageModel, scratch: Memory, costs: Costs, *, cameras: Sequence[str]
) -> None:
    """Run dummy frames and a question through a scratch memory, and start the cost averages."""
    grey = np.full((480, 640, 3), 128, np.uint8)
    for number in range(STEPS):
        started = time.monotonic()
        see_frames(model, scratch, [(Frame(camera, number + 1, grey), grey) for camera in cameras])
        if number:
            costs.step.add(time.monotonic() - started)
    measure_answer(model, scratch, Costs())  # pays for allocations
    measure_answer(model, scratch, costs)


def measure_answer(model: VideoLanguageModel, memory: Memory, costs: Costs) -> None:
    """Read a question and decode a few tokens; the memory is left as it was."""
    prompt = model.question(_probe_text(model))
    view = memory.question(extra_tokens=prompt.tokens + TOKENS)
    started = time.monotonic()
    int(model.logits(model.read(prompt.embeds, view)).argmax())
    read = time.monotonic()
    view.evidence()
    seen = time.monotonic()
    costs.add_reading(tokens=prompt.tokens, read_s=read - started, retrieval_s=view.retrieval_s)
    costs.finish.add(seen - read)
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
