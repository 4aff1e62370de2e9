# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Frames out of a rosbag2 recording, mcap or sqlite3, whole or cut off.

Only image messages are deserialised, by the definitions that every ROS 2 has had, so a bag may
hold any types, known or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import yaml
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from livevlm_ros.bit_depth import BitDepth
from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.images import is_depth, to_rgb, to_stamp_ns
from livevlm_ros.replay.bag_topic import IMAGE_TYPES, choose_topic
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.packed import unpacked, unpacked_message
from livevlm_ros.replay.recording import CAMERA, is_storage
from livevlm_ros.replay.salvage import Record, salvage


class BagSource:
    """
    The images of one topic of a bag.

    :param path: bag folder, or one of its storage files
    :param topic: which image topic, where there are several
    :raises BadInput: when nothing can be read, there are no images, or it is unclear which
    """

    def __init__(self, path: Path, *, topic: str | None = None) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.skipped: dict[str, int] = {}
        self._told: set[str] = set()  # faults
        self._unstamped = 0
        self._depth: set[str] = set()  # topics
        self._typestore = get_typestore(Stores.ROS2_KILTED)
        try:
            with unpacked(path) as plain, Reader(plain) as reader:
                topics = {
                    (c.topic, c.msgtype): c.msgcount for c in reader.connections if c.msgcount
                }
                for connection in reader.connections:
                    if connection.msgtype in IMAGE_TYPES and connection.msgcount:
                        self._look_for_depth(map(_record, reader.messages([connection])))
            self._records: Callable[[], Iterator[Record]] = self._read_whole
            self.warnings += _unlisted(path)
        except Exception as error:  # each storage format has its own errors for a broken file
            topics = self._open_broken(error)
        (self.topic, self.type), self.length = choose_topic(path, topics, self._depth, topic)

    def frames(self) -> Iterator[Frame]:
        """Yield the topic's frames in the order they were recorded."""
        return (frame for frame, _ in self.messages())

    def messages(self) -> Iterator[tuple[Frame, bytes]]:
        """Yield each frame with its message in CDR, empty where it is none of its type."""
        skipped: Counter[str] = Counter()
        depth = BitDepth()
        self._unstamped = 0
        try:
            for record in self._records():
                if (record.topic, record.type) == (self.topic, self.type):
                    yield self._frame(record, depth)
                else:
                    skipped[f'{record.topic} [{record.type}]'] += 1
        finally:  # where no more than its beginning is read, too
            self.skipped = dict(skipped)
            if self._unstamped:
                self._warn(
                    'stamps',
                    f'{self._unstamped} frames on {self.topic} have stamp 0; the time of their '
                    'recording is used',
                )

    def _frame(self, record: Record, depth: BitDepth) -> tuple[Frame, bytes]:
        try:
            message: Any = self._typestore.deserialize_cdr(record.data, record.type)
        except Exception as error:  # generated code: whatever a short or garbled buffer provokes
            reason = f'record of {len(record.data)} bytes is no {record.type}: {error}'
            return Frame(CAMERA, record.time_ns, partial(_refuse, reason)), b''
        try:
            stamp_ns = to_stamp_ns(message)
        except BadFrame as error:
            return Frame(CAMERA, record.time_ns, partial(_refuse, str(error))), b''
        if not stamp_ns:  # as in the node, where a frame without a stamp gets its arrival time
            self._unstamped += 1
            stamp_ns = record.time_ns
        frame = Frame(
            camera=CAMERA,
            stamp_ns=stamp_ns,
            pixels=partial(to_rgb, message, depth),
            frame_id=message.header.frame_id,
        )
        return frame, record.data

    def _read_whole(self) -> Iterator[Record]:
        count = found = 0
        try:
            with unpacked(self.path) as plain, Reader(plain) as reader:
                for record in map(_record, reader.messages()):
                    count += 1
                    found += record.topic == self.topic
                    yield record
        except Exception as error:  # as above; the frames before the break stay used
            self._warn('unreadable', f'unreadable after message {count}: {error}')
            return
        if not found:  # as where somebody edited a QoS, by which rosbags knows a topic
            self._warn(
                'metadata',
                f'its storage files have no topic as its metadata.yaml describes {self.topic}; '
                'they are read without it',
            )
            yield from (record for record in self._read_broken() if record.topic == self.topic)

    def _open_broken(self, error: Exception) -> dict[tuple[str, str], int]:
        """Fall back to what can be salvaged, and count it."""
        self._records = self._read_broken
        topics, damaged = Counter[tuple[str, str]](), 0
        for record in self._salvaged():
            if record is None:
                damaged += 1
            else:
                if (record.topic, record.type) not in topics and record.type in IMAGE_TYPES:
                    self._look_for_depth(map(_unpacked, [record]))
                topics[record.topic, record.type] += 1
        cause = str(error).rstrip('.') or type(error).__name__
        if not topics:
            raise BadInput(
                f'{self.path}: no message of this bag can be read ({cause}); '
                'expected a rosbag2 folder or a whole .mcap or .db3 file'
            ) from error
        whole = not damaged and self.path.is_dir() and all(map(_opens, _storage_files(self.path)))
        trouble = 'metadata.yaml is missing or of no use' if whole else 'cut off or damaged'
        self._warn(
            'broken',
            f'{trouble} ({cause}); using the {topics.total()} messages that can be read'
            f'{f", passing over {damaged} damaged ones" if damaged else ""}',
        )
        return dict(topics)

    def _warn(self, fault: str, text: str) -> None:
        """Warn of a kind of fault once, however often the bag is read."""
        if fault not in self._told:
            self._told.add(fault)
            self.warnings.append(f'{self.path}: {text}')

    def _look_for_depth(self, records: Iterator[Record]) -> None:
        """Note the topic of these images if the first holds distances."""
        with suppress(Exception):  # as above; what is broken is told when it is read
            for first in islice(records, 1):
                image: Any = self._typestore.deserialize_cdr(first.data, first.type)
                if is_depth(image):
                    self._depth.add(first.topic)

    def _read_broken(self) -> Iterator[Record]:
        for record in self._salvaged():
            if record is not None:
                yield _unpacked(record)

    def _salvaged(self) -> Iterator[Record | None]:
        for file in _storage_files(self.path):
            with unpacked(file) as plain:
                yield from salvage(plain)


def _record(message: tuple[Any, int, bytes | None]) -> Record:
    """Return a message of rosbags."""
    connection, time_ns, data = message
    return _unpacked(Record(connection.topic, connection.msgtype, time_ns, data or b''))


def _unpacked(record: Record) -> Record:
    return record._replace(data=unpacked_message(record.data))


def _refuse(reason: str) -> Pixels:
    raise BadFrame(reason)


def _opens(file: Path) -> bool:
    """Return whether a storage file is whole, as far as opening it tells."""
    try:
        with unpacked(file) as plain, Reader(plain):
            return True
    except Exception:  # as above
        return False


def _storage_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [entry for entry in path.iterdir() if is_storage(entry)]
    return sorted(files, key=lambda file: (len(file.name), file.name))


def _unlisted(path: Path) -> list[str]:
    """Tell of storage files that lie in a bag's folder and are not of it, by its metadata."""
    if path.is_file():
        return []
    metadata = yaml.safe_load((path / 'metadata.yaml').read_text(encoding='utf-8'))
    listed = metadata['rosbag2_bagfile_information']['relative_file_paths']
    known = {PurePath(name).name for name in listed}
    others = [file.name for file in _storage_files(path) if file.name not in known]
    if not others:
        return []
    return [
        f'{path}: {", ".join(others)} is not in its metadata.yaml, and not read; without '
        'metadata.yaml every file is'
    ]
