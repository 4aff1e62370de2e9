# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Jpeg and png files as cameras send them.

A file is read to its end marker: drivers hand out buffers of a fixed size, with zeros or the rest
of an older frame behind the picture. Some leave the marker out. Such a file is taken if the
picture is whole; one that was cut off is refused, for decoders fill what is missing with grey. So
is a file that declares a size that nobody's camera has: a few hundred bytes may stand for
gigabytes of pixels.

OpenCV's decoders complain on stderr of each damaged file, past any log. So Pillow decodes jpegs,
to the same pixels, and png files are checked before OpenCV sees them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import islice

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from livevlm_ros.engine.messages import BadFrame, Pixels

MOST_PIXELS = 64_000_000
"""Pixels that a jpeg or png may declare."""

_JPEG, _PNG = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'
_JPEG_SEGMENT = re.compile(rb'\xff([^\x00\x01\xd0-\xd7\xff])')  # not TEM and RSTn: markers alone
_JPEG_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOFn: ITU-T T.81, table B.1
_JPEG_SEGMENTS = 2000  # to look through; metadata takes a few hundred
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_END_OF_JPEG = b'\xff\xd9'
_END_OF_PNG = b'\0\0\0\0IEND\xaeB`\x82'
_METADATA = b'Exif\0\0'
_PROGRESSIVE = b'\xff\xc2'
_GREY = 128  # all three colours of what a decoder of a jpeg fills in
_NOISE = bytes(range(1, 128))
_INFLATED_AT_ONCE = 2**20
_FILLING = b'\0' + _NOISE + b''.join(bytes((0xFF, 0xD0 + n)) + _NOISE for n in range(8))
"""Goes on with a scan wherever it was cut: behind 0xFF, and where restart marker n is due."""


def read_picture(data: bytes, form: str, flags: int) -> Pixels:
    """
    Decode a jpeg or png.

    :param form: what the message says of the data, for errors
    :param flags: of `cv2.imdecode`
    :returns: what OpenCV makes of it
    :raises BadFrame: for another kind of file, one that declares too many pixels, was cut off, or
        does not decode
    """
    if data.startswith(_JPEG):
        height, width, end = _look_at_jpeg(data)
        _check_size(data, height, width)
        image = _decoded(data[:end], flags) if end else _read_unended_jpeg(data, flags)
    elif data.startswith(_PNG) and data[12:16] == b'IHDR':
        width, height = (int.from_bytes(data[at : at + 4], 'big') for at in (16, 20))
        _check_size(data, height, width)
        image = _read_png(data, flags)
    else:
        raise BadFrame(
            f'compressed image of {len(data)} bytes, format {form!r}, is neither jpeg nor png'
        )
    if image is None:
        raise BadFrame(f'compressed image of {len(data)} bytes, format {form!r}, does not decode')
    return image


def _check_size(data: bytes, height: int, width: int) -> None:
    if width * height > MOST_PIXELS:
        raise BadFrame(
            f'compressed image of {len(data)} bytes declares {width}x{height} pixels; '
            f'expected at most {MOST_PIXELS // 1_000_000} megapixels'
        )


def _look_at_jpeg(data: bytes) -> tuple[int, int, int]:
    """
    Return height and width in a jpeg's first frame header, and where it ends; 0: it does not.

    :raises BadFrame: if there is no frame header before the first scan
    """
    size = None
    for marker, at in islice(_jpeg_segments(data), _JPEG_SEGMENTS):
        if size is None and marker in (_JPEG_END, _JPEG_SCAN):
            break
        if size is None and marker in _JPEG_FRAME and len(data) >= at + 7:
            size = [int.from_bytes(data[at + by : at + by + 2], 'big') for by in (3, 5)]
        if size is not None and marker == _JPEG_END:
            return size[0], size[1], at
    if size is None:
        raise BadFrame(f'jpeg of {len(data)} bytes has no frame header')
    return size[0], size[1], 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker with the place behind it; scans are passed over."""
    at = len(_JPEG) - 1
    while (found := _JPEG_SEGMENT.search(data, at)) is not None:
        marker, at = found[1][0], found.end()
        yield marker, at
        at += max(2, int.from_bytes(data[at : at + 2], 'big'))


def _read_unended_jpeg(data: bytes, flags: int) -> Pixels:
    """
    Decode a jpeg without an end marker, with zeros behind it or none.

    If nothing of its scan is missing, it is the same picture whatever follows. That is looked at
    only in doubt: it takes as long as decoding it.

    :raises BadFrame: if it was cut off
    """
    scan = data.rstrip(b'\0')
    for whole in (scan, scan + b'\0'):  # the last byte of a scan may be zero
        image = _decoded(whole + _END_OF_JPEG, flags)
        if image is None:
            continue
        doubtful = _PROGRESSIVE in data or _has_grey_corner(image)
        filled = _decoded(whole + _FILLING + _END_OF_JPEG, flags) if doubtful else image
        if filled is not None and np.array_equal(image, filled):
            return image
    raise BadFrame(f'jpeg of {len(data)} bytes is cut off; expected its end marker')


def _has_grey_corner(image: Pixels) -> bool:
    """Return whether the end of a picture may be filled in, whichever way it was turned."""
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(4, -1)
    return bool((corners == _GREY).all(axis=1).any())


def _read_png(data: bytes, flags: int) -> Pixels | None:
    """
    Decode a png up to its end, or as far as its chunks are whole.

    :raises BadFrame: if it was damaged or cut off
    """
    at, ended, pixels = len(_PNG), False, []
    while not ended and len(data) >= at + 12:
        kind, after = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], 'big')
        if after > len(data):
            break
        checksum = int.from_bytes(data[after - 4 : after], 'big')
        if kind[:1].isupper() and zlib.crc32(data[at + 4 : after - 4]) != checksum:
            raise BadFrame(f'png of {len(data)} bytes is damaged: its chunk {kind!r} changed')
        if kind == b'IDAT':
            pixels.append(data[at + 8 : after - 4])
        ended, at = kind == b'IEND', after
    if not ended and not _is_whole(b''.join(pixels)):
        raise BadFrame(f'png of {len(data)} bytes is cut off; expected its end marker')
    return _decoded(data[:at] if ended else data[:at] + _END_OF_PNG, flags)


def _is_whole(deflated: bytes) -> bool:
    """Return whether compressed data has its end."""
    inflate = zlib.decompressobj()
    try:
        while deflated and not inflate.eof:
            inflate.decompress(deflated, _INFLATED_AT_ONCE)
            deflated = inflate.unconsumed_tail
    except zlib.error:
        return False
    return inflate.eof


def _decoded(data: bytes, flags: int) -> Pixels | None:
    """
    Return what OpenCV makes of a file, None if that is nothing.

    :raises BadFrame: if it has more pixels than its first header declares, too many
    """
    try:
        if data.startswith(_JPEG):
            return _decoded_jpeg(data, flags)
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (BadFrame, MemoryError):
        raise
    except Exception:  # Pillow's and OpenCV's errors have no common base
        return None


def _decoded_jpeg(data: bytes, flags: int) -> Pixels | None:
    try:
        image: Image.Image = Image.open(BytesIO(data), formats=('JPEG',))
    except UnidentifiedImageError:  # its metadata may be at fault alone
        image = Image.open(BytesIO(data.replace(_METADATA, bytes(6), 1)), formats=('JPEG',))
    _check_size(data, image.height, image.width)
    grey = not flags & cv2.IMREAD_COLOR
    if grey:
        image.draft('L', image.size)
    if image.mode not in ('L', 'RGB'):  # four inks, which no camera has
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    image.load()
    if not flags & cv2.IMREAD_IGNORE_ORIENTATION:
        _turn_upright(image)
    pixels = np.asarray(image)
    if grey:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR if pixels.ndim == 2 else cv2.COLOR_RGB2BGR)


def _turn_upright(image: Image.Image) -> None:
    """Turn a picture as its metadata says, if they can be read."""
    with suppress(Exception):  # whatever they hold: the picture itself is whole
        ImageOps.exif_transpose(image, in_place=True)
