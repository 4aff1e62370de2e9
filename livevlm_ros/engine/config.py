# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine is told before it starts: model, memory, cameras, limits of a question."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from livevlm_ros.memory import MemoryConfig
from livevlm_ros.model import ModelConfig

ON_JUMP = ('keep', 'reset', 'drop')
SKIP_STATIC = ('none', 'frames', 'tokens')
MAX_ANSWER_TOKENS = 512  # half of what the preset `full` leaves free for question and answer


@dataclass(frozen=True)
class EngineConfig:
    """
    Settings of one engine; refused at construction when one is out of range.

    :param model: weights, device and dtype
    :param memory: preset and sizes
    :param cameras: logical camera names; a frame of any other camera is a bad frame
    :param target_fps: most frames used per camera and second of header time
    :param gate: skip frames that look like the last kept one of their camera
    :param gate_similarity: how alike they must be, as the cosine of small pictures of them
    :param gate_heartbeat_s: seconds of header time after which a frame is kept in any case
    :param skip_static: what is not read again, until a heartbeat, where a camera goes on showing
        the same: `none`, `frames` in which no token shows anything new, or all such `tokens`
    :param max_blind_ms: longest time a waiting frame is passed over for questions
    :param default_budget_s: budget of a question that names none; 0: what a whole answer is
        measured to take, at least two seconds
    :param max_budget_s: a longer budget is cut to this one, and the answer's `latency.budget_ms`
        says so
    :param queue_size: questions that may wait while another is answered
    :param default_max_tokens: answer length of a question that names none
    :param temperature: sampling temperature of a question that names none; 0 is greedy
    :param max_evidence: evidence frames of a question that names no number
    :param min_confidence: an answer less sure than this is `Status.NOT_SEEN`; 0: none is
    :param max_doubt: an answer is `Status.NOT_SEEN`, too, where the model came nearer than this to
        saying that nothing was there; 1: at the checkpoint's limit; 0: none is
    :param on_jump: what stamps that run back more than one second do: the memory stays and goes on
        in a time of its own (`keep`), it is cleared where they return to the first ten seconds of
        the stream since the last leap, or before, as those of a bag that loops (`reset`), or the
        frames are dropped (`drop`). A leap in time, that far back or more than an hour ahead,
        counts when the next frame confirms it: the first frame after it is a bad one, and so is a
        lone stray stamp, which changes nothing. The frames of a camera that leaps while another
        goes on are bad: it is that camera's clock
    :param snapshot: restore what was saved in the memory's `path` at load, and save it at stop; a
        journal there has what comes in between
    :param autosave_s: seconds between two times it is saved in between; 0: as the journal grows
    :param snapshots_kept: snapshots of earlier lives that are kept, where a life that saw few
        frames overwrites them; the smallest go first
    :param pose_frame: coordinate frame that the poses of frames are in; frames that were kept with
        a pose in another one are told without
    :param threads: threads of torch on the CPU; 0: see `torch_threads`
    :param seed: seed of the sampling generator, set anew for each question
    :raises ValueError: naming each setting that is out of range, what was given and what is
        allowed
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    cameras: tuple[str, ...] = ('camera',)
    target_fps: float = 1.0
    gate: bool = False
    gate_similarity: float = 0.98
    gate_heartbeat_s: float = 5.0
    skip_static: str = 'none'
    max_blind_ms: float = 500.0
    default_budget_s: float = 0.0
    max_budget_s: float = 30.0
    queue_size: int = 8
    default_max_tokens: int = 64
    temperature: float = 0.0
    max_evidence: int = 3
    min_confidence: float = 0.3
    max_doubt: float = 1.0
    on_jump: str = 'keep'
    snapshot: bool = False
    autosave_s: float = 0.0
    snapshots_kept: int = 2
    pose_frame: str = 'map'
    threads: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are out of range, all of them in one message."""
        problems = [
            *_outside('target_fps', self.target_fps, 0.001, 1000.0),
            *_outside('gate_similarity', self.gate_similarity, 0.0, 1.0),
            *_outside('gate_heartbeat_s', self.gate_heartbeat_s, 0.001, 3600.0),
            *_outside('max_blind_ms', self.max_blind_ms, 1.0, 3_600_000.0),
            *_outside('max_budget_s', self.max_budget_s, 0.001, 3600.0),
            *_outside('default_budget_s', self.default_budget_s, 0.0, self.max_budget_s),
            *_outside('queue_size', self.queue_size, 1, 1000),
            *_outside('default_max_tokens', self.default_max_tokens, 1, MAX_ANSWER_TOKENS),
            *_outside('temperature', self.temperature, 0.0, 5.0),
            *_outside('max_evidence', self.max_evidence, 1, 255),
            *_outside('min_confidence', self.min_confidence, 0.0, 1.0),
            *_outside('max_doubt', self.max_doubt, 0.0, 1000.0),
            *_outside('autosave_s', self.autosave_s, 0.0, 86400.0),
            *_outside('snapshots_kept', self.snapshots_kept, 0, 100),
            *_outside('threads', self.threads, 0, 1024),
            *_outside('seed', self.seed, 0, 2**63 - 1),
        ]
        for name, allowed in (('on_jump', ON_JUMP), ('skip_static', SKIP_STATIC)):
            if (given := getattr(self, name)) not in allowed:
                problems.append(f'{name} must be one of {", ".join(allowed)}, got {given!r}')
        if self.snapshot and not self.memory.path:
            problems.append("snapshot needs a folder: set the memory's path")
        if self.autosave_s > 0 and not self.snapshot:
            problems.append(f'autosave_s is {self.autosave_s:g}, but snapshot is off: set it')
        if not self.cameras or not all(self.cameras) or len(set(self.cameras)) < len(self.cameras):
            problems.append(f'cameras must be distinct names, at least one, got {self.cameras!r}')
        if problems:
            raise ValueError('; '.join(problems))

    @property
    def torch_threads(self) -> int:
        """
        Threads that torch is told to use on the CPU; 0 leaves it its own choice.

        Without a wish it is one for the embedded model, which is too small to gain from more and
        loses much to them where the cores are busy.
        """
        return self.threads or (1 if self.model.path == 'embedded' else 0)


def _outside(name: str, value: float, low: float, high: float) -> list[str]:
    """Return the complaint about a number outside [low, high], or nothing."""
    if not math.isnan(value) and low <= value <= high:
        return []
    return [f'{name} must be between {low:g} and {high:g}, got {value!r}']
