# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of images: cut, garbled, of sizes that do not go together, of forms nobody knows."""

from __future__ import annotations

import array
from random import Random
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from livevlm_bench.over_ros.fault import DIAGNOSTICS, FaultClass, Untold
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.sensors import JPEG, RAW, SIZE

TRIES = 4  # best effort: what is published may be lost on the way
TRY_S = 2.0
LARGE = 4_000_000
MOST = 2**32 - 1
ENCODINGS = ('32FC1', '64FC1', '16UC1', '16SC1', 'i420', 'RAINBOW8', 'bgr8 ', '8UC7')
FORMATS = ('h264', 'compressedDepth png', 'rgb8; rvl compressed ', 'webp', 'tiff', '\u2603')


def image_faults() -> list[FaultClass]:
    """Return the class of raw images and that of compressed ones."""
    return [
        FaultClass('raw-image', 150, lambda rig, draw: _show(rig, RAW, raw_image(draw))),
        FaultClass('packed-image', 150, lambda rig, draw: _show(rig, JPEG, packed_image(draw))),
    ]


def _show(rig: Rig, camera: str, message: Any) -> str:
    """Show an image to the node, which must count it as a bad one."""
    task = f'camera/{camera}'
    bad = rig.number(task, 'dropped_bad')
    for _ in range(TRIES):
        rig.sensors.publish(camera, message)
        try:
            rig.until(lambda: rig.number(task, 'dropped_bad') > bad, 'it is refused', TRY_S)
        except Untold:
            continue
        return DIAGNOSTICS
    raise Untold(f'{_words(message)}: not counted as bad')


def _words(message: Any) -> str:
    form = str(getattr(message, 'encoding', '') or getattr(message, 'format', ''))
    size = f'{message.width}x{message.height}' if isinstance(message, Image) else ''
    return f'{type(message).__name__} {form[:40]!r} {size} of {len(message.data)} bytes'


def raw_image(draw: Random) -> Image:
    """Return a raw image that is none."""
    width, height = SIZE
    message = Image(width=width, height=height, encoding='rgb8', step=3 * width)
    message.data = array.array('B', draw.randbytes(3 * width * height))
    draw.choice(SPOILS)(message, draw)
    return message


def _cut(message: Image, draw: Random) -> None:
    nbytes = draw.randrange(3 * message.width * message.height)
    message.data = array.array('B', draw.randbytes(nbytes))


def _other_step(message: Image, draw: Random) -> None:
    message.step = draw.choice((1, 3 * message.width - 1, 3 * message.width + 1, 10_000, MOST))
    message.data.append(0)  # of exactly as many bytes as its pixels have, an image is taken


def _other_size(message: Image, draw: Random) -> None:
    message.width = draw.choice((0, message.width * 2, 65_536, MOST))
    message.height = draw.choice((0, message.height * 2, 65_536, MOST))


def _other_encoding(message: Image, draw: Random) -> None:
    message.encoding = draw.choice(('', *ENCODINGS))


def _not_numbers(message: Image, draw: Random) -> None:
    value = draw.choice((np.nan, np.inf, -np.inf))
    message.encoding, message.step = '32FC3', 12 * message.width
    pixels = np.full(3 * message.width * message.height, value, np.float32)
    message.data = array.array('B', pixels.tobytes())


def _long_name(message: Image, draw: Random) -> None:
    message.encoding = 'x' * draw.randrange(1_000, 200_000)


SPOILS = (_cut, _other_step, _other_size, _other_encoding, _not_numbers, _long_name)


def packed_image(draw: Random) -> CompressedImage:
    """Return a compressed image that is none."""
    form = draw.choice(('jpeg', 'png'))
    message = CompressedImage(format=form)
    message.data = array.array('B', draw.choice(DATA)(message, draw))
    return message


def _half(message: CompressedImage, draw: Random) -> bytes:
    whole = _picture(message.format, draw)
    return whole[: draw.randrange(len(whole) * 9 // 10)]


def _no_picture(message: CompressedImage, draw: Random) -> bytes:
    head = _picture(message.format, draw)[: draw.randrange(3, 20)]
    return head + draw.randbytes(draw.randrange(2_000))


def _huge(message: CompressedImage, draw: Random) -> bytes:
    """Return a picture that says it is far larger than it is."""
    side = draw.randrange(20_000, 60_000)
    if message.format == 'png':
        whole = bytearray(_picture('png', draw))
        whole[16:24] = side.to_bytes(4) + side.to_bytes(4)  # of the header, after its name
        return bytes(whole)
    whole = bytearray(_picture('jpeg', draw))
    frame = whole.index(b'\xff\xc0')
    whole[frame + 5 : frame + 9] = side.to_bytes(2) + side.to_bytes(2)
    return bytes(whole)


def _other_format(message: CompressedImage, draw: Random) -> bytes:
    message.format = draw.choice(FORMATS)
    return draw.randbytes(draw.randrange(1, 5_000))


def _nothing(message: CompressedImage, draw: Random) -> bytes:
    return b''


def _much(message: CompressedImage, draw: Random) -> bytes:
    return draw.randbytes(draw.randrange(LARGE // 4, LARGE))


DATA = (_half, _no_picture, _huge, _other_format, _nothing, _much)


def _picture(form: str, draw: Random) -> bytes:
    width, height = SIZE
    pixels = np.frombuffer(draw.randbytes(3 * width * height), np.uint8)
    suffix = {'jpeg': '.jpg', 'png': '.png'}[form]
    return bytes(cv2.imencode(suffix, pixels.reshape(height, width, 3))[1])
