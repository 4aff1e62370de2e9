# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reading storage files that their own readers refuse: cut off in the middle, or without an index.

Records are read from the start of the file, in the order they were written, until one is broken.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple


class Record(NamedTuple):
    """One serialised message of a bag."""

    topic: str
    type: str
    time_ns: int
    data: bytes


def salvage(file: Path) -> Iterator[Record]:
    """Yield the messages of an `.mcap` or `.db3` file up to its first broken record."""
    yield from _salvage_mcap(file) if file.suffix == '.mcap' else _salvage_sqlite3(file)


def _salvage_mcap(file: Path) -> Iterator[Record]:
    from mcap.exceptions import McapError
    from mcap.records import Channel, Message, Schema
    from mcap.stream_reader import StreamReader
    from zstandard import ZstdError

    types: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    # A cut compressed chunk raises its decompressor's own error.
    broken = (McapError, ZstdError, RuntimeError, ValueError, struct.error)
    with file.open('rb') as stream, suppress(*broken):
        for record in StreamReader(stream).records:
            if isinstance(record, Schema):
                types[record.id] = record.name
            elif isinstance(record, Channel):
                channels[record.id] = record.topic, types.get(record.schema_id, 'unknown')
            elif isinstance(record, Message):
                yield Record(*channels[record.channel_id], record.log_time, record.data)


def _salvage_sqlite3(file: Path) -> Iterator[Record]:
    # `immutable`: a recorder that was killed leaves locks and journals behind.
    address = f'{file.resolve().as_uri()}?immutable=1'
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(address, uri=True)) as connection,
    ):
        # Without this SQLite refuses a file that is shorter than its header says.
        connection.execute('PRAGMA writable_schema = ON')
        topics = {
            key: (name, kind)
            for key, name, kind in connection.execute('SELECT id, name, type FROM topics')
        }
        rows = connection.execute('SELECT topic_id, timestamp, data FROM messages ORDER BY id')
        for key, time_ns, data in rows:
            yield Record(*topics[key], time_ns, data)
