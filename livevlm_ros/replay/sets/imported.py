# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a public set becomes: questions by recording, and a count of the rows that are none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from livevlm_ros.engine.admission import MAX_CHARACTERS, MAX_CHOICE_CHARACTERS, MAX_CHOICES
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.sets.rows import LeftOut
from livevlm_ros.replay.sets.videos import video_length_s


@dataclass(slots=True)
class Imported:
    """
    Questions on their way from a set into files.

    :param name: of the set, as `set_rules.SETS` has it
    :param out: folder that they go into
    :param progress: called with what is being read or written and the share done, [0, 1]
    :param bags: what writes the recordings that no videos are, by their place in `out`
    """

    name: str
    out: Path
    progress: Callable[[str, float], None]
    questions: defaultdict[Path, list[QuestionEntry]] = field(
        default_factory=lambda: defaultdict(list)
    )
    bags: dict[Path, Callable[[Path], None]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    at_the_end: int = 0

    def each(self, rows: Sequence[Any]) -> Iterator[Any]:
        """Give rows one after the other and tell how far they are read."""
        for number, row in enumerate(rows):
            self.progress(f'reading {self.name}', number / len(rows))
            yield row

    @contextmanager
    def row(self) -> Iterator[None]:
        """Take one row; a row that cannot become a question is counted under its reason."""
        try:
            yield
        except LeftOut as reason:
            self.left_out[str(reason)] += 1

    def add(self, recording: Path, *entries: QuestionEntry) -> None:
        """
        Add the questions of a row, all of them or none.

        One whose time is beyond the end of its video is asked at that end, about what there is of
        its part.

        :param recording: a video of the set, or a bag in `out`
        :raises LeftOut: for what the engine would not take
        """
        for entry in entries:
            _check(entry)
        if recording.is_file():
            end_s = video_length_s(recording)
            late = sum(entry.at > end_s for entry in entries)
            entries = tuple(_by(end_s, entry) for entry in entries)
            self.at_the_end += late
        self.questions[recording] += (replace(entry, set=self.name) for entry in entries)


def _by(end_s: float, entry: QuestionEntry) -> QuestionEntry:
    """Ask by a video's end; what is looked back at begins where it did."""
    late_s = entry.at - end_s
    if late_s <= 0:
        return entry
    if entry.lookback is None:
        return replace(entry, at=end_s)
    if entry.lookback <= late_s:
        raise LeftOut('its part begins after the end of its video')
    return replace(entry, at=end_s, lookback=entry.lookback - late_s)


def _check(entry: QuestionEntry) -> None:
    """Refuse what the engine would refuse when it is asked."""
    folded = {choice.casefold() for choice in entry.choices}
    problems = (
        (not entry.question.strip(), 'no question'),
        (len(entry.question) > MAX_CHARACTERS, f'a question above {MAX_CHARACTERS} characters'),
        (len(entry.choices) == 1, 'a single option'),
        (len(entry.choices) > MAX_CHOICES, f'more than {MAX_CHOICES} options'),
        (not all(entry.choices), 'an empty option'),
        (len(folded) < len(entry.choices), 'two options that are the same'),
        (
            any(len(choice) > MAX_CHOICE_CHARACTERS for choice in entry.choices),
            f'an option above {MAX_CHOICE_CHARACTERS} characters',
        ),
    )
    for wrong, reason in problems:
        if wrong:
            raise LeftOut(reason)
