# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from livevlm_ros.node.live_pictures import WIDTH, LivePictures, small_jpeg


def raw(value: int) -> Image:
    image = Image(height=2, width=3, encoding='rgb8', step=9)
    image.data.frombytes(bytes([value] * 18))
    image.header.stamp.sec = value
    return image


def test_the_newest_picture_of_each_camera_is_taken_once(
    ros: Any, eventually: Callable[..., Any]
) -> None:
    peer = ros.node()
    front = peer.create_publisher(Image, '/front', 1)
    left = peer.create_publisher(CompressedImage, '/left/compressed', 1)
    pictures = LivePictures(ros.node('looker'))
    pictures.follow({'front': '/front', 'left': '/left/compressed'})
    eventually(lambda: front.get_subscription_count() and left.get_subscription_count())
    jpeg = CompressedImage(format='jpeg')
    jpeg.data.frombytes(small_jpeg(np.zeros((2, 3, 3), np.uint8)))
    jpeg.header.stamp.sec = 7
    taken: dict[str, int] = {}

    def both() -> bool:
        front.publish(raw(9))
        left.publish(jpeg)
        taken.update({found.camera: found.stamp_ns for found in pictures.take()})
        return len(taken) == 2

    eventually(both)
    assert taken == {'front': 9_000_000_000, 'left': 7_000_000_000}


def test_what_is_no_longer_followed_is_not_listened_to(
    ros: Any, eventually: Callable[..., Any]
) -> None:
    publisher = ros.node().create_publisher(Image, '/front', 1)
    pictures = LivePictures(ros.node('looker'))
    for _ in range(2):  # again and again
        pictures.follow({'front': '/front'})
        eventually(lambda: publisher.get_subscription_count() == 1)
        pictures.follow({})
        eventually(lambda: publisher.get_subscription_count() == 0)


def test_an_image_that_cannot_be_read_is_passed_over(
    ros: Any, eventually: Callable[..., Any]
) -> None:
    publisher = ros.node().create_publisher(CompressedImage, '/front/compressed', 1)
    pictures = LivePictures(ros.node('looker'))
    pictures.follow({'front': '/front/compressed'})
    broken = CompressedImage(format='jpeg')
    broken.data.frombytes(b'\xff\xd8\xff no picture')
    broken.header.stamp.sec = 1

    def came() -> bool:
        publisher.publish(broken)
        return bool(pictures._newest)

    eventually(came)
    assert list(pictures.take()) == []


def test_a_large_picture_is_made_small_and_keeps_its_colors() -> None:
    pixels = np.zeros((1000, 2 * WIDTH, 3), np.uint8)
    pixels[..., 0] = 200  # red
    read = cv2.imdecode(np.frombuffer(small_jpeg(pixels), np.uint8), cv2.IMREAD_COLOR)
    assert read.shape == (500, WIDTH, 3)
    blue, _, red = read[250, 300]
    assert red > 150 > 50 > blue
