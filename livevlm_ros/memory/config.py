# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory is asked to hold, in frames."""

from __future__ import annotations

from dataclasses import dataclass

PRESETS = ('recent', 'full')

RESERVED_POSITIONS = 1024
"""Positions of the language model kept free beside the frames: prefix, question and answer."""

PREFIX_POSITIONS = 256
"""Those of them the prefix may take."""


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """
    Preset and budgets of a memory.

    :param preset: `recent` keeps the last frames in a ring of fixed bytes; `full` keeps every
        frame until its cap
    :param short_term_frames: frames the ring of `recent` holds, shared equally between the cameras
    :param full_max_tokens: most frame tokens `full` holds; the model's positions may allow fewer
    :raises ValueError: for an unknown preset or a budget below one
    """

    preset: str = 'recent'
    short_term_frames: int = 16
    full_max_tokens: int = 65536

    def __post_init__(self) -> None:
        """Refuse settings no memory can be built from."""
        if self.preset not in PRESETS:
            raise ValueError(
                f'memory preset must be one of {", ".join(PRESETS)}, got {self.preset!r}'
            )
        for name in ('short_term_frames', 'full_max_tokens'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')
