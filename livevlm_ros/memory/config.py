# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a memory is asked to hold: a preset, one file each in `presets/`, and what replaces it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from livevlm_ros.memory.archive.room import AUTO

PRESETS = ('recent', 'full', 'rekv', 'livevlm', 'balanced')
EVICTIONS = ('vsb', 'fifo', 'uniform', 'infinipot')
ARCHIVE_BITS = (0, 4, 8, 16)
RETRIEVALS = ('tokens', 'means', 'frames', 'frames-only')

RESERVED_POSITIONS = 1024
"""Positions of the language model kept free beside the frames: prefix, question and answer."""

FULL_FIRST_FRAMES = 64
"""Frames `full` has room for before it first grows."""

PREFIX_POSITIONS = 256
"""Those of them the prefix may take."""


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """
    Preset and budgets of a memory; -1 or '' stands for the preset's value.

    :param preset: a file of `presets/`
    :param short_term_frames: newest frames kept whole, shared equally between the cameras
    :param long_term_frames: frames' worth of tokens that bucketing keeps of what left short-term,
        shared equally between the cameras; 0: none
    :param eviction: who stays when long-term is full: `vsb` (Vision Sink Bucketing), or the
        baselines `fifo` (the newest), `uniform` (evenly over time) and `infinipot` (what is new
        at its place, and what has large values)
    :param archive_bits: of a number in the archive of what leaves short-term, 4, 8 or 16; 0: there
        is none, what long-term drops is gone
    :param archive_host_bytes: RAM the archive may take; -1: a quarter of what is free when the
        memory is built
    :param archive_disk_bytes: disk it may take when RAM is full; 0: none, -1: a quarter of what is
        free there
    :param path: folder of the archive's file
    :param retrieval: how a question finds what left short-term: by `tokens`, one choice of pages
        for all layers; by page `means`, each layer for itself, as LiveVLM has it; by `frames`,
        their mean keys, each layer for itself, as ReKV has it; by `frames-only`, as ReKV's authors
        run it: what was found is all that is read, short-term's frames among it or not
    :param retrieval_frames: frames' worth of tokens that it reads of them
    :param tau: least cosine between a question's queries and those that chose its pages the last
        time, for pages to be read without a new choice; above 1 none is read so
    :param full_max_tokens: most frame tokens `full` holds; the model's positions may allow fewer
    :raises ValueError: naming a setting that is out of range, what was given and what is allowed
    """

    preset: str = 'recent'
    short_term_frames: int = -1
    long_term_frames: int = -1
    eviction: str = ''
    archive_bits: int = -1
    archive_host_bytes: int = 256 * 2**20
    archive_disk_bytes: int = 0
    path: str = ''
    retrieval: str = ''
    retrieval_frames: int = -1
    tau: float = 0.8
    full_max_tokens: int = 65536

    def __post_init__(self) -> None:
        """Take the preset's values where none are given; refuse what no memory can be."""
        _one_of('memory preset', self.preset, PRESETS)
        preset = {**_DEFAULTS, **_read(self.preset)}
        for field in fields(self):
            if field.name in preset and getattr(self, field.name) in (-1, ''):
                object.__setattr__(self, field.name, preset[field.name])
        _one_of('eviction', self.eviction, EVICTIONS)
        _one_of('archive_bits', self.archive_bits, ARCHIVE_BITS)
        _one_of('retrieval', self.retrieval, RETRIEVALS)
        least = {
            'short_term_frames': self.preset != 'full',
            'long_term_frames': 0,
            'retrieval_frames': 0,
            'full_max_tokens': 1,
            'archive_host_bytes': AUTO,
            'archive_disk_bytes': AUTO,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f'{name} must be at least {low:d}, got {getattr(self, name)}')
        if math.isnan(self.tau):
            raise ValueError('tau must be a number, got nan')
        if self.archive_disk_bytes and not self.path:
            raise ValueError('archive_disk_bytes needs a folder: set path')
        if self.preset == 'full' and self.retrieves:
            raise ValueError(
                'full keeps every frame in short-term: long_term_frames and archive_bits must be '
                f'0, got {self.long_term_frames} and {self.archive_bits}'
            )
        if self.retrieves and not self.retrieval_frames:
            raise ValueError(
                'retrieval_frames is 0, but frames that left short-term are kept: set it'
            )

    @property
    def gives_up(self) -> str:
        """Which of context, accuracy and performance the preset pays with."""
        return str(_read(self.preset)['gives_up'])

    @property
    def chooses_once(self) -> bool:
        """Whether pages are chosen once for all layers."""
        return self.retrieves and self.retrieval == 'tokens'

    @property
    def finds_frames(self) -> bool:
        """Whether whole frames are found, by their mean keys."""
        return self.retrieval in ('frames', 'frames-only')

    @property
    def frames_to_read(self) -> int:
        """Most frames that a question reads; of `full` what it has room for before it grows."""
        if self.preset == 'full':
            return FULL_FIRST_FRAMES
        return self.short_term_frames + self.retrieval_frames

    def frames_read(self, held: int, *, share: float) -> int:
        """
        Return how many frames' worth of tokens a question reads at most.

        :param held: frames of which the memory holds a token
        :param share: of what retrieval would read
        """
        if self.preset == 'full':
            return held
        return min(held, self.short_term_frames + int(self.retrieval_frames * share))

    @property
    def retrieves(self) -> bool:
        """Whether questions read more than short-term."""
        return bool(self.long_term_frames or self.archive_bits)


def read_preset(text: str, *, name: str) -> dict[str, Any]:
    """
    Read a preset file.

    :raises ValueError: for a key that is no setting, or a missing `gives_up`
    """
    settings = yaml.safe_load(text)
    known = {field.name for field in fields(MemoryConfig) if field.default in (-1, '')}
    known = known - {'path'} | {'gives_up'}
    if not isinstance(settings, dict) or 'gives_up' not in settings:
        raise ValueError(f'preset {name}: expected settings with gives_up, got {settings!r}')
    if unknown := sorted(set(settings) - known):
        raise ValueError(
            f'preset {name}: unknown {", ".join(map(str, unknown))}; '
            f'expected some of {", ".join(sorted(known))}'
        )
    return settings


_DEFAULTS = {'eviction': 'vsb', 'archive_bits': 0, 'retrieval': 'tokens', 'retrieval_frames': 0}


@cache
def _read(preset: str) -> dict[str, Any]:
    file = files('livevlm_ros.memory') / 'presets' / f'{preset}.yaml'
    return read_preset(file.read_text(encoding='utf-8'), name=preset)


def _one_of(name: str, given: object, allowed: tuple) -> None:
    if given not in allowed:
        raise ValueError(f'{name} must be one of {", ".join(map(str, allowed))}, got {given!r}')
