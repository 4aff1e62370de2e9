# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A conversation about what cameras saw: at a prompt, or from a pipe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from livevlm_ros.engine.messages import ANSWERED, Answer, Evidence, Question
from livevlm_ros.pictures import inline_picture, picture_name
from livevlm_ros.plain import plain
from livevlm_ros.tools.focus import COMMANDS, BadCommand, Focus

PROMPT = '> '


class Partner(Protocol):
    """Who answers."""

    @property
    def zero_ns(self) -> int:
        """The stamp that the conversation calls second 0."""
        ...

    def ask(self, question: Question, hear: Callable[[str], None]) -> Answer:
        """
        Answer; Ctrl-C ends the answer with what has been said.

        :param hear: called with the answer so far, again and again
        """
        ...


class Chat:
    """
    A conversation with a partner.

    :param evidence: existing folder for the frames that answers were read from
    """

    def __init__(self, partner: Partner, evidence: Path) -> None:
        self._partner, self._evidence = partner, evidence
        self._focus = Focus()
        self._asked = self._unanswered = 0

    def talk(self) -> None:
        """Talk at a prompt with history until Ctrl-D or `/quit`."""
        with suppress(ImportError):  # input() then has history and editing
            importlib.import_module('readline')
        while True:
            try:
                line = input(PROMPT)
                if not self._take(line.strip()):
                    return
            except KeyboardInterrupt:
                print('\n/quit or Ctrl-D ends it')
            except EOFError:
                print()
                return

    def listen(self, lines: Iterable[str]) -> int:
        """
        Answer lines to their end.

        :returns: how many questions got no answer
        """
        for line in lines:
            if not self._take(line.strip()):
                break
        return self._unanswered

    def _take(self, line: str) -> bool:
        """Do what a line says; return whether more is wanted."""
        if line == '/quit':
            return False
        if line == '/help':
            for command, meaning in COMMANDS.items():
                print(f'{command:14} {meaning}')
        elif line.startswith('/'):
            self._obey(line)
        elif line:
            self._ask(line)
        return True

    def _obey(self, command: str) -> None:
        try:
            self._focus = self._focus.told(command)
        except BadCommand as problem:
            print(problem)
        else:
            print(f'questions read {self._focus}')

    def _ask(self, text: str) -> None:
        self._asked += 1
        spoken = Spoken()
        question = self._focus.question(text, zero_ns=self._partner.zero_ns)
        answer = self._partner.ask(question, spoken.hear)
        spoken.end(answer.text)
        if answer.message:
            print(plain(answer.message))
        if answer.status not in ANSWERED:
            self._unanswered += 1
            return
        print(f'  confidence {answer.confidence:.2f}, {answer.latency.total_ms:.0f} ms')
        for place, found in enumerate(answer.evidence, 1):
            print(f'  {self._told(found)}  {self._saved(found, place)}'.rstrip())
            if picture := inline_picture(found.thumbnail_jpeg):
                print(picture)

    def _told(self, found: Evidence) -> str:
        second = (found.stamp_ns - self._partner.zero_ns) / 1e9
        place = f'  ({found.pose.place()})' if found.pose else ''
        return f'at {second:.1f} s  {plain(found.camera)}  {found.score:.0%}{place}'

    def _saved(self, found: Evidence, place: int) -> str:
        """Write an evidence frame and return the path of it; empty where it has no picture."""
        if not found.thumbnail_jpeg:
            return ''
        file = self._evidence / picture_name(self._asked, place, found.camera)
        try:
            file.write_bytes(found.thumbnail_jpeg)
        except OSError as error:
            return f'{file}: not written: {error.strerror}'
        return str(file)


class Spoken:
    """An answer on the screen, as it grows."""

    def __init__(self) -> None:
        self._text = ''

    def hear(self, so_far: str) -> None:
        """Print what is new."""
        if len(so_far) > len(self._text):
            print(plain(so_far[len(self._text) :]), end='', flush=True)
            self._text = so_far

    def end(self, text: str) -> None:
        """Print what was not heard, and end the line."""
        self.hear(text)
        if self._text:
            print()


def interactive() -> bool:
    """Whether a person sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
