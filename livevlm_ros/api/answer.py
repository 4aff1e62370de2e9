# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An answer in the hands of a program, or of who looks at it."""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path

from livevlm_ros.engine import messages
from livevlm_ros.engine.messages import ANSWERED, Evidence, Status
from livevlm_ros.pictures import inline_picture, picture_name
from livevlm_ros.plain import plain
from livevlm_ros.seconds import Seconds


@dataclass(frozen=True, slots=True, repr=False)
class Answer(messages.Answer):
    """
    An answer, with the frames that it was read from. `print` shows it in one line.

    `text` is the answer, `confidence` how sure it is, [0, 1], and `choice_index` its place among
    the choices. `status` says how the question ended and `message` why: `OK`; `PARTIAL`, cut by
    its budget; `NOT_SEEN`, a guess; and without an answer `NO_EVIDENCE`, `DEADLINE`, `OVERLOADED`
    or `CANCELED`. `evidence` has the frames, best first, each with `camera`, `score`, `pose` and
    the jpeg `thumbnail_jpeg`; `evidence_s` has their seconds. `latency` has milliseconds.
    """

    zero_ns: int = 0

    @property
    def evidence_s(self) -> tuple[float, ...]:
        """The second of each evidence frame."""
        return tuple(map(Seconds(self.zero_ns).told, (each.stamp_ns for each in self.evidence)))

    def show(self, folder: str | Path | None = None) -> None:
        """
        Show the answer and its evidence frames.

        They appear in a notebook, and between the lines of a terminal that can show pictures
        (kitty, Ghostty, WezTerm, iTerm2). Anywhere else they are written to files, and their
        paths printed.

        :param folder: existing one for the files; by default a new temporary one
        """
        if (display := _notebook()) is not None:
            display(self)
            return
        print(self)
        for place, found in enumerate(self.evidence, 1):
            print(self._caption(found), end='  ')
            if picture := inline_picture(found.thumbnail_jpeg):
                print(f'\n{picture}')
            elif found.thumbnail_jpeg:
                folder = Path(folder or tempfile.mkdtemp(prefix='livevlm-answer-'))
                file = folder / picture_name(place, found.camera)
                file.write_bytes(found.thumbnail_jpeg)
                print(file)
            else:
                print('no picture')

    def __str__(self) -> str:
        if self.status not in ANSWERED:
            return _line(f'no answer: {self.status.name}: {self.message}')
        guess = {Status.NOT_SEEN: 'not seen, a guess: ', Status.PARTIAL: 'cut off: '}
        seen = ', '.join(f'{second:.1f} s' for second in self.evidence_s)
        told = [
            f'confidence {self.confidence:.2f}',
            f'seen at {seen}' if seen else '',
            f'{self.latency.total_ms:.0f} ms',
        ]
        return _line(f'{guess.get(self.status, "")}{self.text} ({"; ".join(filter(None, told))})')

    def __repr__(self) -> str:
        return f'<Answer {self}>'

    def _repr_html_(self) -> str:
        """Tell a notebook how the answer looks."""
        figures = ''.join(
            '<figure style="display:inline-block;margin:0 1em 0 0">'
            f'<img src="data:image/jpeg;base64,{base64.b64encode(each.thumbnail_jpeg).decode()}">'
            f'<figcaption>{escape(self._caption(each))}</figcaption></figure>'
            for each in self.evidence
            if each.thumbnail_jpeg
        )
        return f'<p>{escape(str(self))}</p>{figures}'

    def _caption(self, found: Evidence) -> str:
        second = Seconds(self.zero_ns).told(found.stamp_ns)
        place = f'  ({found.pose.place()})' if found.pose else ''
        return _line(f'{second:.1f} s  {found.camera}  {found.score:.0%}{place}')


def answer_of(answer: messages.Answer, zero_ns: int) -> Answer:
    """
    Return an answer of the engine as a program has it.

    :param zero_ns: stamp of second 0
    """
    told = {field.name: getattr(answer, field.name) for field in fields(messages.Answer)}
    return Answer(**told, zero_ns=zero_ns)


def _line(text: str) -> str:
    """Return text in one line that no terminal obeys."""
    return plain(text.replace('\n', ' '))


def _notebook() -> Callable[[object], object] | None:
    """Return what displays in the notebook that runs this; None: none does."""
    python = sys.modules.get('IPython')
    shell = None if python is None else python.get_ipython()
    if shell is None or not hasattr(shell, 'kernel'):
        return None
    return python.display.display if python is not None else None
