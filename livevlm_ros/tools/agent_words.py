# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an agent's tools return: the classes are the schemas that it is told of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field

from livevlm_ros.engine.messages import Answer, Evidence
from livevlm_ros.engine.watch import WatchState
from livevlm_ros.pose import Pose
from livevlm_ros.seconds import Seconds
from livevlm_ros.tools.camera_memory import MemoryStatus

Stamp = Annotated[float, Field(description='Header stamp of the frame, seconds.')]
Newest = Annotated[float, Field(description='Stamp of the newest frame that was looked at.')]
Confidence = Annotated[float, Field(description='Probability that the answer is right.')]


class Place(BaseModel):
    """Where the camera was: metres, and its orientation as a unit quaternion."""

    x: float
    y: float
    z: float
    qx: float
    qy: float
    qz: float
    qw: float


class SeenFrame(BaseModel):
    """A camera frame of the memory."""

    frame_key: str
    uri: Annotated[str, Field(description='Resource with the picture of the frame.')]
    camera: str
    stamp_s: Stamp
    score: Annotated[float, Field(description='How much the question wants it; 0: none asked.')]
    pose: Place | None = None


class Reply(BaseModel):
    """An answer in words, and the frames it was read from, best first."""

    answer: str
    sure: Annotated[bool, Field(description='False: a guess, it was perhaps never seen.')]
    confidence: Confidence
    message: Annotated[str, Field(description='What was given up or is doubtful.')]
    truncated: bool
    newest_s: Newest
    took_s: float
    evidence: list[SeenFrame]


class Recalled(BaseModel):
    """Frames that a question wants, best first."""

    frames: list[SeenFrame]
    frames_considered: int
    took_s: float


class Timeline(BaseModel):
    """Frames that the memory holds, oldest first, spread evenly over those in range."""

    frames: list[SeenFrame]
    frames_in_range: int


class Sighting(BaseModel):
    """Where something was last seen; `frame` has camera, stamp and pose."""

    answer: Annotated[str, Field(description='Where it was, in words.')]
    sure: Annotated[bool, Field(description='False: a guess, it was perhaps never seen.')]
    confidence: Confidence
    frame: Annotated[SeenFrame | None, Field(description='The frame the answer rests on.')]
    age_s: Annotated[float, Field(description='From that frame to the newest one.')]
    newest_s: Newest
    others: Annotated[list[SeenFrame], Field(description='More evidence, best first.')]


class WatchTold(BaseModel):
    """A standing question and its last answer; empty: none yet."""

    watch_id: str
    question: str
    answer: str
    confidence: Confidence
    answered_s: Annotated[float, Field(description='Stamp of the newest frame it could see.')]
    events: Annotated[int, Field(description='How often the answer changed.')]


class WatchList(BaseModel):
    """The standing questions, oldest first."""

    watch_id: Annotated[str, Field(description='The watch that was added; else empty.')] = ''
    removed: int = 0
    watches: list[WatchTold]


class Forgotten(BaseModel):
    """What was forgotten for good."""

    frames: int
    tokens: int
    disk_bytes: Annotated[int, Field(description='Overwritten before they were given back.')]


class CameraTold(BaseModel):
    """A camera and its newest frame; None: none came yet."""

    name: str
    newest_s: float | None


class State(BaseModel):
    """What the memory is and holds."""

    model: str
    device: str
    preset: str
    memory_id: Annotated[str, Field(description='Changes when everything is forgotten.')]
    kept: Annotated[str, Field(description='How long everything seen is kept.')]
    usual_budget_s: Annotated[float, Field(description='What a whole answer usually takes.')]
    paused: Annotated[bool, Field(description='No frame is taken in.')]
    oldest_s: Annotated[float | None, Field(description='Stamp of the oldest frame held.')]
    cameras: list[CameraTold]
    device_bytes: int
    host_bytes: int
    disk_bytes: int


def frame_uri(key: str) -> str:
    """Return the address of a frame's resource."""
    return f'livevlm://frame/{quote(key, safe="")}'


def seen_frames(found: Iterable[Evidence], seconds: Seconds) -> list[SeenFrame]:
    """Return frames as an agent is told of them."""
    return [
        SeenFrame(
            frame_key=frame.frame_key,
            uri=frame_uri(frame.frame_key),
            camera=frame.camera,
            stamp_s=seconds.told(frame.stamp_ns),
            score=round(frame.score, 4),
            pose=_place(frame.pose),
        )
        for frame in found
    ]


def reply(answer: Answer, seconds: Seconds, *, sure: bool) -> Reply:
    """Return an answer as an agent is told it."""
    return Reply(
        answer=answer.text,
        sure=sure,
        confidence=round(answer.confidence, 4),
        message=answer.message,
        truncated=answer.truncated,
        newest_s=seconds.told(answer.newest_stamp_ns),
        took_s=took_s(answer),
        evidence=seen_frames(answer.evidence, seconds),
    )


def took_s(answer: Answer) -> float:
    """Return the seconds that an answer took."""
    return round(answer.latency.total_ms / 1e3, 3)


def watch_told(state: WatchState, seconds: Seconds) -> WatchTold:
    """Return a watch as an agent is told of it."""
    return WatchTold(
        watch_id=state.watch.watch_id,
        question=state.watch.text,
        answer=state.answer,
        confidence=round(state.confidence, 4),
        answered_s=seconds.told(state.answered_ns) if state.answered_ns else 0.0,
        events=state.events,
    )


def state_told(status: MemoryStatus, seconds: Seconds) -> State:
    """Return what a memory is as an agent is told it."""
    return State(
        model=status.model,
        device=status.device,
        preset=status.preset,
        memory_id=status.memory_id,
        kept=status.kept,
        usual_budget_s=round(status.usual_budget_s, 3),
        paused=status.paused,
        oldest_s=seconds.told(status.oldest_ns) if status.oldest_ns else None,
        cameras=[
            CameraTold(name=name, newest_s=seconds.told(newest_ns) if newest_ns else None)
            for name, newest_ns in status.newest_ns.items()
        ],
        device_bytes=status.device_bytes,
        host_bytes=status.host_bytes,
        disk_bytes=status.disk_bytes,
    )


def _place(pose: Pose | None) -> Place | None:
    return None if pose is None else Place(**pose._asdict())
