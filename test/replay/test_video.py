# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import struct
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.replay.clip import Clip, Stretch
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.source import open_source
from livevlm_ros.replay.video import VideoSource

FPS = 10.0


def write_video(path: Path, count: int = 20, coding: str = 'MJPG') -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*coding), FPS, (64, 48))
    assert video.isOpened()
    for number in range(count):
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 2] = 10 * number % 250  # red, in OpenCV's order
        video.write(image)
    video.release()


def test_frames_have_the_time_of_the_video_and_rgb_pixels(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi')
    source = open_source(tmp_path / 'v.avi')
    assert source.length == 20
    stamps, reds = [], []
    for frame in source.frames():
        stamps.append(frame.stamp_ns)
        reds.append(frame.pixels().mean(axis=(0, 1)))
    assert np.allclose(np.diff(stamps) / 1e9, 1 / FPS, atol=1e-6)
    assert stamps[0] > 0, 'a zero stamp would mean "not set"'
    assert np.allclose([red for red, _, _ in reds], 10 * np.arange(20), atol=8)
    assert max(max(green, blue) for _, green, blue in reds) < 8
    assert source.warnings == []


def test_a_frame_cannot_be_decoded_after_the_next_was_read(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi', count=3)
    frames = open_source(tmp_path / 'v.avi').frames()
    first = next(frames)
    next(frames)
    with pytest.raises(BadFrame, match='frame 0'):
        first.pixels()


def test_a_cut_video_is_used_up_to_the_cut_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / 'v.avi'
    write_video(path, count=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    read = len(list(source.frames()))
    assert 10 < read < 90
    if source.length > read:
        assert len(source.warnings) == 1 and f'{read} readable' in source.warnings[0]


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi', count=0)
    with pytest.raises(BadInput, match=r'v\.avi'):
        open_source(tmp_path / 'v.avi')


class Film:
    """A `cv2.VideoCapture` of a few frames with times of one's own."""

    def __init__(self, times_s: list[float], *, fps: float, announced: int) -> None:
        self._times_s, self._at = times_s, -1
        self._says = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: float(announced)}

    def isOpened(self) -> bool:
        return True

    def grab(self) -> bool:
        self._at += 1
        return self._at < len(self._times_s)

    def get(self, what: int) -> float:
        return self._says.get(what, 1000 * self._times_s[min(self._at, len(self._times_s) - 1)])

    def release(self) -> None:
        pass


@pytest.fixture
def filmed(monkeypatch: pytest.MonkeyPatch):
    """Read a film; returns the seconds from its first frame, and the warnings."""

    def read(
        times_s: list[float],
        *,
        fps: float = 1.0,
        announced: int,
        name: str = 'v.mkv',
        duration_s: float = math.inf,
    ) -> tuple[list[float], list[str]]:
        film = Film(times_s, fps=fps, announced=announced)
        monkeypatch.setattr(cv2, 'VideoCapture', lambda path: film)
        source = Clip(VideoSource(Path(name)), Stretch(0, duration_s))
        stamps = [frame.stamp_ns for frame in source.frames()]
        return [(stamp - stamps[0]) / 1e9 for stamp in stamps], source.warnings

    return read


VARYING = [*map(float, range(16)), *(16.0 + 2 * n for n in range(16))]


@pytest.mark.parametrize(
    ('times_s', 'announced'),
    [(VARYING, 47), ([1000.0 + n for n in range(32)], 1032)],
    ids=['varying rate', 'begins at 1000 s'],
)
def test_a_whole_video_of_a_guessed_length_is_not_called_cut_off(
    filmed, times_s: list[float], announced: int
) -> None:
    seconds, warnings = filmed(times_s, announced=announced)
    assert seconds == [time - times_s[0] for time in times_s] and warnings == []


def test_a_video_that_ends_before_it_says_is_called_cut_off(filmed) -> None:
    _, (warning,) = filmed(VARYING[:20], announced=47)
    assert '47 frames announced, 20 readable: the video is cut off' in warning


@pytest.mark.parametrize(
    ('name', 'times_s', 'fps', 'says'),
    [
        ('v.h264', [0.0, 0.04, 0.08], 25.0, 'guessed from its rate of 25 frames a second'),
        ('v.avi', [0.0, 0.0, 0.0], 25.0, 'guessed from its rate of 25 frames a second'),
        ('v.avi', [0.0, 0.0, 0.0], 0.0, 'guessed from a rate of 30 frames a second'),
    ],
)
def test_times_that_are_guessed_are_told(
    filmed, name: str, times_s: list[float], fps: float, says: str
) -> None:
    seconds, (warning,) = filmed(times_s, fps=fps, announced=3, name=name)
    assert seconds == pytest.approx([0, 1 / (fps or 30), 2 / (fps or 30)]) and says in warning


def test_a_video_that_is_read_again_warns_once(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi', coding='FFV1')
    (tmp_path / 'v.avi').rename(tmp_path / 'v.mjpg')
    source = open_source(tmp_path / 'v.mjpg')
    assert [len(list(source.frames())) for _ in range(2)] == [20, 20]
    assert len(source.warnings) == 1


def test_of_a_video_that_is_read_in_part_no_frame_is_missing(filmed) -> None:
    seconds, (warning,) = filmed([0.0] * 9, fps=1.0, announced=9, duration_s=3)
    assert seconds == [0.0, 1.0, 2.0] and 'guessed from its rate of 1 frames' in warning


@pytest.mark.parametrize(
    ('ending', 'coding'),
    [
        ('mp4', 'mp4v'),
        ('m4v', 'mp4v'),
        ('mov', 'mp4v'),
        ('mkv', 'MJPG'),
        ('webm', 'VP80'),
        ('ts', 'mp4v'),
        ('avi', 'FFV1'),
    ],
)
def test_videos_of_every_container_are_whole(tmp_path: Path, ending: str, coding: str) -> None:
    write_video(tmp_path / f'v.{ending}', coding=coding)
    source = open_source(tmp_path / f'v.{ending}')
    stamps = [frame.stamp_ns for frame in source.frames()]
    assert np.allclose(np.diff(stamps) / 1e9, 1 / FPS, atol=1e-3) and len(stamps) == 20
    assert source.warnings == []


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.mp4', count=1, coding='mp4v')
    (frame,) = open_source(tmp_path / 'v.mp4').frames()
    assert frame.stamp_ns > 0


QUARTER_TURN = struct.pack('>9i', 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
UPRIGHT = struct.pack('>9i', 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def test_a_phone_held_upright_films_upright_pictures(tmp_path: Path) -> None:
    path = tmp_path / 'v.mp4'
    write_video(path, coding='mp4v')
    track = (data := path.read_bytes()).index(b'tkhd')
    place = data.index(UPRIGHT, track)
    path.write_bytes(data[:place] + QUARTER_TURN + data[place + len(UPRIGHT) :])
    assert {frame.pixels().shape for frame in open_source(path).frames()} == {(64, 48, 3)}


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / 'v.wav'), 'wb') as sound:
        sound.setparams((1, 2, 8000, 0, 'NONE', ''))
        sound.writeframes(bytes(16000))
    with pytest.raises(BadInput, match=r'v\.wav: not a bag and not a video'):
        open_source(tmp_path / 'v.wav')


@pytest.mark.parametrize(
    'name',
    [
        '2026-11-26T12:30:00.avi',
        'file:v.avi',
        'http:v.avi',
        'a b é 日.avi',
        '%03d.avi',
        'a|b.avi',
        '-v.avi',
        'two\nlines.avi',
    ],
)
def test_a_name_is_a_name_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_video(tmp_path / 'w.avi', count=2)
    (tmp_path / 'w.avi').rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source(Path(name)).frames())) == 2
