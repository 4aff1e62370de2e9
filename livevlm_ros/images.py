# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ROS image messages to RGB pixels: the one conversion that live topics and bags share.

Works on anything with the fields of `sensor_msgs/Image` or `sensor_msgs/CompressedImage`, whoever
deserialised it (rclpy or rosbags). OpenCV converts; what OpenCV would accept silently (short
buffers, padded rows, odd chroma, cut jpegs) is checked first, and so is the size that a jpeg or
png declares: a few hundred bytes may stand for gigabytes of pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cv2
import numpy as np

from livevlm_ros.engine.messages import NAME_CHARACTERS, BadFrame, Pixels


class RawImage(Protocol):
    """Fields of `sensor_msgs/Image` that the conversion reads."""

    height: int
    width: int
    encoding: str
    is_bigendian: Any
    step: int
    data: Any


class CompressedImage(Protocol):
    """Fields of `sensor_msgs/CompressedImage` that the conversion reads."""

    format: str
    data: Any


@dataclass(frozen=True, slots=True)
class _Layout:
    """
    How an encoding lies in the buffer and how it becomes RGB.

    :param channels: values a pixel in the first plane
    :param to_rgb: from uint8 [rows, width, channels] (2-D when one channel) to RGB uint8
        [height, width, 3]
    :param bytes_each: bytes a value; 2-byte values keep their high byte
    :param rows: rows of `step` bytes in the buffer, as a fraction of the height
    :param even: axes that must be even, because chroma is shared: '', 'width' or 'both'
    :param crop: from the rows with their padding, uint8 [rows, step], to the first bytes of each
    """

    channels: int
    to_rgb: Callable[[Pixels], Pixels]
    bytes_each: int = 1
    rows: tuple[int, int] = (1, 1)
    even: str = ''
    crop: Callable[[Pixels, int], Pixels] = lambda rows, row_bytes: rows[:, :row_bytes]


def _by(code: int) -> Callable[[Pixels], Pixels]:
    return lambda image: cv2.cvtColor(image, code)


def _nv24_as_nv12(rows: Pixels, width: int) -> Pixels:
    """Read 4:4:4 as the 4:2:0 of an image of twice the size, whose chroma plane it already is."""
    height = rows.shape[0] // 3
    luma = rows[:height, :width].repeat(2, axis=0).repeat(2, axis=1)  # [2h, 2w]
    chroma = rows[height:].reshape(height, -1)[:, : 2 * width]  # [h, 2w]
    return np.vstack([luma, chroma])


def _nv24_to_rgb(doubled: Pixels) -> Pixels:
    return cv2.cvtColor(doubled, cv2.COLOR_YUV2RGB_NV12)[::2, ::2]


_RGB = _Layout(3, lambda image: image)
_BGR = _Layout(3, _by(cv2.COLOR_BGR2RGB))
_BGRA = _Layout(4, _by(cv2.COLOR_BGRA2RGB))
_MONO = _Layout(1, _by(cv2.COLOR_GRAY2RGB))
_UYVY = _Layout(2, _by(cv2.COLOR_YUV2RGB_UYVY), even='width')
_YUYV = _Layout(2, _by(cv2.COLOR_YUV2RGB_YUYV), even='width')
_BAYER = {
    'rggb': cv2.COLOR_BayerRGGB2RGB,
    'bggr': cv2.COLOR_BayerBGGR2RGB,
    'gbrg': cv2.COLOR_BayerGBRG2RGB,
    'grbg': cv2.COLOR_BayerGRBG2RGB,
}

_LAYOUTS = {
    'rgb8': _RGB,
    'bgr8': _BGR,
    '8UC3': _BGR,
    'rgba8': _Layout(4, _by(cv2.COLOR_RGBA2RGB)),
    'bgra8': _BGRA,
    '8UC4': _BGRA,
    'mono8': _MONO,
    '8UC1': _MONO,
    'mono16': _Layout(1, _by(cv2.COLOR_GRAY2RGB), bytes_each=2),
    'rgb16': _Layout(3, lambda image: image, bytes_each=2),
    'bgr16': _Layout(3, _by(cv2.COLOR_BGR2RGB), bytes_each=2),
    'rgba16': _Layout(4, _by(cv2.COLOR_RGBA2RGB), bytes_each=2),
    'bgra16': _Layout(4, _by(cv2.COLOR_BGRA2RGB), bytes_each=2),
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    'nv12': _Layout(1, _by(cv2.COLOR_YUV2RGB_NV12), rows=(3, 2), even='both'),
    'nv21': _Layout(1, _by(cv2.COLOR_YUV2RGB_NV21), rows=(3, 2), even='both'),
    'nv24': _Layout(1, _nv24_to_rgb, rows=(3, 1), crop=_nv24_as_nv12),
    **{f'bayer_{name}8': _Layout(1, _by(code)) for name, code in _BAYER.items()},
    **{f'bayer_{name}16': _Layout(1, _by(code), bytes_each=2) for name, code in _BAYER.items()},
}

ENCODINGS = tuple(_LAYOUTS)
"""Encodings of `sensor_msgs/Image` that `to_rgb` converts."""

MOST_PIXELS = 64_000_000
"""Pixels that a jpeg or png may declare."""

_JPEG, _PNG = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'
_JPEG_MARKER = re.compile(rb'\xff([^\x00\xff])')
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a segment: TEM, RSTn
_JPEG_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn: ITU-T T.81, table B.1
_JPEG_SEGMENTS = 2000  # to look through for the frame's header; metadata takes a few hundred


def to_stamp_ns(message: Any) -> int:
    """
    Return an image message's header stamp in nanoseconds.

    :raises BadFrame: for a stamp that is no time: a second or more in its nanoseconds
    """
    stamp = message.header.stamp
    if not 0 <= stamp.nanosec < 1_000_000_000:
        raise BadFrame(
            f'image with nanosec {stamp.nanosec} in its header stamp; expected less than 10^9'
        )
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)


def to_rgb(message: RawImage | CompressedImage) -> Pixels:
    """
    Convert an image message to RGB.

    16-bit values keep their high byte, `8UC3` and `8UC4` are read as BGR(A), YUV as BT.601; EXIF
    rotation is ignored.

    :param message: a `sensor_msgs/Image` or `sensor_msgs/CompressedImage`
    :returns: RGB uint8 [height, width, 3], contiguous; it may share the message's buffer
    :raises BadFrame: for an encoding that is no picture, a buffer that does not fit its header, or
        data that does not decode; the text says what was given and what was expected
    """
    if hasattr(message, 'encoding'):
        return _raw_to_rgb(cast('RawImage', message))
    return _compressed_to_rgb(message)


def _raw_to_rgb(message: RawImage) -> Pixels:
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        given = message.encoding[:NAME_CHARACTERS]
        raise BadFrame(
            f'image encoding {given!r} is not a colour or grey picture; '
            f'expected one of {", ".join(ENCODINGS)}'
        )
    height, width, step = message.height, message.width, message.step
    row_bytes = width * layout.channels * layout.bytes_each
    if height < 1 or width < 1:
        raise BadFrame(f'image of {width}x{height} pixels; expected at least 1x1')
    if (layout.even and width % 2) or (layout.even == 'both' and height % 2):
        raise BadFrame(f'{message.encoding} image of {width}x{height} pixels; expected even sizes')
    if step < row_bytes:
        raise BadFrame(
            f'image step of {step} bytes; expected at least {row_bytes} '
            f'for {width} pixels of {message.encoding}'
        )
    rows = height * layout.rows[0] // layout.rows[1]
    buffer = np.frombuffer(message.data, np.uint8)
    if buffer.size < rows * step:
        raise BadFrame(
            f'image data of {buffer.size} bytes; expected {rows * step} '
            f'({rows} rows of {step} bytes, {width}x{height} {message.encoding})'
        )
    image = layout.crop(buffer[: rows * step].reshape(rows, step), row_bytes)
    if layout.bytes_each == 2:
        image = image[:, 0 if message.is_bigendian else 1 :: 2]
    if layout.channels > 1:
        image = image.reshape(rows, width, layout.channels)
    return np.ascontiguousarray(layout.to_rgb(np.ascontiguousarray(image)))


def _compressed_to_rgb(message: CompressedImage) -> Pixels:
    data, form = bytes(message.data), message.format[:NAME_CHARACTERS]
    layout = _layout_in_file(form)
    _check_size(data, form)
    _check_whole(data)
    color = cv2.IMREAD_COLOR if layout.channels > 1 else cv2.IMREAD_GRAYSCALE
    flags = color | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise BadFrame(f'compressed image of {len(data)} bytes, format {form!r}, does not decode')
    return np.ascontiguousarray(layout.to_rgb(image))


def _layout_in_file(form: str) -> _Layout:
    """
    Return how the values that OpenCV decodes lie, by a format `ENCODING; CODEC compressed ORDER`.

    As compressed_image_transport has it: files hold what they should, but those whose order is rgb
    (its first years) have red and blue exchanged, and a mosaic without order was never made a
    picture.

    :raises BadFrame: for depth
    """
    encoding, packed, packing = (part.strip() for part in form.partition(';'))
    order = packing.partition('compressed')[2].strip()
    if 'compressedDepth' in form or re.fullmatch(r'(16|32|64)[USF]C\d', encoding):
        raise BadFrame(f'compressed image of format {form!r}; expected a colour or grey picture')
    if packed and not order and encoding.startswith('bayer_'):
        order = encoding
    if order.startswith('bayer_'):
        return _LAYOUTS.get(order, _BGR)
    return _RGB if order.startswith('rgb') else _BGR


def _check_size(data: bytes, form: str) -> None:
    """Refuse what is neither jpeg nor png, and declared sizes that nobody's camera has."""
    if data.startswith(_JPEG):
        height, width = _size_of_jpeg(data)
    elif data.startswith(_PNG) and data[12:16] == b'IHDR':
        width, height = (int.from_bytes(data[at : at + 4], 'big') for at in (16, 20))
    else:
        raise BadFrame(
            f'compressed image of {len(data)} bytes, format {form!r}, is neither jpeg nor png'
        )
    if width * height > MOST_PIXELS:
        raise BadFrame(
            f'compressed image of {len(data)} bytes declares {width}x{height} pixels; '
            f'expected at most {MOST_PIXELS // 1_000_000} megapixels'
        )


def _size_of_jpeg(data: bytes) -> tuple[int, int]:
    """
    Return the height and width in a jpeg's first frame header.

    :raises BadFrame: if there is none before the first scan
    """
    at = 2
    for _ in range(_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, at)
        if found is None:
            break
        marker, at = found[1][0], found.end()
        if marker in _JPEG_ALONE:
            continue
        if marker in _JPEG_FRAME and len(data) >= at + 7:
            return int.from_bytes(data[at + 3 : at + 5]), int.from_bytes(data[at + 5 : at + 7])
        if marker in (0xD9, 0xDA):  # end of image, start of scan
            break
        at += max(2, int.from_bytes(data[at : at + 2]))
    raise BadFrame(f'jpeg of {len(data)} bytes has no frame header')


def _check_whole(data: bytes) -> None:
    """Refuse a jpeg or png that was cut off: decoders fill what is missing with grey."""
    cut_jpeg = data.startswith(b'\xff\xd8') and data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    cut_png = data.startswith(b'\x89PNG') and b'IEND' not in data[-64:]
    if cut_jpeg or cut_png:
        codec = 'jpeg' if cut_jpeg else 'png'
        raise BadFrame(f'{codec} of {len(data)} bytes is cut off; expected its end marker')
