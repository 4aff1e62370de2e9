# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What changes a memory, as entries of its journal, and the same done again.

A step is noted by what its frames became, keys, values and scores: what is done with them follows
from what the memory held, so that a memory which does it again holds the same bits. No entry
needs the model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from livevlm_ros.engine.contents import Contents
from livevlm_ros.engine.frames import Seen
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.memory import ReadFilter, State
from livevlm_ros.memory.contents import read_refs, written_refs
from livevlm_ros.memory.journal_file import JournalReader
from livevlm_ros.memory.snapshot import UnreadableSnapshot
from livevlm_ros.memory.views.step import Written

_log = logging.getLogger(__name__)


def step(seen: Seen, jpegs: Mapping[str, bytes], timeline: Timeline) -> State:
    """
    Note a step.

    :param jpegs: thumbnails of its frames, by their keys
    """
    keys, values, scores = seen.written
    pictures = {ref.key: jpegs[ref.key] for ref in seen.refs}
    tensors = {
        'frames': written_refs(seen.refs),
        'keys': keys,
        'values': values,
        'jpegs': torch.frombuffer(bytearray(b''.join(pictures.values())), dtype=torch.uint8),
    }
    if scores is not None:
        tensors['scores'] = scores
    sizes = {key: len(jpeg) for key, jpeg in pictures.items()}
    facts = {'bytes': sizes, 'strange': list(seen.strange)}
    return State(tensors, _facts('step', timeline, **facts))


def forgetting(reading: ReadFilter, timeline: Timeline) -> State:
    """Note that the frames were forgotten which a filter lets be read."""
    cameras = None if reading.cameras is None else sorted(reading.cameras)
    times = {'first_ns': reading.first_ns, 'last_ns': reading.last_ns, 'spans': reading.spans}
    return State({}, _facts('forgetting', timeline, cameras=cameras, **times))


def clearing(timeline: Timeline) -> State:
    """Note that every frame was forgotten."""
    return State({}, _facts('clearing', timeline))


def redo_all(contents: Contents, read: JournalReader) -> int:
    """
    Do again all that a journal notes, up to a change that is torn, damaged or cannot be done.

    :returns: how many changes were done; the others are told
    :raises UnreadableSnapshot: if the system does not let the journal be read
    """
    done, why = 0, 'torn or damaged'
    try:
        for change in read.entries():
            redo(contents, change)
            done += 1
    except (UnreadableSnapshot, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # its checksum is right, and yet no release notes it so
        why = repr(error)
    if read.ignored:
        _log.warning(
            '%s: of no use after %d changes of the memory (%s), its last %d bytes are ignored',
            read.file,
            done,
            why,
            read.ignored,
        )
    return done


def redo(contents: Contents, change: State) -> None:
    """
    Do again what an entry notes, with memory, thumbnails and time as they were before it.

    :raises ValueError: for a step that the memory cannot keep; nothing has changed then
    """
    kind = change.facts['kind']
    if kind == 'step':
        _keep_again(contents, change)
    elif kind == 'forgetting':
        _forget_again(contents, change)
    elif kind == 'clearing':
        contents.album.clear()
        contents.memory.clear().result()
    else:
        raise ValueError(f'expected a step, forgetting or clearing, got {kind!r}')
    contents.memory.settle()
    contents.timeline.restore(change.facts['episodes'])


def _keep_again(contents: Contents, change: State) -> None:
    tensors, album = change.tensors, contents.album
    written = Written(tensors['keys'], tensors['values'], tensors.get('scores'))
    contents.memory.step(read_refs(tensors['frames'])).keep(written)
    jpegs, start = tensors['jpegs'].numpy().tobytes(), 0
    for key, size in change.facts['bytes'].items():
        album.add(key, jpegs[start : start + size])
        start += size
    album.mark_strange(change.facts['strange'])
    album.trim(contents.memory)


def _forget_again(contents: Contents, change: State) -> None:
    facts = change.facts
    cameras = None if facts['cameras'] is None else frozenset(facts['cameras'])
    spans = tuple((first, last) for first, last in facts['spans'])
    reading = ReadFilter(cameras, facts['first_ns'], facts['last_ns'], spans)
    contents.memory.forget(reading).result()
    contents.album.keep_only(ref.key for ref in contents.memory.refs())


def _facts(kind: str, timeline: Timeline, **facts: Any) -> dict[str, Any]:
    return {'kind': kind, 'episodes': timeline.facts(), **facts}
