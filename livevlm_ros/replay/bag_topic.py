# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which of a bag's topics is the camera: the one that is named, or the only one there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from livevlm_ros.replay.errors import BadInput

COMPRESSED = '/compressed'
IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')

Topic = tuple[str, str]  # name and type


def choose_topic(
    path: Path, topics: Mapping[Topic, int], depth: Collection[str], wanted: str | None
) -> tuple[Topic, int]:
    """
    Return the image topic to read, as which type, and how many messages it has of it.

    :param depth: topics whose images are no pictures; read only where there are no others
    """
    images = {key: count for key, count in topics.items() if key[1] in IMAGE_TYPES}
    pictures = {key: count for key, count in images.items() if key[0] not in depth} or images
    names = list(dict.fromkeys(topic for topic, _ in pictures))
    held = ', '.join(f'{topic} [{kind}]: {count}' for (topic, kind), count in topics.items())
    if not images:
        raise BadInput(
            f'{path}: no images in this bag; expected {" or ".join(IMAGE_TYPES)}, '
            f'found {held or "no messages at all"}'
        )
    named = names if wanted is None else _named(wanted, names)
    if not named:
        found = 'depth, no pictures,' if _named(wanted or '', depth) else 'no images'
        raise BadInput(f'{path}: {found} on topic {wanted}; images are on {", ".join(names)}')
    if len({name.removesuffix(COMPRESSED) for name in named}) > 1:
        raise BadInput(
            f'{path}: images on {len(names)} topics ({", ".join(names)}); choose one with --topic'
        )
    # One camera, raw and compressed: what lost fewer messages, and of equals what is not lossy.
    offered = {key: count for key, count in pictures.items() if key[0] in named}
    ranked = sorted(offered, key=lambda key: (key[0], IMAGE_TYPES.index(key[1])))
    chosen = max(ranked, key=lambda key: offered[key])
    return chosen, offered[chosen]


def _named(wanted: str, topics: Collection[str]) -> list[str]:
    """Return the topic of a name, with or without its first slash, else its compressed form."""
    forms = (wanted, f'/{wanted}', f'{wanted}{COMPRESSED}', f'/{wanted}{COMPRESSED}')
    return [form for form in forms if form in topics][:1]
