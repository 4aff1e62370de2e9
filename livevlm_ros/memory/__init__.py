# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The streaming key-value cache: what was seen, as keys and values the language layers attend to.

Keys are kept before rotary position, so a stream never runs out of positions; every read puts its
tokens at 0..n-1. This room knows layers, heads and source frames; it knows no pixels, no text and
no ROS. Names that need torch bring it in when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livevlm_ros.late import late
from livevlm_ros.memory.archive.room import AUTO
from livevlm_ros.memory.config import PREFIX_POSITIONS, PRESETS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.plan import MemoryPlan
from livevlm_ros.memory.positions import FramePositions
from livevlm_ros.memory.room import MemoryRoom
from livevlm_ros.memory.settings import RetrievalSettings
from livevlm_ros.memory.shape import CacheShape, FrameRef

if TYPE_CHECKING:
    from livevlm_ros.memory.calibration import HeadChoice, HeadRecall, HeadScores, choose_heads
    from livevlm_ros.memory.filter import ReadFilter
    from livevlm_ros.memory.forgetting import Freed
    from livevlm_ros.memory.memory import Memory
    from livevlm_ros.memory.recall import RecallCounts
    from livevlm_ros.memory.short_term import OutOfOrder
    from livevlm_ros.memory.sizes import MemorySizes
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
    'MemoryPlan',
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
    'EvidenceHeads': 'livevlm_ros.memory.views.evidence',
    'Freed': 'livevlm_ros.memory.forgetting',
    'HeadChoice': 'livevlm_ros.memory.calibration',
    'HeadRecall': 'livevlm_ros.memory.calibration',
    'HeadScores': 'livevlm_ros.memory.calibration',
    'Memory': 'livevlm_ros.memory.memory',
    'MemorySizes': 'livevlm_ros.memory.sizes',
    'OutOfOrder': 'livevlm_ros.memory.short_term',
    'OutOfSpan': 'livevlm_ros.memory.tokens',
    'ProbeView': 'livevlm_ros.memory.views.question',
    'QuestionView': 'livevlm_ros.memory.views.question',
    'ReadFilter': 'livevlm_ros.memory.filter',
    'RecallCounts': 'livevlm_ros.memory.recall',
    'SnapshotError': 'livevlm_ros.memory.snapshot',
    'State': 'livevlm_ros.memory.state',
    'StepView': 'livevlm_ros.memory.views.step',
    'TooManyTokens': 'livevlm_ros.memory.views.view',
    'View': 'livevlm_ros.memory.views.view',
    'choose_heads': 'livevlm_ros.memory.calibration',
}

__getattr__ = late(__name__, _LATE)
