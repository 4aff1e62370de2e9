# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long everything that the cameras see is kept, until the memory begins to lose some of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.memory import MemoryRoom

SHORT_S = 3600.0
"""An archive that keeps everything for less than this is said to be small."""

_UNITS = (('d', 86400), ('h', 3600), ('min', 60), ('s', 1))


@dataclass(frozen=True, slots=True)
class Horizon:
    """
    How long everything is kept.

    :param seconds: of header time, with a frame of each camera as often as one is remembered
    :param text: the same in words, tier by tier
    :param advice: what to change where an archive keeps it for less than `SHORT_S`, else empty
    """

    seconds: float
    text: str
    advice: str = ''

    @classmethod
    def of(cls, room: MemoryRoom, config: EngineConfig) -> Horizon:
        """Tell from what a memory has room for."""
        cameras, archive = len(config.cameras), room.archive
        frames_per_s = config.target_fps * cameras
        seconds = room.frames / frames_per_s
        rate = f'{round(float(config.target_fps), 3)} frames/s of {_of_all(cameras)}'
        tiers = ', '.join(_tiers(room, frames_per_s))
        text = (
            f'everything seen is kept for {duration(seconds)} at {rate} ({tiers}), '
            f'then {_first_loss(room, config)}'
        )
        if archive is None or seconds >= SHORT_S:
            return cls(seconds, text)
        return cls(
            seconds,
            text,
            f'that is less than {duration(SHORT_S)}: raise memory.archive_host_bytes or '
            'memory.archive_disk_bytes, or lower memory.archive_bits or ingest.target_fps',
        )


def _of_all(cameras: int) -> str:
    return '1 camera' if cameras == 1 else f'each of {cameras} cameras'


def _tiers(room: MemoryRoom, frames_per_s: float) -> Iterator[str]:
    """Give what each tier adds, in words."""
    yield f'{duration(room.device_frames / frames_per_s)} on the device'
    archive = room.archive
    if archive is None:
        return
    yield f'{duration(archive.host_frames / frames_per_s)} in {size(archive.host_bytes)} of RAM'
    if archive.disk_frames:
        on_disk = duration(archive.disk_frames / frames_per_s)
        yield f'{on_disk} in {size(archive.disk_bytes)} on disk'


def _first_loss(room: MemoryRoom, config: EngineConfig) -> str:
    if room.archive is not None:
        return 'the oldest frames are thinned'
    if config.memory.long_term_frames:
        return f"{config.memory.long_term_frames} frames' worth of older tokens stay"
    return 'the oldest frames leave'


def duration(seconds: float) -> str:
    """Return a duration in words, by its two largest units."""
    left = round(seconds)
    first = next((n for n, (_, length) in enumerate(_UNITS) if left >= length), len(_UNITS) - 1)
    words: list[str] = []
    for unit, length in _UNITS[first : first + 2]:
        if left >= length or not words:
            words.append(f'{left // length} {unit}')
        left %= length
    return ' '.join(words)


def size(nbytes: int) -> str:
    """Return bytes in words."""
    if nbytes < 1e6:
        return f'{nbytes / 1e3:.0f} kB'
    return f'{nbytes / 1e9:.1f} GB' if nbytes >= 1e9 else f'{nbytes / 1e6:.0f} MB'
