# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Public sets, as their authors publish them, into recordings with questions files.

A set is one file, which reads its rows; what cannot become a question is counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path, PurePath

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.questions import QuestionEntry, questions_file, write_questions
from livevlm_ros.replay.recording import stem_of
from livevlm_ros.replay.sets import (
    navqa,
    normalised,
    ovo_bench,
    ovo_s_bench,
    streaming_bench,
)
from livevlm_ros.replay.sets.imported import Imported
from livevlm_ros.replay.whole_folder import whole_folder

READERS = {
    'OVO-S-Bench': ovo_s_bench.read,
    'OVO-Bench': ovo_bench.read,
    'StreamingBench': streaming_bench.read,
    'NaVQA': navqa.read,
    'normalised': normalised.read,
}


@dataclass(frozen=True, slots=True)
class Written:
    """
    What became of a set.

    :param left_out: rows that are no questions, by reason
    :param at_the_end: questions asked at the end of their videos, which comes before their time
    """

    recordings: int
    questions: int
    left_out: Counter[str]
    at_the_end: int


def import_set(
    name: str,
    folder: Path,
    out: Path,
    *,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Written:
    """
    Write a set's recordings with a questions file beside each, as `evaluate` reads them.

    Videos are linked to, not copied. An import that fails or is interrupted leaves nothing.

    :param name: one of `READERS`, in any case
    :param out: new or empty
    :param progress: called with what is being read or written and the share done, [0, 1]
    :raises BadInput: for another name, a folder that does not hold the set, a folder `out` that
        holds something, or when no row can become a question
    """
    known = {reader.lower(): reader for reader in READERS}
    if name.lower() not in known:
        raise BadInput(f'{name}: no set that is known; expected one of {", ".join(READERS)}')
    if not folder.is_dir():
        raise BadInput(f'{folder}: no such folder; expected one with the set {name}')
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f'{out} is not an empty folder; expected a new one')
    to = Imported(known[name.lower()], out, progress)
    READERS[to.name](folder, to)
    if not to.questions:
        raise BadInput(f'{folder}: no row can become a question: {in_words(to.left_out)}')
    with whole_folder(out) as part:
        _write(to, folder, part)
    asked = sum(map(len, to.questions.values()))
    return Written(len(to.questions), asked, to.left_out, to.at_the_end)


def _write(to: Imported, folder: Path, out: Path) -> None:
    """Write bags, links to videos, and the questions beside them."""
    taken: set[str] = set()
    for recording, entries in to.questions.items():
        if write_bag := to.bags.get(recording):
            at = out / recording.name
            write_bag(at)
        else:
            at = out / _free(_flat(recording, folder), taken)
            at.symlink_to(recording.resolve())
        taken.add(stem_of(at))
        write_questions(questions_file(at), _told_apart(entries))


def in_words(left_out: Counter[str]) -> str:
    """Say how many rows were left out for each reason, the commonest first."""
    return (
        ', '.join(f'{count} ({reason})' for reason, count in left_out.most_common()) or 'no rows'
    )


def _flat(video: Path, folder: Path) -> str:
    """Name a video after its path in the set's folder, for those of all its folders lie in one."""
    parts = video.relative_to(folder).parts if video.is_relative_to(folder) else (video.name,)
    return '__'.join(parts)


def _free(name: str, taken: set[str]) -> str:
    """Return a name, numbered where the questions file would be that of another video."""
    video = PurePath(name)
    numbered = (f'{video.stem}~{number}' for number in count(2))
    return next(stem for stem in chain([video.stem], numbered) if stem not in taken) + video.suffix


def _told_apart(entries: list[QuestionEntry]) -> list[QuestionEntry]:
    """Sort entries by time and number the ids that several of them have."""
    seen: Counter[str] = Counter()
    told = []
    for entry in sorted(entries, key=lambda entry: entry.at):
        seen[entry.id] += 1
        again = f'{entry.id}~{seen[entry.id]}'
        told.append(replace(entry, id=again) if seen[entry.id] > 1 else entry)
    return told
