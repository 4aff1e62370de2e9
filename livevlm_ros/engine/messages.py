# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes into the engine and what comes out: frames, questions, answers.

Stamps are header time in integer nanoseconds; durations are seconds on the steady clock; latencies
are milliseconds. The numbers of `Status`, `Finish`, `Scope`, `Priority`, `Phase` and `Source`
are those of `Ask.srv`, `AskStream.action` and `Evidence.msg`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from livevlm_ros.pose import Pose

Pixels = np.ndarray  # uint8 RGB, [height, width, 3]


class BadFrame(ValueError):
    """A frame that cannot be used: says what was given and what was expected."""


class NotDone(RuntimeError):
    """What was asked of the memory cannot be done now: says why."""


class Status(IntEnum):
    """How a question ended (`Ask.srv` STATUS_*)."""

    OK = 0
    PARTIAL = 1
    DEADLINE = 2
    NO_EVIDENCE = 3
    OVERLOADED = 4
    NOT_ACTIVE = 5
    INVALID = 6
    CANCELED = 7
    ERROR = 8
    NOT_SEEN = 9


ANSWERED = frozenset({Status.OK, Status.PARTIAL, Status.NOT_SEEN})
"""With these there is an answer, be it a guess."""


class Finish(IntEnum):
    """Why the answer stopped growing (`Ask.srv` FINISH_*)."""

    STOP = 0
    LENGTH = 1
    BUDGET = 2
    CANCELED = 3
    NONE = 4


class Scope(IntEnum):
    """Which part of the memory a question reads (`Ask.srv` SCOPE_*)."""

    AUTO = 0
    NOW = 1
    SHORT_TERM = 2
    LONG_TERM = 3
    ALL = 4


class Priority(IntEnum):
    """Whether a question goes before others (`Ask.srv` PRIORITY_*)."""

    NORMAL = 0
    HIGH = 1


class Phase(IntEnum):
    """What is being done for a question (`AskStream.action` PHASE_*)."""

    QUEUED = 0
    RETRIEVING = 1
    PREFILL = 2
    DECODING = 3


class Source(IntEnum):
    """Where an evidence frame was found (`Evidence.msg` SOURCE_*)."""

    SHORT_TERM = 0
    LONG_TERM = 1


NAME_CHARACTERS = 256
"""Characters that are kept of a name that comes from outside: a camera, a frame, an encoding."""


NO_TIME = -(2**63)


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One camera image on its way to the engine.

    :param camera: logical camera name, one of the engine's configured cameras
    :param stamp_ns: header stamp in nanoseconds, the time base of the memory
    :param pixels: the image, or a function that decodes it when the engine takes the frame; the
        function raises `BadFrame` for data that cannot be decoded
    :param frame_id: the header's coordinate frame, handed back with evidence; the engine keeps
        `NAME_CHARACTERS` of it
    :param pose: where the camera was; or a function that says it, or None, when the frame enters
        the memory: what tells poses may be behind the camera
    :param stream_ns: its place in the memory's own time, which the engine gives it; by default
        `stamp_ns`
    """

    camera: str
    stamp_ns: int
    pixels: Pixels | Callable[[], Pixels]
    frame_id: str = ''
    stream_ns: int = NO_TIME
    pose: Pose | Callable[[], Pose | None] | None = None

    def __post_init__(self) -> None:
        """Take the stamp as the place in time where none is given."""
        if self.stream_ns == NO_TIME:
            object.__setattr__(self, 'stream_ns', self.stamp_ns)


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question for the engine; `None` means the engine's configured default.

    :param text: the question in the user's words
    :param request_id: echoed in the answer; the engine makes one when it is empty
    :param budget_s: seconds on the steady clock from `received_s` to the reply; None: configured
        default; 0: what a whole answer is measured to take
    :param max_tokens: most answer tokens
    :param temperature: 0, or too little to tell from it, is greedy
    :param allow_partial: return what is decoded when the budget ends, else `Status.DEADLINE`
    :param scope: part of the memory to read
    :param cameras: read these cameras only; empty: all
    :param time_start_ns: read no frame with an earlier stamp; 0: open
    :param time_end_ns: read no frame with a later stamp; 0: open
    :param lookback_s: read no frame older than this before `as_of_ns`, or before the newest frame;
        0: open
    :param as_of_ns: answer as if no frame with a later stamp had been seen; 0: now
    :param priority: a high one goes before those that wait with a normal one
    :param max_evidence: most evidence frames returned
    :param attach_images: put a jpeg thumbnail beside each evidence frame
    :param min_confidence: an answer less sure than this is `Status.NOT_SEEN`; 0: none is, whatever
        the doubt
    :param max_doubt: an answer with more doubt than this is `Status.NOT_SEEN`, too; 0: none is
    :param choices: the answer is the likeliest of these; empty: any words. `max_tokens` and
        `temperature` are then ignored
    :param recalls: only the frames are wanted that an answer would rest on; nothing is decoded
    :param unlimited: no deadline at all (offline evaluation); `budget_s` is then ignored
    """

    text: str
    request_id: str = ''
    budget_s: float | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    allow_partial: bool = True
    scope: Scope = Scope.AUTO
    cameras: tuple[str, ...] = ()
    time_start_ns: int = 0
    time_end_ns: int = 0
    lookback_s: float = 0.0
    as_of_ns: int = 0
    priority: Priority = Priority.NORMAL
    max_evidence: int | None = None
    attach_images: bool = False
    min_confidence: float | None = None
    max_doubt: float | None = None
    choices: tuple[str, ...] = ()
    recalls: bool = False
    unlimited: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    A frame that the answer attended to.

    :param score: its share of the attention on frames
    :param pose: where the camera was, if that is known
    :param stream_ns: its place in the memory's own time; by default `stamp_ns`
    """

    camera: str
    stamp_ns: int
    frame_id: str
    frame_key: str
    score: float
    source: Source = Source.SHORT_TERM
    thumbnail_jpeg: bytes = b''
    pose: Pose | None = None
    stream_ns: int = NO_TIME

    def __post_init__(self) -> None:
        """Take the stamp as the place in time where none is given."""
        if self.stream_ns == NO_TIME:
            object.__setattr__(self, 'stream_ns', self.stamp_ns)


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a question is.

    :param elapsed_s: seconds since the question came in
    :param left_s: seconds of its budget that are left
    :param text: of the answer so far, whole characters; it grows at its end only
    :param tokens: of the answer so far
    """

    phase: Phase
    elapsed_s: float
    left_s: float
    text: str = ''
    tokens: int = 0


@dataclass(slots=True)
class Latency:
    """Milliseconds on the steady clock; `total_ms` is at least the sum of the other parts."""

    queue_ms: float = 0.0
    ingest_wait_ms: float = 0.0
    retrieval_ms: float = 0.0
    restore_ms: float = 0.0
    prefill_ms: float = 0.0
    first_token_ms: float = 0.0
    decode_ms: float = 0.0
    postprocess_ms: float = 0.0
    total_ms: float = 0.0
    budget_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The engine's reply to one question; fields as in `Ask.srv`'s response.

    :param confidence: the mean probability of the answer's tokens, or the probability of the
        choice among all, times the share of the evidence that is no strange picture; 0 without an
        answer
    :param doubt: how near the model came to saying that nothing was there, or how far beyond it
        was: 1 is the checkpoint's limit; 0 where it has none, and over ROS
    :param choice_index: the answer's place in the question's `choices`; -1: there were none
    """

    status: Status
    message: str = ''
    request_id: str = ''
    text: str = ''
    confidence: float = 0.0
    doubt: float = 0.0
    choice_index: int = -1
    evidence: tuple[Evidence, ...] = ()
    truncated: bool = False
    finish: Finish = Finish.NONE
    scope_used: Scope = Scope.AUTO
    newest_stamp_ns: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    frames_considered: int = 0
    retry_after_s: float = 0.0
    model_id: str = ''
    degradation: int = 0
    latency: Latency = field(default_factory=Latency)
