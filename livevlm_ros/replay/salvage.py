# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Reading storage files that their own readers refuse: cut off in the middle, or without an index.

Records are read from the start of the file, in the order they were written, until the file breaks
off. One that is damaged in itself, of no known topic or without data, is passed over.
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


def salvage(file: Path) -> Iterator[Record | None]:
    """Yield the messages of an `.mcap` or `.db3` file up to its break; None for a damaged one."""
    yield from _salvage_mcap(file) if file.suffix == '.mcap' else _salvage_sqlite3(file)


def _salvage_mcap(file: Path) -> Iterator[Record | None]:
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
                channel = channels.get(record.channel_id)
                yield Record(*channel, record.log_time, record.data) if channel else None


def _salvage_sqlite3(file: Path) -> Iterator[Record | None]:
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
            whole = key in topics and isinstance(time_ns, int) and isinstance(data, bytes)
            yield Record(*topics[key], time_ns, data) if whole else None
