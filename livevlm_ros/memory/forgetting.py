# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Forgetting for good: of some frames, or of all, no tier keeps a token.

What the device holds is gone at once. The archive forgets in its own thread, behind what waits to
be written, and writes zeros over what it had on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch

from livevlm_ros.memory.archive.sizes import Wiped
from livevlm_ros.memory.archive.writer import ArchiveWriter
from livevlm_ros.memory.recall import Recall
from livevlm_ros.memory.shape import FrameRef
from livevlm_ros.memory.tiers import Tiers


@dataclass(frozen=True, slots=True)
class Freed:
    """
    What was forgotten.

    :param tokens: of all tiers; those that two held count twice, as in `MemorySizes`
    :param disk_bytes: of the archive that were overwritten
    """

    frames: int = 0
    tokens: int = 0
    disk_bytes: int = 0


def clear(
    tiers: Tiers, writer: ArchiveWriter | None, recall: Recall | None, *, frames: int
) -> Future[Freed]:
    """
    Forget every frame, keep the prefix.

    :param frames: how many there are
    """
    tokens = len(tiers.short_term) * tiers.shape.tokens_per_frame
    tokens += sum(lane.count for lane in tiers.long_term)
    wiped = writer.clear() if writer is not None else _nothing()
    _forget_question(recall)
    tiers.clear()
    return _freed(tiers, frames, tokens, wiped)


@torch.inference_mode()
def forget(
    tiers: Tiers,
    writer: ArchiveWriter | None,
    recall: Recall | None,
    frames: Sequence[FrameRef],
) -> Future[Freed]:
    """Forget frames; time and those that come go on after them."""
    ids = [tiers.ids.frame(ref) for ref in frames]
    gone = torch.tensor(ids, dtype=torch.int64)
    tokens = tiers.short_term.forget(frozenset(frames)) * tiers.shape.tokens_per_frame
    for lane in tiers.long_term:
        tokens += lane.forget(torch.isin(tiers.ids.frames(lane.tokens.ids), gone))
    for frame in ids:
        tiers.refs.pop(frame, None)
    tiers.unlooked = [frame for frame in tiers.unlooked if frame in tiers.refs]
    wiped = writer.forget(ids) if writer is not None else _nothing()
    _forget_question(recall)
    # until then pages of these frames may be chosen ahead once more
    wiped.add_done_callback(lambda _: _forget_question(recall))
    return _freed(tiers, len(frames), tokens, wiped)


def _forget_question(recall: Recall | None) -> None:
    """Forget the question that pages are chosen ahead for, and the pages."""
    if recall is not None:
        recall.clear()


def _nothing() -> Future[Wiped]:
    wiped: Future[Wiped] = Future()
    wiped.set_result(Wiped())
    return wiped


def _freed(tiers: Tiers, frames: int, tokens: int, wiped: Future[Wiped]) -> Future[Freed]:
    """Return what is known when the archive is done."""
    freed: Future[Freed] = Future()

    def settle(wiped: Future[Wiped]) -> None:
        error = wiped.exception()
        if error is not None:
            freed.set_exception(error)
            return
        archived, disk_bytes = wiped.result()
        of_archive = archived * tiers.shape.tokens_per_frame
        freed.set_result(Freed(frames, tokens + of_archive, disk_bytes))

    wiped.add_done_callback(settle)
    return freed
