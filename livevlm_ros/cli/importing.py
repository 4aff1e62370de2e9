# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that makes recordings with questions of a public set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from livevlm_ros.terminal import plain_errors, progress_bar


def import_(
    name: Annotated[
        str,
        typer.Argument(
            metavar='SET', help='OVO-S-Bench, OVO-Bench, StreamingBench, NaVQA or normalised.'
        ),
    ],
    folder: Annotated[Path, typer.Argument(help='What the set was unpacked into.')],
    out: Annotated[
        Path, typer.Option(help='Folder for the recordings and their questions: new or empty.')
    ],
) -> None:
    """
    Make recordings with questions of a public set, as its authors publish it.

    Videos are linked to, not copied. Rows that cannot become a question are counted by the reason.
    """
    with plain_errors(), progress_bar() as bar:
        from livevlm_ros.replay.sets import import_set

        task = bar.add_task(f'reading {name}', total=1.0)
        written = import_set(
            name,
            folder,
            out,
            progress=lambda what, share: bar.update(task, completed=share, description=what),
        )
    questions, recordings, late = written.questions, written.recordings, written.at_the_end
    print(
        f'{out}: {questions} question{"s" * (questions != 1)} of '
        f'{recordings} recording{"s" * (recordings != 1)}'
    )
    if late:
        are = 'is' if late == 1 else 'are'
        print(f'{late} {are} asked at the end of a video that is shorter than the set says')
    for reason, count in written.left_out.most_common():
        print(f'left out: {count} ({reason})')
