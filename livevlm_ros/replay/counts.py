# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine counted, of a whole evaluation or of a recording, as far as a report tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import add, sub
from typing import TYPE_CHECKING, Any, TypeVar

from livevlm_ros.engine.slot import Dropped
from livevlm_ros.engine.stats import TokenCounts

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import EngineStats, RecallCounts

Tally = TypeVar('Tally')


@dataclass(frozen=True, slots=True)
class Counts:
    """
    An engine's counts over a stretch of time.

    :param model_id: what was loaded, empty if nothing was
    :param strangers: frames unlike those that the checkpoint was calibrated on
    :param tokens: of frames, those that were read among them
    :param archive_lost: frames that could not be archived
    :param disk_lost: whether the archive's file could not grow
    :param last_error: why the latest bad frame was bad, empty when there was none
    :param recall: what choosing ahead did, None if nothing was loaded
    """

    model_id: str = ''
    frames_in: int = 0
    frames_used: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    strangers: int = 0
    tokens: TokenCounts = field(default_factory=TokenCounts)
    archive_lost: int = 0
    disk_lost: bool = False
    last_error: str = ''
    recall: RecallCounts | None = None

    @classmethod
    def of(cls, stats: EngineStats) -> Counts:
        """Return what an engine counted since it was made."""
        memory = stats.memory
        accounts = (*stats.cameras.values(), stats.unknown_cameras)
        return cls(
            model_id=stats.model.model_id if stats.model else '',
            frames_in=stats.frames_in,
            frames_used=stats.frames_used,
            dropped=stats.dropped,
            strangers=stats.strangers,
            tokens=stats.tokens,
            archive_lost=memory.archive_lost if memory else 0,
            disk_lost=memory.disk_lost if memory else False,
            last_error=next((a.last_error for a in accounts if a.last_error), ''),
            recall=memory.recall if memory else None,
        )

    def since(self, before: Counts) -> Counts:
        """Return what the same engine counted after an earlier look at it."""
        dropped = _each(sub, self.dropped, before.dropped)
        return Counts(
            model_id=self.model_id,
            frames_in=self.frames_in - before.frames_in,
            frames_used=self.frames_used - before.frames_used,
            dropped=dropped,
            strangers=self.strangers - before.strangers,
            tokens=_each(sub, self.tokens, before.tokens),
            archive_lost=self.archive_lost - before.archive_lost,
            disk_lost=self.disk_lost,
            last_error=self.last_error if dropped.bad else '',
            recall=_each(sub, self.recall, before.recall) if before.recall else self.recall,
        )

    def __add__(self, later: Counts) -> Counts:
        """Return the counts of both."""
        both = self.recall and later.recall
        return Counts(
            model_id=self.model_id or later.model_id,
            frames_in=self.frames_in + later.frames_in,
            frames_used=self.frames_used + later.frames_used,
            dropped=_each(add, self.dropped, later.dropped),
            strangers=self.strangers + later.strangers,
            tokens=_each(add, self.tokens, later.tokens),
            archive_lost=self.archive_lost + later.archive_lost,
            disk_lost=self.disk_lost or later.disk_lost,
            last_error=later.last_error or self.last_error,
            recall=_each(add, self.recall, later.recall) if both else self.recall or later.recall,
        )


def _each(do: Callable[[Any, Any], Any], left: Tally, right: Tally) -> Tally:
    """Return a tally of which each number is made of those of two."""
    names = [field.name for field in fields(left)]  # type: ignore[arg-type]
    return type(left)(**{name: do(getattr(left, name), getattr(right, name)) for name in names})
