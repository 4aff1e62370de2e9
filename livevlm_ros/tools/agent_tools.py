# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A camera memory as the tools of an agent.

Signatures and docstrings are what the agent is told: names, limits and defaults of the arguments,
the schema of what comes back, and what each tool is for.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Literal

from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel, Field

from livevlm_ros.engine.messages import (
    ANSWERED,
    Answer,
    Evidence,
    NotDone,
    Question,
    Status,
)
from livevlm_ros.engine.watch import Watch
from livevlm_ros.seconds import LATEST_S, Seconds
from livevlm_ros.tools.agent_words import (
    Forgotten,
    Recalled,
    Reply,
    Sighting,
    State,
    Timeline,
    WatchList,
    frame_uri,
    reply,
    seen_frames,
    state_told,
    took_s,
    watch_told,
)
from livevlm_ros.tools.camera_memory import CameraMemory

LONGEST_BUDGET_S = 3600.0

Words = Annotated[str, Field(description='In plain words.')]
Budget = Annotated[
    float,
    Field(
        ge=0,
        le=LONGEST_BUDGET_S,
        description='Seconds the reply may take; 0: as a whole answer usually needs.',
    ),
]
Cameras = Annotated[tuple[str, ...], Field(description='Only these cameras; none: all.')]
Lookback = Annotated[
    float, Field(ge=0, le=LATEST_S, description='Only the last so many seconds; 0: all.')
]
AsOf = Annotated[
    float | None,
    Field(ge=0, le=LATEST_S, description='As if it were this time, header stamp in seconds.'),
]
From = Annotated[float | None, Field(ge=0, le=LATEST_S, description='First stamp, seconds.')]
Until = Annotated[float | None, Field(ge=0, le=LATEST_S, description='Last stamp, seconds.')]


class AgentTools:
    """The tools, over one memory; any thread."""

    def __init__(self, memory: CameraMemory) -> None:
        self._memory = memory

    def ask(
        self,
        question: Words,
        budget_s: Budget = 0.0,
        cameras: Cameras = (),
        lookback_s: Lookback = 0.0,
        as_of_s: AsOf = None,
        choices: Annotated[
            tuple[str, ...], Field(description='The answer is one of these; none: free words.')
        ] = (),
        images: Annotated[bool, Field(description='Show the evidence frames.')] = False,
    ) -> Annotated[CallToolResult, Reply]:
        """
        Ask what the cameras saw, now or long ago.

        Answers in a few words, with the frames the answer was read from. Each question stands
        alone: name what you mean, "it" refers to nothing.
        """
        asked = self._question(question, budget_s, cameras, lookback_s, as_of_s)
        answer = self._asked(replace(asked, choices=choices, attach_images=images))
        return _result(
            reply(answer, self._seconds, sure=_sure(answer)), answer.evidence if images else ()
        )

    def recall(
        self,
        question: Words,
        max_frames: Annotated[int, Field(ge=1, le=32)] = 4,
        budget_s: Budget = 0.0,
        cameras: Cameras = (),
        lookback_s: Lookback = 0.0,
        as_of_s: AsOf = None,
        images: Annotated[bool, Field(description='Show the frames.')] = True,
    ) -> Annotated[CallToolResult, Recalled]:
        """Find the frames that a question wants, without an answer, to look at yourself."""
        seconds = self._seconds
        from_s = as_of_s - lookback_s if as_of_s is not None and lookback_s else None
        asked = Question(
            question,
            budget_s=budget_s or None,
            cameras=cameras,
            time_start_ns=seconds.begin_ns(from_s),
            time_end_ns=seconds.end_ns(as_of_s),
            lookback_s=lookback_s if as_of_s is None else 0.0,
            max_evidence=max_frames,
            attach_images=images,
        )
        with _errors():
            found = _answered(self._memory.recall(asked))
        told = Recalled(
            frames=seen_frames(found.evidence, seconds),
            frames_considered=found.frames_considered,
            took_s=took_s(found),
        )
        return _result(told, found.evidence if images else ())

    def where(
        self,
        thing: Annotated[str, Field(description='Such as "the blue bicycle".')],
        budget_s: Budget = 0.0,
        cameras: Cameras = (),
        lookback_s: Lookback = 0.0,
        as_of_s: AsOf = None,
    ) -> Annotated[CallToolResult, Sighting]:
        """
        Find where something was last seen: camera, stamp, picture, and pose if it is known.

        The pose is where the camera was, in the map or odometry frame of the robot: a place to
        drive to. `sure` false, or an answer such as "never", means that it was not seen.
        """
        question = f'where did you last see {thing} ?'
        asked = self._question(question, budget_s, cameras, lookback_s, as_of_s)
        answer = self._asked(replace(asked, attach_images=True))
        seconds = self._seconds
        frames = seen_frames(answer.evidence, seconds)
        newest_s = seconds.told(answer.newest_stamp_ns)
        told = Sighting(
            answer=answer.text,
            sure=_sure(answer),
            confidence=round(answer.confidence, 4),
            frame=frames[0] if frames else None,
            age_s=round(newest_s - frames[0].stamp_s, 6) if frames else 0.0,
            newest_s=newest_s,
            others=frames[1:],
        )
        return _result(told, answer.evidence[:1])

    def timeline(
        self,
        from_s: From = None,
        until_s: Until = None,
        cameras: Cameras = (),
        max_frames: Annotated[int, Field(ge=1, le=1000)] = 50,
    ) -> Timeline:
        """List the frames that the memory holds, by time; read a frame's `uri` to see it."""
        seconds = self._seconds
        with _errors():
            frames, in_range = self._memory.memory.timeline(
                cameras,
                time_start_ns=seconds.begin_ns(from_s),
                time_end_ns=seconds.end_ns(until_s),
                max_frames=max_frames,
            )
        return Timeline(frames=seen_frames(frames, seconds), frames_in_range=in_range)

    def watch(
        self,
        action: Literal['add', 'list', 'remove'] = 'list',
        question: Annotated[str, Field(description='With add.')] = '',
        watch_id: Annotated[
            str, Field(description='With remove; with add a name of your own, or none.')
        ] = '',
        every_s: Annotated[
            float, Field(gt=0, le=LATEST_S, description='With add: asked so often.')
        ] = 1.0,
        min_confidence: Annotated[
            float, Field(ge=0, le=1, description='With add: count only answers so sure.')
        ] = 0.0,
        budget_s: Budget = 0.0,
        cameras: Cameras = (),
    ) -> WatchList:
        """
        Ask a question again and again while frames come: add, list or remove such watches.

        Each watch in the list has its last answer, and how often that changed; look again later.
        """
        watches, added, removed = self._memory.watches, '', 0
        with _errors():
            if action == 'add':
                added = watches.add(
                    Watch(
                        question,
                        watch_id,
                        cameras,
                        period_s=every_s,
                        min_confidence=min_confidence,
                        budget_s=budget_s or None,
                    )
                )
            elif action == 'remove':
                if not watch_id:
                    raise ToolError('watch_id: got none, expected one that list names')
                removed = watches.remove(watch_id)
                if not removed:
                    raise ToolError(f'watch_id: got {watch_id!r}, expected one that list names')
            listed = [watch_told(state, self._seconds) for state in watches.list()]
        return WatchList(watch_id=added, removed=removed, watches=listed)

    def forget(
        self,
        from_s: From = None,
        until_s: Until = None,
        cameras: Cameras = (),
        everything: Annotated[bool, Field(description='Without any choice: forget all.')] = False,
    ) -> Forgotten:
        """
        Forget frames for good: of a time, of cameras, or everything. It cannot be undone.

        What lies on the disk is overwritten.
        """
        chosen = from_s is not None or until_s is not None or bool(cameras)
        if chosen == everything:
            given = 'both a choice and everything' if chosen else 'no choice'
            raise ToolError(f'got {given}, expected from_s, until_s or cameras, or everything')
        seconds = self._seconds
        with _errors():
            freed = self._memory.memory.forget(
                cameras,
                time_start_ns=seconds.begin_ns(from_s),
                time_end_ns=seconds.end_ns(until_s),
            )
        return Forgotten(frames=freed.frames, tokens=freed.tokens, disk_bytes=freed.disk_bytes)

    def status(self) -> State:
        """Say which cameras there are, which times the memory spans, and what it costs."""
        with _errors():
            return state_told(self._memory.status(), self._seconds)

    def frame(self, key: str) -> bytes:
        """Return the picture of a frame, a jpeg."""
        try:
            return self._memory.memory.frame(key).thumbnail_jpeg
        except (NotDone, ValueError) as error:
            raise ResourceNotFoundError(str(error)) from error

    @property
    def _seconds(self) -> Seconds:
        return Seconds(self._memory.zero_ns)

    def _question(
        self,
        text: str,
        budget_s: float,
        cameras: tuple[str, ...],
        lookback_s: float,
        as_of_s: float | None,
    ) -> Question:
        return Question(
            text,
            budget_s=budget_s or None,
            cameras=cameras,
            lookback_s=lookback_s,
            as_of_ns=self._seconds.end_ns(as_of_s),
        )

    def _asked(self, question: Question) -> Answer:
        with _errors():
            return _answered(self._memory.ask(question, lambda so_far: None))


def _answered(answer: Answer) -> Answer:
    """Return an answer that is one; tell the agent why there is none."""
    if answer.status in ANSWERED:
        return answer
    later = ''
    if answer.status is Status.OVERLOADED:
        later = f'; try again in {math.ceil(answer.retry_after_s * 100) / 100:g} s'
    raise ToolError(f'{answer.status.name}: {answer.message}{later}')


def _sure(answer: Answer) -> bool:
    return answer.status is not Status.NOT_SEEN


def _result(told: BaseModel, shown: Iterable[Evidence]) -> CallToolResult:
    """Return what a tool tells, and pictures, each after its frame's address."""
    content: list[ContentBlock] = [TextContent(text=told.model_dump_json(exclude_none=True))]
    for frame in shown:
        if frame.thumbnail_jpeg:
            picture = base64.b64encode(frame.thumbnail_jpeg).decode()
            content.append(TextContent(text=frame_uri(frame.frame_key)))
            content.append(ImageContent(data=picture, mime_type='image/jpeg'))
    return CallToolResult(content=content, structured_content=told.model_dump(mode='json'))


@contextmanager
def _errors() -> Iterator[None]:
    """Tell the agent why something cannot be done."""
    try:
        yield
    except (NotDone, ValueError) as error:
        raise ToolError(str(error)) from error
