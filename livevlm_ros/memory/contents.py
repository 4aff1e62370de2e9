# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The contents of a memory as one state, and back into a memory that is its equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import torch

from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.snapshot import SnapshotError, State, alike, copied
from livevlm_ros.memory.view import Parts


def contents(parts: Parts, *, identity: Mapping[str, Any]) -> State:
    """
    Return copies of all that a memory holds, to `put_back`.

    Of the prefix there are only the values, by which the model is known again: each layer's depend
    on all weights of the language layers below.

    :param identity: what a memory must have in common with this one to take it back
    """
    tiers = State.joined(
        {
            'short_term': parts.short_term.state(),
            **{f'long_term.{i}': lane.state() for i, lane in enumerate(parts.long_term)},
            'archive': State(parts.archive.state() if parts.archive is not None else {}),
        }
    )
    facts = {
        'identity': dict(identity),
        'origin_ns': parts.names.origin_ns,
        'frames': [astuple(ref) for ref in parts.refs.values()],
    }
    return State(
        {'prefix_values': copied(parts.prefix_values), **tiers.tensors}, {**facts, **tiers.facts}
    )


@torch.inference_mode()
def put_back(parts: Parts, state: State, *, identity: Mapping[str, Any]) -> None:
    """
    Make a memory without frames hold what `contents` gave.

    :raises SnapshotError: if the memory is no equal of the one it was taken from, or has less
        room; it holds no frame, but the archive's file may have grown
    :raises OSError: if the disk has no room for the archive's part now; it holds no frame
    """
    _check(parts, state, identity)
    if parts.archive is not None:
        try:
            parts.archive.restore(state.part('archive').tensors)
        except ValueError as error:
            raise SnapshotError(str(error)) from error
    parts.names.origin_ns = state.facts['origin_ns']
    parts.short_term.restore(state.part('short_term'))
    for index, lane in enumerate(parts.long_term):
        lane.restore(state.part(f'long_term.{index}'))
    parts.refs.clear()
    for ref in (FrameRef(*fields) for fields in state.facts['frames']):
        parts.refs[parts.names.frame(ref)] = ref


def _check(parts: Parts, state: State, identity: Mapping[str, Any]) -> None:
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
    if not alike(parts.prefix_values, state.tensors['prefix_values']):
        raise SnapshotError(
            'of another model: it reads the text before the video otherwise than this one: '
            'use the weights it was made with'
        )
    for index, lane in enumerate(parts.long_term):
        tokens = state.tensors[f'long_term.{index}.names'].shape[1]
        if tokens > lane.capacity:
            raise SnapshotError(
                f'long-term has room for {lane.capacity} tokens of a layer, got {tokens}: raise '
                'long_term_frames'
            )
