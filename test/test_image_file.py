# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a decoder shows whole is taken; what was cut off, or declares too much, is refused."""

import random
import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.image_file import read_picture

RANDOM = np.random.default_rng(1)
SCENE = cv2.resize(RANDOM.integers(0, 255, (6, 8, 3), np.uint8), (320, 240))
SMALL = SCENE[::8, ::8]
JPEG, PNG = (cv2.imencode(extension, SCENE)[1].tobytes() for extension in ('.jpg', '.png'))
SMALL_JPEG = cv2.imencode('.jpg', SMALL)[1].tobytes()
PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 3)


def read(data: bytes) -> np.ndarray:
    return read_picture(data, 'jpeg', cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    ('data', 'picture'),
    [
        (JPEG[:-2], JPEG),
        (JPEG[:-1], JPEG),
        (JPEG[:-2] + bytes(500), JPEG),
        (JPEG + bytes(4096), JPEG),
        (JPEG + JPEG[len(JPEG) // 3 : -2], JPEG),
        (JPEG + SMALL_JPEG[:-40], JPEG),
        (JPEG + RANDOM.bytes(65536), JPEG),
        (PNG + bytes(64), PNG),
        (PNG + bytes(256), PNG),
        (PNG + SMALL_JPEG, PNG),
        (PNG[:-12], PNG),
        (PNG[:-4], PNG),
    ],
    ids=[
        'jpeg without end',
        'jpeg with half an end',
        'jpeg without end in a buffer of zeros',
        'jpeg and zeros',
        'jpeg and the rest of the frame before',
        'jpeg and a cut one',
        'jpeg and random bytes',
        'png and 64 zeros',
        'png and 256 zeros',
        'png and a jpeg',
        'png without end',
        'png with a cut end',
    ],
)
def test_a_picture_that_is_whole_is_taken_whatever_is_behind_it(
    data: bytes, picture: bytes
) -> None:
    np.testing.assert_array_equal(read(data), read(picture))


@pytest.mark.parametrize('flags', [(), PROGRESSIVE, RESTARTS], ids=['', 'progressive', 'restarts'])
@pytest.mark.parametrize('padding', [0, 100_000])
def test_a_jpeg_is_known_to_be_cut_off_wherever_it_was(
    flags: tuple[int, ...], padding: int
) -> None:
    data = cv2.imencode('.jpg', SCENE, flags)[1].tobytes()
    np.testing.assert_array_equal(read(data[:-2] + bytes(padding)), read(data))
    for kept in np.linspace(0.2, 0.98, 40):
        with pytest.raises(BadFrame, match='is cut off; expected its end marker'):
            read(data[: int(len(data) * kept)] + bytes(padding))


def test_a_jpeg_of_a_video_without_its_usual_tables_is_taken() -> None:
    at, without = 2, JPEG[:2]
    while JPEG[at + 1] != 0xDA:
        after = at + 2 + int.from_bytes(JPEG[at + 2 : at + 4], 'big')
        without += b'' if JPEG[at + 1] == 0xC4 else JPEG[at:after]
        at = after
    np.testing.assert_array_equal(read(without + JPEG[at:]), read(JPEG))


def test_a_grey_picture_is_not_taken_for_a_cut_one() -> None:
    grey = cv2.imencode('.jpg', np.full((64, 64, 3), 128, np.uint8))[1].tobytes()
    np.testing.assert_array_equal(read(grey[:-2]), read(grey))


@pytest.mark.parametrize('kept', [0.3, 0.9])
def test_a_png_that_was_cut_off_is_refused(kept: float) -> None:
    with pytest.raises(BadFrame, match='png of .* is cut off'):
        read(PNG[: int(len(PNG) * kept)])


def declaring(extension: str, width: int, height: int, *flags: int) -> bytes:
    """Make a small file whose header says that it holds a picture of another size."""
    data = bytearray(cv2.imencode(extension, np.zeros((8, 8, 3), np.uint8), flags)[1].tobytes())
    if extension == '.png':
        data[16:24] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    else:
        frame = next(at for at in map(data.find, (b'\xff\xc0', b'\xff\xc2')) if at >= 0)
        data[frame + 5 : frame + 9] = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    return bytes(data)


HUGE = [
    ('.jpg', 65500, 65500),
    ('.jpg', 65500, 65500, *PROGRESSIVE),
    ('.jpg', 8001, 8000),
    ('.png', 2**31 - 1, 2**31 - 1),
    ('.png', 20000, 20000),
]


@pytest.mark.parametrize('header', HUGE, ids=str)
def test_a_picture_that_declares_a_huge_size_is_refused_before_it_is_decoded(
    header: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = declaring(*header)
    assert len(huge) < 1000
    monkeypatch.delattr(cv2, 'imdecode')
    with pytest.raises(BadFrame, match=f'{header[1]}x{header[2]} pixels.*at most 64 megapixels'):
        read(huge)


def test_the_size_in_the_thumbnail_of_a_jpeg_is_not_the_size_of_the_picture() -> None:
    block = b'Exif\0\0' + declaring('.jpg', 65500, 65500)
    segment = b'\xff\xe1' + (len(block) + 2).to_bytes(2, 'big') + block
    np.testing.assert_array_equal(read(JPEG[:2] + segment + JPEG[2:]), read(JPEG))


def test_a_jpeg_whose_header_lies_behind_thousands_of_segments_is_given_up() -> None:
    comment = b'\xff\xfe\0\2'
    assert read(JPEG[:2] + comment * 1000 + JPEG[2:]).shape == (240, 320, 3)
    with pytest.raises(BadFrame, match='no frame header'):
        read(JPEG[:2] + comment * 2000 + JPEG[2:])


@pytest.mark.parametrize('extension', ['.tiff', '.webp', '.bmp', '.ppm', '.hdr'])
def test_other_kinds_of_file_are_refused_by_name(extension: str) -> None:
    data = cv2.imencode(extension, SMALL)[1].tobytes()
    with pytest.raises(BadFrame, match="'tiff', is neither jpeg nor png"):
        read_picture(data, 'tiff', cv2.IMREAD_COLOR)


WITHOUT_SCAN = JPEG.partition(b'\xff\xda')[0] + b'\xff\xd9'


@pytest.mark.parametrize(
    'data', [b'', b'no picture at all', b'\xff\xd8\xff\xda\xff\xd9', WITHOUT_SCAN]
)
def test_data_that_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadFrame, match=f'{len(data)} bytes'):
        read(data)


def damaged(data: bytes, seed: int) -> bytes:
    """Change some bytes of a file, behind its headers."""
    chance, changed = random.Random(seed), bytearray(data)
    for _ in range(5):
        changed[chance.randrange(len(data) // 2, len(data) - 20)] = chance.randrange(256)
    return bytes(changed)


DAMAGED = {
    'jpeg': damaged(JPEG, 0),
    'progressive jpeg': damaged(cv2.imencode('.jpg', SCENE, PROGRESSIVE)[1].tobytes(), 1),
    'jpeg that ends too early': JPEG[: len(JPEG) // 2] + JPEG[-2:],
    'jpeg with a hole of zeros': JPEG[: len(JPEG) // 2] + bytes(500) + JPEG[-2:],
    'jpeg that was cut off': JPEG[: len(JPEG) // 2],
    'jpeg without scan': WITHOUT_SCAN,
    'png': damaged(PNG, 0),
    'png that was cut off': PNG[: len(PNG) // 2],
    'png with a hole': PNG[: len(PNG) // 2] + PNG[len(PNG) // 2 + 100 :],
}


@pytest.mark.parametrize('data', DAMAGED.values(), ids=DAMAGED)
def test_no_decoder_complains_on_stderr_of_a_damaged_picture(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        read(data)
    except BadFrame as error:
        assert f'{len(data)} bytes' in str(error)
    assert capfd.readouterr() == ('', '')


def test_a_png_whose_chunks_changed_is_refused_by_their_name() -> None:
    with pytest.raises(BadFrame, match="is damaged: its chunk b'IDAT' changed"):
        read(DAMAGED['png'])


def test_a_png_chunk_may_have_any_name() -> None:
    chunk = bytes(4) + b'A\xff\xfe\xfd' + bytes(4)
    with pytest.raises(BadFrame, match=r"its chunk b'A\\xff\\xfe\\xfd' changed"):
        read(PNG[:33] + chunk + PNG[33:])


@pytest.mark.parametrize(
    ('width', 'height', 'said'),
    [(8001, 8000, 'declares 8001x8000'), (65500, 65500, 'does not decode')],
)
def test_a_second_frame_header_declares_no_huge_size_either(
    width: int, height: int, said: str
) -> None:
    huge = declaring('.jpg', width, height)
    at = huge.index(b'\xff\xc0')
    header = huge[at : at + 2 + int.from_bytes(huge[at + 2 : at + 4], 'big')]
    scan = JPEG.index(b'\xff\xda')
    with pytest.raises(BadFrame, match=said):
        read(JPEG[:scan] + header + JPEG[scan:])


def tag(number: int, kind: int, count: int, value: int) -> bytes:
    """Make an entry of a picture's metadata."""
    return struct.pack('<HHII', number, kind, count, value)


@pytest.mark.parametrize(
    'metadata',
    [
        b'no metadata',
        b'II*\0',
        b'II*\0' + struct.pack('<I', 2**31),
        b'II*\0' + struct.pack('<IH', 8, 1) + tag(0x112, 3, 1, 77) + bytes(4),
        b'II*\0' + struct.pack('<IH', 8, 9) + tag(0x112, 7, 1, 0),
        b'II*\0' + struct.pack('<IH', 8, 2) + tag(0x11A, 7, 1, 0) + tag(0x128, 3, 1, 2),
    ],
    ids=['text', 'no place', 'place behind its end', 'no side', 'fewer than said', 'no density'],
)
def test_a_picture_whose_metadata_are_malformed_is_taken_as_it_lies(metadata: bytes) -> None:
    block = b'Exif\0\0' + metadata
    segment = b'\xff\xe1' + (len(block) + 2).to_bytes(2, 'big') + block
    dense = JPEG[:13] + b'\1' + JPEG[14:]  # in dots per inch, which else the metadata tell
    for data in (JPEG, dense):
        np.testing.assert_array_equal(read(data[:2] + segment + data[2:]), read(JPEG))


@pytest.mark.parametrize('grey', [False, True])
@pytest.mark.parametrize('flags', [(), PROGRESSIVE], ids=['', 'progressive'])
@pytest.mark.parametrize('colour', [cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE])
def test_a_jpeg_has_the_pixels_that_opencv_makes_of_it(
    grey: bool, flags: tuple[int, ...], colour: int
) -> None:
    encoded = cv2.imencode('.jpg', SCENE[:, :, 0] if grey else SCENE, flags)[1]
    expected = cv2.imdecode(encoded, colour)
    np.testing.assert_array_equal(read_picture(encoded.tobytes(), 'jpeg', colour), expected)


def test_a_jpeg_of_four_inks_is_taken() -> None:
    packed = BytesIO()
    Image.fromarray(SCENE).convert('CMYK').save(packed, 'jpeg')
    assert read(packed.getvalue()).shape == SCENE.shape
