# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The memory's own time, which goes on whatever a clock does.

Frames come with header stamps. A clock that is set back, wraps or begins anew would put new frames
before old ones, so the memory orders frames by stream time: the header stamp plus an offset that
changes where the clock leaps. The stretch of the stream between two leaps is an episode. Answers
and questions are about header stamps; what translates between the two is here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

LAST_NS = 2**62

GAP_NS = 3_000_000_000
"""
Stream time from the last frame that the memory has seen to the first after time ran back.

Frames of before may still come out of a step that runs: they must find their place before it.
"""

LONGEST_GAP_NS = 24 * 3600 * 1_000_000_000
"""Most stream time that a leap ahead adds: longer ones, as from 1970 to today, are no pauses."""

START_NS = 10_000_000_000
"""From an episode's first stamp: who is set back to before its end begins anew."""

MOST_EPISODES = 1024
"""Episodes that are known; of a clock that leaps more often the oldest ones are forgotten."""


class Episode(NamedTuple):
    """
    A stretch of the stream without a leap.

    :param begin_ns: first stream time that belongs to it
    :param offset_ns: stream time less header stamp
    :param first_ns: header stamp of its first frame
    """

    begin_ns: int
    offset_ns: int
    first_ns: int


Span = tuple[int, int]  # first and last stream time

NEVER: Span = (1, 0)


class Timeline:
    """
    Translates between header stamps and stream time; until a clock leaps they are the same.

    One thread at a time writes. Any thread reads: episodes are replaced as a whole.
    """

    def __init__(self) -> None:
        self._episodes: tuple[Episode, ...] = ()
        self._newest_ns = 0  # stream time of the newest frame

    @property
    def leaps(self) -> int:
        """How many leaps are known."""
        return max(0, len(self._episodes) - 1)

    def clear(self) -> None:
        """Let time begin anew: the memory holds no frame."""
        self._episodes = ()

    def stream_ns(self, header_ns: int) -> int:
        """Return the stream time of a frame of the current episode."""
        return header_ns + (self._episodes[-1].offset_ns if self._episodes else 0)

    def header_ns(self, stream_ns: int) -> int:
        """Return the header stamp that a frame came with."""
        episodes = self._episodes
        if not episodes:
            return stream_ns
        after = bisect_right(episodes, stream_ns, key=lambda episode: episode.begin_ns)
        return stream_ns - episodes[max(0, after - 1)].offset_ns

    def seen(self, stream_ns: int) -> None:
        """Note a frame that came."""
        if not self._episodes:
            self._episodes, self._newest_ns = (Episode(stream_ns, 0, stream_ns),), stream_ns
        self._newest_ns = max(stream_ns, self._newest_ns)

    def leap(self, header_ns: int) -> None:
        """
        Follow a clock to a stamp that lies before the newest one, or far ahead of it.

        A leap ahead of less than a day needs no episode: it may have been a pause.
        """
        ahead_ns = self.stream_ns(header_ns) - self._newest_ns
        if not self._episodes or 0 < ahead_ns <= LONGEST_GAP_NS:
            return
        first_ns = self._newest_ns + (GAP_NS if ahead_ns <= 0 else LONGEST_GAP_NS)
        episode = Episode(first_ns - GAP_NS // 2, first_ns - header_ns, header_ns)
        self._episodes = (*self._episodes, episode)[-MOST_EPISODES:]

    def is_far(self, header_ns: int) -> bool:
        """Return whether a stamp lies too far ahead for a pause."""
        return self.stream_ns(header_ns) - self._newest_ns > LONGEST_GAP_NS

    def returns(self, header_ns: int) -> bool:
        """Return whether a stamp lies where the current episode began, or before."""
        return not self._episodes or header_ns <= self._episodes[-1].first_ns + START_NS

    def as_of_ns(self, header_ns: int) -> int:
        """Return the stream time at which a stamp was reached last."""
        for begin_ns, end_ns, offset_ns in reversed(self._stretches()):
            if header_ns + offset_ns >= begin_ns:
                return min(header_ns + offset_ns, end_ns)
        return header_ns

    def spans(self, first_ns: int | None, last_ns: int | None) -> tuple[Span, ...]:
        """
        Return when stamps of a range came, in stream time; `NEVER` if none did.

        :param first_ns: first header stamp; None: any
        :param last_ns: last header stamp; None: any
        """
        found = []
        for begin_ns, end_ns, offset_ns in self._stretches():
            low_ns = begin_ns if first_ns is None else max(begin_ns, first_ns + offset_ns)
            high_ns = end_ns if last_ns is None else min(end_ns, last_ns + offset_ns)
            if low_ns <= high_ns:
                found.append((low_ns, high_ns))
        return tuple(found) or (NEVER,)

    def facts(self) -> list[list[int]]:
        """Return the episodes as JSON takes them, to `restore`."""
        return [list(episode) for episode in self._episodes]

    def restore(self, facts: Sequence[Sequence[int]]) -> None:
        """
        Take back what `facts` gave; the frames that the memory holds must be `seen` again.

        :raises ValueError: for what it never gave
        """
        if not all(type(field) is int for fields in facts for field in fields):
            raise ValueError(f'episodes are {facts!r:.80}, expected whole numbers')
        self._episodes = tuple(Episode(*fields) for fields in facts)
        self._newest_ns = max((episode.begin_ns for episode in self._episodes), default=0)

    def _stretches(self) -> list[tuple[int, int, int]]:
        """Return first and last stream time and offset of each episode; together they are all."""
        episodes = self._episodes
        begins_ns = [-LAST_NS, *(episode.begin_ns for episode in episodes[1:]), LAST_NS + 1]
        return [
            (begin_ns, next_ns - 1, episode.offset_ns)
            for episode, (begin_ns, next_ns) in zip(episodes, pairwise(begins_ns), strict=False)
        ]
