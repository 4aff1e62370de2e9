# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The part of an evaluation that one process does: a file that grows by a line with each recording.

Its first line says which evaluation it is of. A line that a kill cut off counts as not written.
A folder's recordings are dealt out in turn, in the order of their names. What was measured of each
is kept as it is and not as rates, so that parts merge into the report of a single run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from livevlm_ros import __version__
from livevlm_ros.engine import checkpoint_folder
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.as_json import as_json, from_json
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.fingerprint import fingerprint
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.poses import poses_file
from livevlm_ros.replay.procedure import PLAIN, Procedure
from livevlm_ros.replay.questions import questions_beside
from livevlm_ros.replay.report import report_head
from livevlm_ros.replay.source import find_recordings
from livevlm_ros.replay.whole_file import append_line, whole_lines, write_whole

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros.replay.rows import Row

MADE_BY = {'format': 2, 'livevlm': __version__}
"""What a part is written by, and can be read by."""

NAMED = 3
"""Recordings that a refusal names at most."""


class Shard(NamedTuple):
    """One of several parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """
        Read a shard such as 2/8.

        :raises BadInput: for anything else
        """
        found = re.fullmatch(r'(\d+)/(\d+)', text, re.ASCII)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise BadInput(f'shard {text}: expected one of n as i/n, from 1/n to n/n')
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        """Return what `read` reads."""
        return f'{self.number}/{self.of}'

    def deal(self, names: Sequence[str]) -> list[str]:
        """Return the names that are this shard's."""
        return list(names[self.number - 1 :: self.of])


@dataclass(slots=True)
class Measured:
    """
    What was measured of one recording with one row.

    :param seconds: how long it took
    """

    evaluation: Evaluation
    counts: Counts
    seconds: float


@dataclass(frozen=True, slots=True)
class Job:
    """An evaluation that is done in parts; fields as of `run_rows`."""

    path: Path
    rows: Sequence[Row]
    procedure: Procedure = PLAIN
    comparing: bool = False

    def recordings(self) -> dict[str, Path]:
        """Return the recordings by name, in order."""
        return {recording.name: recording for recording in find_recordings(self.path)}

    def plan(self) -> Report:
        """Return what all parts have in common: model, settings, recordings and questions."""
        recordings = self.recordings()
        heads = (
            report_head(row.config, name=row.name, oracle=row.oracle, alone=row.alone)
            for row in self.rows
        )
        return {
            'rows': {head['name']: head for head in heads},
            'comparing': self.comparing,
            'choices': self.procedure.choose,
            'topic': self.procedure.topic,
            'stretch': list(self.procedure.stretch),
            'models': {
                path: fingerprint([checkpoint_folder(path)])
                for path in {row.config.model.path for row in self.rows}
            },
            'recordings': {
                name: fingerprint([recording, poses_file(recording)])
                for name, recording in recordings.items()
            },
            'questions': {name: self._digest(recording) for name, recording in recordings.items()},
        }

    def _digest(self, recording: Path) -> str:
        """Return what tells the questions of a recording from others."""
        given = self.procedure.questions
        given = questions_beside(recording) if given is None else given
        if isinstance(given, Path):
            try:
                content = given.read_bytes()
            except OSError as error:
                raise BadInput(f'{given}: cannot be read: {error.strerror}') from error
        else:
            content = json.dumps(as_json(given)).encode()
        return hashlib.sha256(content).hexdigest()[:16]


class Part:
    """
    What is done of a shard.

    :param path: what is evaluated, as the user gave it
    :param plan: as `Job.plan` makes it

    `names` are those of the shard's recordings.
    """

    def __init__(self, file: Path, shard: Shard, *, path: str, plan: Report) -> None:
        self.file, self.shard, self.path, self.plan = file, shard, path, plan
        # What was measured, by row and recording, as JSON has it.
        self._done: dict[str, Report] = {name: {} for name in plan['rows']}
        self.names = shard.deal(list(plan['questions']))

    @classmethod
    def open(cls, file: Path, shard: Shard, job: Job) -> Part:
        """
        Go on with a part, or begin one where there is no file.

        :raises BadInput: for a file that is no part, or is one of another evaluation or shard
        """
        begun = cls(file, shard, path=str(job.path), plan=job.plan())
        if not file.exists():
            return begun
        part = cls.read(file)
        if part.shard != shard:
            raise BadInput(
                f'{file}: is shard {part.shard}, not {shard}; expected a file of its own'
            )
        if difference := part.difference(begun):
            raise BadInput(f'{file}: is of another evaluation: {difference}')
        return part

    @classmethod
    def read(cls, file: Path) -> Part:
        """
        Read a part.

        :raises BadInput: for a file that is none
        """
        lines = whole_lines(file)
        head = _read(lines[0]) if lines else None
        if head is None or 'part' not in head:
            raise BadInput(f'{file}: is no part of an evaluation, as --shard writes them')
        if difference := _difference(head['part'], MADE_BY):
            raise BadInput(f'{file}: was written by another livevlm: {difference}')
        try:
            part = cls(file, Shard.read(head['shard']), path=head['path'], plan=head['plan'])
        except (KeyError, TypeError) as error:
            raise BadInput(
                f'{file}: line 1 is damaged; expected it as --shard writes it'
            ) from error
        for number, line in enumerate(lines[1:], 2):
            done = _read(line) or {}
            try:
                part._done[done['row']][done['recording']] = done['measured']
            except (KeyError, TypeError) as error:
                raise BadInput(
                    f'{file}: line {number} is damaged; without it, its recording is done again'
                ) from error
        return part

    def difference(self, other: Part) -> str:
        """Say in which setting, recording or questions another part differs; empty for none."""
        return _difference(self.plan, json.loads(json.dumps(other.plan)))

    def left(self, row: str) -> list[str]:
        """Return the shard's recordings that a row has still to do."""
        return [name for name in self.names if name not in self._done[row]]

    def recordings_left(self) -> list[str]:
        """Return the shard's recordings that any row has still to do."""
        left = {name for row in self._done for name in self.left(row)}
        return [name for name in self.names if name in left]

    def add(self, row: str, recording: str, measured: Measured) -> None:
        """
        Keep what was measured, and append it to the file.

        :raises BadInput: where it cannot be written
        """
        done = {'row': row, 'recording': recording, 'measured': as_json(measured)}
        self.begin()
        append_line(self.file, json.dumps(done))
        self._done[row][recording] = done['measured']

    def measured(self, row: str, recording: str) -> Measured:
        """Return what was measured."""
        return from_json(Measured, self._done[row][recording])

    def begin(self) -> None:
        """
        Write the file's first line, if there is no file yet.

        :raises BadInput: where it cannot be written
        """
        if not self.file.exists():
            shard = str(self.shard)
            head = {'part': MADE_BY, 'shard': shard, 'path': self.path, 'plan': self.plan}
            write_whole(self.file, json.dumps(head) + '\n')


def _read(line: str) -> Report | None:
    """Return what a line of a part says; None where it is none."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _difference(there: Any, here: Any) -> str:
    """Name the first value in which two settings differ, with both."""
    if not isinstance(there, dict) or not isinstance(here, dict):
        return '' if there == here else f'{there} there, {here} here'
    only = {'there': there.keys() - here.keys(), 'here': here.keys() - there.keys()}
    if any(only.values()):
        named = ((sorted(keys)[:NAMED], where) for where, keys in only.items() if keys)
        return ' and '.join(f'{", ".join(keys)} only {where}' for keys, where in named)
    found = ((key, _difference(there[key], here[key])) for key in there)
    return next((f'{key}: {difference}' for key, difference in found if difference), '')
