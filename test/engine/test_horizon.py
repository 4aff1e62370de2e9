# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine import EngineConfig, MemoryConfig, MemoryRoom
from livevlm_ros.engine.horizon import Horizon, duration, size
from livevlm_ros.memory.archive.sizes import ArchiveRoom

IN_RAM = MemoryRoom(16, ArchiveRoom(7784, 2_100_000_000))


def tell(room: MemoryRoom, *, preset: str = 'balanced', **settings) -> Horizon:
    return Horizon.of(room, EngineConfig(memory=MemoryConfig(preset), **settings))


def test_how_long_everything_is_kept_is_said_tier_by_tier() -> None:
    told = tell(IN_RAM)
    assert told.seconds == 7800
    assert told.text == (
        'everything seen is kept for 2 h 10 min at 1.0 frames/s of 1 camera (16 s on the device, '
        '2 h 9 min in 2.1 GB of RAM), then the oldest frames are thinned'
    )
    assert not told.advice


def test_more_cameras_and_more_frames_fill_it_sooner() -> None:
    told = tell(IN_RAM, cameras=('left', 'right'), target_fps=2.5)
    assert told.seconds == 7800 / 5
    assert '26 min at 2.5 frames/s of each of 2 cameras (3 s on the device' in told.text


def test_an_archive_that_holds_minutes_says_what_to_change() -> None:
    assert not tell(MemoryRoom(0, ArchiveRoom(3600, 1))).advice
    told = tell(MemoryRoom(16, ArchiveRoom(214, 268_435_456)))
    assert '3 min 50 s' in told.text and '268 MB' in told.text
    assert told.advice.startswith('that is less than 1 h: raise memory.archive_host_bytes or')


def test_what_lies_on_disk_counts() -> None:
    told = tell(MemoryRoom(0, ArchiveRoom(3600, 10**9, 90000, 112 * 10**9)))
    assert told.seconds == 93600
    assert '1 h in 1.0 GB of RAM, 1 d 1 h in 112.0 GB on disk)' in told.text


@pytest.mark.parametrize(
    ('preset', 'frames', 'said'),
    [
        ('recent', 16, '16 s at 1.0 frames/s of 1 camera (16 s on the device), then the oldest'),
        ('livevlm', 85, "1 min 25 s at .* then 61 frames' worth of older tokens stay"),
    ],
)
def test_a_preset_that_forgets_by_design_is_not_warned_of(
    preset: str, frames: int, said: str
) -> None:
    told = tell(MemoryRoom(frames), preset=preset)
    before, _, after = said.partition('.*')
    assert before in told.text and after in told.text
    assert not told.advice


@pytest.mark.parametrize(
    ('seconds', 'said'),
    [
        (0.0, '0 s'),
        (0.4, '0 s'),
        (59.6, '1 min'),
        (230, '3 min 50 s'),
        (3600, '1 h'),
        (3605, '1 h'),
        (86400 + 7200, '1 d 2 h'),
    ],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ('nbytes', 'said'),
    [(0, '0 kB'), (55_296, '55 kB'), (268_435_456, '268 MB'), (2_147_483_648, '2.1 GB')],
)
def test_bytes_in_words(nbytes: int, said: str) -> None:
    assert size(nbytes) == said


def test_a_loaded_engine_tells_and_no_other(make_engine) -> None:
    engine = make_engine(memory=MemoryConfig('balanced', archive_host_bytes=2**16))
    assert engine.stats().horizon is None
    engine.load()
    room = engine.stats().memory.room
    assert engine.stats().horizon.seconds == room.frames > 16
