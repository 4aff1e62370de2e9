# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The contents of a memory as one state, and back into a memory that is its equal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from livevlm_ros.memory.budgets import lane_frames
from livevlm_ros.memory.config import MemoryConfig
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.snapshot import SnapshotError
from livevlm_ros.memory.state import State, alike, copied
from livevlm_ros.memory.tiers import Tiers


def identity(
    config: MemoryConfig,
    shape: CacheShape,
    cameras: Sequence[str],
    *,
    dtype: torch.dtype,
    page_tokens: int,
) -> dict[str, Any]:
    """Return what two memories have in common of which one can hold what the other held."""
    archived = {'page_tokens': page_tokens} if config.archive_bits else {}
    dimensions = asdict(replace(shape, positions=None))
    del dimensions['text_tokens'], dimensions['positions']  # a model is known by its prefix
    return {
        **dimensions,
        'cameras': list(cameras),
        'dtype': str(dtype).removeprefix('torch.'),
        'short_term_frames': lane_frames(config, shape, len(cameras)) * len(cameras),
        'long_term_frames': config.long_term_frames,
        'archive_bits': config.archive_bits,
        **archived,
    }


def contents(tiers: Tiers, *, identity: Mapping[str, Any]) -> State:
    """
    Return all that a memory holds, to `put_back`, without copies of the archive.

    Of the prefix there are only the values, by which the model is known again: each layer's depend
    on all weights of the language layers below.

    :param identity: what a memory must have in common with this one to take it back
    """
    parts = State.joined(
        {
            'short_term': tiers.short_term.state(),
            **{f'long_term.{n}': lane.state() for n, lane in enumerate(tiers.long_term)},
            'archive': tiers.archive.state() if tiers.archive is not None else State(),
        }
    )
    facts = {
        'identity': dict(identity),
        'origin_ns': tiers.ids.origin_ns,
        'forget_at': tiers.forget_at,
    }
    tensors = {
        'prefix_values': copied(tiers.prefix_values),
        'frames': written_refs(tiers.refs.values()),
    }
    return State({**tensors, **parts.tensors}, {**facts, **parts.facts}, parts.rows)


@torch.inference_mode()
def put_back(tiers: Tiers, state: State, *, identity: Mapping[str, Any]) -> None:
    """
    Make a memory without frames hold what `contents` gave.

    :raises SnapshotError: if the memory is no equal of the one it was taken from, or has less
        room; it holds no frame, but the archive's file may have grown
    :raises OSError: if the disk has no room for the archive's part now; it holds no frame
    """
    _check(tiers, state, identity)
    if tiers.archive is not None:
        try:
            tiers.archive.restore(state.part('archive'))
        except ValueError as error:
            raise SnapshotError(str(error)) from error
    tiers.ids.origin_ns = state.facts['origin_ns']
    tiers.short_term.restore(state.part('short_term'))
    for number, lane in enumerate(tiers.long_term):
        lane.restore(state.part(f'long_term.{number}'))
    refs = read_refs(state.tensors['frames'])
    tiers.refs = {tiers.ids.frame(ref): ref for ref in refs}
    tiers.forget_at = state.facts['forget_at']


def written_refs(refs: Iterable[FrameRef]) -> Tensor:
    """Return the references of frames as JSON, uint8 [bytes]: facts of all would take too long."""
    fields = [ref.fields() for ref in refs]
    return torch.frombuffer(bytearray(json.dumps(fields).encode()), dtype=torch.uint8)


def read_refs(written: Tensor) -> list[FrameRef]:
    """Return the references of frames that a state's tensor `frames` holds."""
    return [FrameRef.of(fields) for fields in json.loads(written.numpy().tobytes())]


def _check(tiers: Tiers, state: State, identity: Mapping[str, Any]) -> None:
    saved = state.facts['identity']
    unlike = [
        f'{name} {saved.get(name)!r}, here {identity.get(name)!r}'
        for name in (*saved, *(identity.keys() - saved.keys()))
        if saved.get(name) != identity.get(name)
    ]
    if unlike:
        raise SnapshotError(
            f'of another memory, with {"; ".join(unlike)}: configure this one like it'
        )
    if not alike(tiers.prefix_values, state.tensors['prefix_values']):
        raise SnapshotError(
            'of another model: it reads the text before the video otherwise than this one: '
            'use the weights it was made with'
        )
    short_term = state.part('short_term').facts
    counts = (state.facts['forget_at'], short_term['kept'], short_term['evictions'])
    if any(type(count) is not int for count in counts):  # with which no frame could be taken
        raise SnapshotError(f'counts of frames are {counts}, expected numbers: remove it')
    for number, lane in enumerate(tiers.long_term):
        tokens = len(state.tensors[f'long_term.{number}.ids'])
        if tokens > lane.capacity:
            raise SnapshotError(
                f'long-term has room for {lane.capacity} tokens, got {tokens}: raise '
                'long_term_frames'
            )
