# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ROS image messages to RGB pixels: the one conversion that live topics and bags share.

Works on anything with the fields of `sensor_msgs/Image` or `sensor_msgs/CompressedImage`, whoever
deserialised it (rclpy or rosbags). OpenCV converts; what OpenCV would accept silently (short
buffers, padded rows, odd chroma) is checked first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cv2
import numpy as np

from livevlm_ros.bit_depth import BitDepth
from livevlm_ros.engine.messages import NAME_CHARACTERS, BadFrame, Pixels
from livevlm_ros.image_file import read_picture


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
    :param bytes_each: bytes a value
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
_MOSAIC = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION  # a turned one has other colours
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

_DEPTH = re.compile(r'(16U|16S|32F|64F)C1|compressedDepth')
_NUMBERS = re.compile(r'(16|32|64)[USF]C\d')
_VIDEO = re.compile(r'[hx]\.?26[45]|hevc|av1|vp[89]|theora|ffmpeg', re.IGNORECASE)


def republish_command(topic: str, transport: str) -> str:
    """Return the line that makes plain images of an image_transport that is not read here."""
    return (
        f'ros2 run image_transport republish --ros-args -p in_transport:={transport} '
        f'-p out_transport:=raw -r in/{transport}:={topic}/{transport} -r out:={topic}_decoded'
    )


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


def is_depth(message: RawImage | CompressedImage) -> bool:
    """Return whether an image message says that it holds distances, in place of a picture."""
    name = message.encoding if hasattr(message, 'encoding') else message.format
    return _DEPTH.search(name) is not None


def to_rgb(message: RawImage | CompressedImage, depth: BitDepth | None = None) -> Pixels:
    """
    Convert an image message to RGB.

    `8UC3` and `8UC4` are read as BGR(A), YUV as BT.601; EXIF rotation is honoured.

    :param message: a `sensor_msgs/Image` or `sensor_msgs/CompressedImage`
    :param depth: how many bits of 16-bit values the camera uses; None: as this image does
    :returns: RGB uint8 [height, width, 3], contiguous; it may share the message's buffer
    :raises BadFrame: for an encoding that is no picture, a buffer that does not fit its header, or
        data that does not decode; the text says what was given and what was expected
    """
    depth = depth or BitDepth()
    if hasattr(message, 'encoding'):
        return _raw_to_rgb(cast('RawImage', message), depth)
    return _compressed_to_rgb(message, depth)


def _raw_to_rgb(message: RawImage, depth: BitDepth) -> Pixels:
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        raise BadFrame(_no_picture('image encoding', message.encoding[:NAME_CHARACTERS]))
    height, width = message.height, message.width
    row_bytes = width * layout.channels * layout.bytes_each
    if height < 1 or width < 1:
        raise BadFrame(f'image of {width}x{height} pixels; expected at least 1x1')
    if (layout.even and width % 2) or (layout.even == 'both' and height % 2):
        raise BadFrame(f'{message.encoding} image of {width}x{height} pixels; expected even sizes')
    rows = height * layout.rows[0] // layout.rows[1]
    buffer = np.frombuffer(message.data, np.uint8)
    unpadded = buffer.size == rows * row_bytes  # which leaves no doubt, whatever the step says
    step = row_bytes if unpadded else message.step
    if step < row_bytes:
        raise BadFrame(
            f'image step of {step} bytes; expected at least {row_bytes} '
            f'for {width} pixels of {message.encoding}'
        )
    if buffer.size < rows * step:
        raise BadFrame(
            f'image data of {buffer.size} bytes; expected {rows * step} '
            f'({rows} rows of {step} bytes, {width}x{height} {message.encoding})'
        )
    image = layout.crop(buffer[: rows * step].reshape(rows, step), row_bytes)
    image = np.ascontiguousarray(image)
    if layout.bytes_each == 2:
        image = depth.to_8_bits(image.view('>u2' if message.is_bigendian else '<u2'))
    if layout.channels > 1:
        image = image.reshape(rows, width, layout.channels)
    return np.ascontiguousarray(layout.to_rgb(image))


def _compressed_to_rgb(message: CompressedImage, depth: BitDepth) -> Pixels:
    form = message.format[:NAME_CHARACTERS]
    layout = _layout_in_file(form)
    flags = cv2.IMREAD_COLOR if layout.channels > 1 else _MOSAIC
    image = read_picture(bytes(message.data), form, flags | cv2.IMREAD_ANYDEPTH)
    if image.dtype == np.uint16:
        image = depth.to_8_bits(image)
    return np.ascontiguousarray(layout.to_rgb(image))


def _layout_in_file(form: str) -> _Layout:
    """
    Return how the values that OpenCV decodes lie, by a format `ENCODING; CODEC compressed ORDER`.

    As compressed_image_transport has it: files hold what they should, but those whose order is rgb
    (its first years) have red and blue exchanged, and a mosaic without order was never made a
    picture.

    :raises BadFrame: for depth, video, and numbers that are no picture
    """
    encoding, packed, packing = (part.strip() for part in form.partition(';'))
    order = packing.partition('compressed')[2].strip()
    if _DEPTH.search(form) or _VIDEO.search(form) or _NUMBERS.fullmatch(encoding):
        raise BadFrame(_no_picture('compressed image of format', form))
    if packed and not order and encoding.startswith('bayer_'):
        order = encoding
    if order.startswith('bayer_'):
        return _LAYOUTS.get(order, _BGR)
    return _RGB if order.startswith('rgb') else _BGR


def _no_picture(what: str, name: str) -> str:
    """Say why an encoding or format is not taken, and what to do."""
    if _DEPTH.search(name):
        return (
            f'{what} {name!r} is depth, not a colour or grey picture: set the topic of this '
            'camera to that of its colour image, or publish a thermal or infrared one as mono16'
        )
    if _VIDEO.search(name):
        return (
            f'{what} {name!r} is a packet of a video, which is no picture by itself: let the '
            'driver publish jpeg, or send the video by ffmpeg_image_transport, decode it with '
            f'"{republish_command("TOPIC", "ffmpeg")}" and set the topic of this camera to '
            'TOPIC_decoded'
        )
    return (
        f'{what} {name!r} is not a colour or grey picture; expected one of {", ".join(ENCODINGS)}'
    )
