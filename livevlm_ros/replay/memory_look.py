# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Looking into a memory in the middle of a replay: what it holds and what a question reads."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from livevlm_ros.engine import EngineConfig
from livevlm_ros.engine.gate import FrameGate
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.parts import EngineParts, LoadModel, build_parts
from livevlm_ros.engine.step import take_step
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording import timed
from livevlm_ros.replay.source import open_source

if TYPE_CHECKING:
    from livevlm_ros.engine import FrameRef


@dataclass(frozen=True, slots=True)
class Look:
    """
    The memory when a question came, and what the question did with it.

    :param seconds: stamps of the frames kept so far, from the recording's first, [frames]
    :param tiers: by tier, which tokens it holds in every layer, bool [frames, tokens_per_frame];
        those of long-term may be in the archive too
    :param read: which tokens the question read, bool [layers, frames, tokens_per_frame]
    :param attention: share of the first answer token's attention, [frames]
    :param images: RGB thumbnails of the frames the memory knows, by frame
    """

    seconds: np.ndarray
    tiers: dict[str, np.ndarray]
    read: np.ndarray
    attention: np.ndarray
    images: dict[int, np.ndarray]

    @property
    def held(self) -> np.ndarray:
        """Which tokens are in any tier, bool [frames, tokens_per_frame]."""
        return np.any(list(self.tiers.values()), axis=0)

    @property
    def edges(self) -> np.ndarray:
        """Seconds at which frames begin, and at which the last one ends, [frames + 1]."""
        gap = np.median(np.diff(self.seconds)) if len(self.seconds) > 1 else 1.0
        return np.append(self.seconds, self.seconds[-1] + gap)

    def nearest(self, frame: int) -> int:
        """Return the frame nearest to another of which there is an image."""
        return min(self.images, key=lambda other: abs(other - frame))


@torch.inference_mode()
def look_at_memory(
    recording: Path,
    entry: QuestionEntry,
    config: EngineConfig,
    *,
    load: LoadModel,
    topic: str | None = None,
) -> Look:
    """
    Replay a recording up to a question, ask it, and look at the memory.

    :param load: makes the model
    :param topic: image topic, where a bag has several
    """
    parts = build_parts(config, load=load, progress=lambda phase, share: None)
    with closing(parts):
        return _look(parts, recording, entry, config, topic)


def _look(
    parts: EngineParts,
    recording: Path,
    entry: QuestionEntry,
    config: EngineConfig,
    topic: str | None,
) -> Look:
    memory, model = parts.memory, parts.model
    ingest = Ingest(config.cameras, target_fps=config.target_fps, on_jump=config.on_jump)
    gate = FrameGate(
        on=config.gate,
        similarity=config.gate_similarity,
        heartbeat_s=config.gate_heartbeat_s,
    )
    refs: list[FrameRef] = []
    seconds: list[float] = []
    for elapsed_ns, frame in timed(open_source(recording, topic=topic)):
        if elapsed_ns / 1e9 > entry.at:
            break
        ingest.put(frame)
        take_step(parts, ingest, gate)
        newest = memory.newest()
        if newest is not None and newest not in refs[-1:]:
            refs.append(newest)
            seconds.append(elapsed_ns / 1e9)
    prompt = model.question(entry.question)
    for view in memory.readings(tokens=prompt.tokens, extra_tokens=prompt.tokens):
        model.read(prompt.embeds, view)
    shares = dict(view.evidence())
    ids = torch.stack([memory.ids.of_frame(ref) for ref in refs])  # [frames, tokens_per_frame]
    read = [torch.isin(ids, view.ids(layer)).numpy() for layer in range(model.shape.layers)]
    jpegs = {number: parts.album.get(ref.key) for number, ref in enumerate(refs)}
    memory.settle()
    return Look(
        seconds=np.array(seconds),
        tiers={name: held.numpy() for name, held in memory.holds(refs).items()},
        read=np.stack(read),
        attention=np.array([shares.get(ref, 0.0) for ref in refs]),
        images={number: _image(jpeg) for number, jpeg in jpegs.items() if jpeg},
    )


def _image(jpeg: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(bgr)[..., ::-1]
