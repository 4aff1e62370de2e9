# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The streaming key-value cache: what was seen, as keys and values the language layers attend to.

Keys are kept before rotary position, so a stream never runs out of positions; every read puts its
tokens at 0..n-1. This room knows layers, heads and source frames; it knows no pixels, no text and
no ROS. Its names bring torch in when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livevlm_ros.memory.archive.room import AUTO
from livevlm_ros.memory.config import (
    PREFIX_POSITIONS,
    PRESETS,
    RESERVED_POSITIONS,
    MemoryConfig,
)

if TYPE_CHECKING:
    from livevlm_ros.memory.calibration import HeadChoice, HeadRecall, HeadScores, choose_heads
    from livevlm_ros.memory.filter import ReadFilter
    from livevlm_ros.memory.forgetting import Freed
    from livevlm_ros.memory.memory import Memory
    from livevlm_ros.memory.positions import FramePositions
    from livevlm_ros.memory.recall import RecallCounts
    from livevlm_ros.memory.settings import RetrievalSettings
    from livevlm_ros.memory.shape import CacheShape, FrameRef
    from livevlm_ros.memory.short_term import OutOfOrder
    from livevlm_ros.memory.sizes import MemoryRoom, MemorySizes
    from livevlm_ros.memory.snapshot import SnapshotError
    from livevlm_ros.memory.state import State
    from livevlm_ros.memory.tokens import OutOfSpan
    from livevlm_ros.memory.views.evidence import EvidenceHeads
    from livevlm_ros.memory.views.question import ProbeView, QuestionView
    from livevlm_ros.memory.views.step import StepView
    from livevlm_ros.memory.views.view import TooManyTokens, View

__all__ = [
    'AUTO',
    'PREFIX_POSITIONS',
    'PRESETS',
    'RESERVED_POSITIONS',
    'CacheShape',
    'EvidenceHeads',
    'FramePositions',
    'FrameRef',
    'Freed',
    'HeadChoice',
    'HeadRecall',
    'HeadScores',
    'Memory',
    'MemoryConfig',
    'MemoryRoom',
    'MemorySizes',
    'OutOfOrder',
    'OutOfSpan',
    'ProbeView',
    'QuestionView',
    'ReadFilter',
    'RecallCounts',
    'RetrievalSettings',
    'SnapshotError',
    'State',
    'StepView',
    'TooManyTokens',
    'View',
    'choose_heads',
]

_LATE = {
    'CacheShape': 'shape',
    'EvidenceHeads': 'views.evidence',
    'FramePositions': 'positions',
    'FrameRef': 'shape',
    'Freed': 'forgetting',
    'HeadChoice': 'calibration',
    'HeadRecall': 'calibration',
    'HeadScores': 'calibration',
    'Memory': 'memory',
    'MemoryRoom': 'sizes',
    'MemorySizes': 'sizes',
    'OutOfOrder': 'short_term',
    'OutOfSpan': 'tokens',
    'ProbeView': 'views.question',
    'QuestionView': 'views.question',
    'ReadFilter': 'filter',
    'RecallCounts': 'recall',
    'RetrievalSettings': 'settings',
    'SnapshotError': 'snapshot',
    'State': 'state',
    'StepView': 'views.step',
    'TooManyTokens': 'views.view',
    'View': 'views.view',
    'choose_heads': 'calibration',
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for."""
    if name not in _LATE:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    return getattr(import_module(f'{__name__}.{_LATE[name]}'), name)
