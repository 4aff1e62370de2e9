# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from livevlm_ros.engine import BadFrame
from livevlm_ros.engine.album import Album, Picture, thumbnail


def _decoded(jpeg: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((480, 640), (240, 320)),
        ((720, 1280), (180, 320)),
        ((60, 80), (60, 80)),
        ((1, 900), (1, 320)),
    ],
)
def test_a_thumbnail_is_at_most_320_pixels_wide_and_never_enlarged(size, expected):
    assert _decoded(thumbnail(np.zeros((*size, 3), np.uint8))).shape[:2] == expected


def test_a_thumbnail_keeps_red_red():
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 255
    red, green, blue = _decoded(thumbnail(image)).reshape(-1, 3).mean(axis=0)
    assert red > 240 and green < 15 and blue < 15


def test_an_image_too_long_for_a_jpeg_is_a_bad_frame():
    with pytest.raises(BadFrame, match='got an image of 10x70000 pixels'):
        thumbnail(np.zeros((70000, 10, 3), np.uint8))


def test_an_album_keeps_only_the_frames_it_is_told():
    album = Album()
    for key in 'abc':
        album.add(key, b'jpeg')
    album.keep_only(['b', 'c', 'never seen'])
    assert len(album) == 2
    assert album.get('a') == b'' and album.get('b')


def test_an_album_knows_which_frames_are_strange_and_whether_most_are():
    album, restored = Album(), Album()
    for number in range(20):
        album.add(str(number), b'jpeg')
    album.mark_strange(map(str, range(9)))
    assert album.is_strange('8') and not album.is_strange('9') and not album.mostly_strange(20)
    album.keep_only(map(str, range(16)))
    assert album.mostly_strange(16)
    restored.restore(album.state())
    assert restored.mostly_strange(16) and restored.strangers == 9
    album.clear()
    assert not album.is_strange('8') and album.strangers == 9


def test_the_newest_picture_of_a_camera_goes_with_its_frame():
    album = Album()
    album.show('front', Picture('front/7', 7, b'jpeg'))
    album.show('rear', Picture('rear/9', 9, b'jpeg'))
    album.keep_only(['rear/9', 'front/5'])
    assert album.newest() == {'rear': Picture('rear/9', 9, b'jpeg')}


def test_an_album_is_full_some_day_and_then_the_oldest_leaves(monkeypatch):
    monkeypatch.setattr('livevlm_ros.engine.album.MOST_THUMBNAILS', 3)
    album = Album()
    for number in range(5):
        album.add(f'camera/{number}', b'jpeg')
    assert len(album) == 3
    assert not album.get('camera/1') and album.get('camera/2') and album.get('camera/4')


@pytest.mark.parametrize('count', [0, 5])
def test_thumbnails_that_were_kept_are_kept_again(count):
    album, restored = Album(), Album()
    for number in range(count):
        album.add(f'camera/{number}', bytes([number]) * (number + 1))
    restored.add('of another life', b'jpeg')
    restored.restore(album.state())
    assert len(restored) == count
    assert all(restored.get(f'camera/{n}') == bytes([n]) * (n + 1) for n in range(count))


def test_the_newest_frame_of_each_camera_is_shown_until_the_memory_is_cleared(make_engine, frame):
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0)
    assert engine.newest_pictures() == {}
    engine.load()
    for second, camera in ((1, 'left'), (2, 'right'), (3, 'left')):
        engine.see(frame(second, camera=camera))
        engine.turn()
    newest = engine.newest_pictures()
    assert {name: seen.stamp_ns for name, seen in newest.items()} == {
        'left': 3 * 10**9,
        'right': 2 * 10**9,
    }
    assert newest['left'].jpeg.startswith(b'\xff\xd8')
    engine.clear()
    assert engine.newest_pictures() == {}
