# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What commands that evaluate share: engines that take turns with a model, and their reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from livevlm_ros.plain import plain
from livevlm_ros.terminal import refuse

if TYPE_CHECKING:
    from livevlm_ros.engine import Engine, EngineConfig, ModelConfig
    from livevlm_ros.model import VideoLanguageModel
    from livevlm_ros.replay.accuracy import Report
    from livevlm_ros.replay.compare import Load, Run
    from livevlm_ros.replay.evaluate import Progress
    from livevlm_ros.replay.outcome import Evaluation
    from livevlm_ros.replay.whole_file import Written


def publish(
    runs: Sequence[Run],
    *,
    comparing: bool,
    against: Sequence[str],
    json_file: Path | None,
    html_file: Path | None,
    reliability: Path | None,
) -> None:
    """
    Write and print the report of runs over the same source.

    :param comparing: the report is a comparison, be it of one row
    :param against: rows that the others are paired with; by default the first
    """
    from livevlm_ros.replay.answers_table import answers_table
    from livevlm_ros.replay.compare import compare
    from livevlm_ros.replay.html import html_report
    from livevlm_ros.replay.masked import in_words
    from livevlm_ros.replay.reliability import reliability_svg
    from livevlm_ros.replay.report import NOTHING_MEASURED
    from livevlm_ros.replay.table import print_comparison, print_report, report_console
    from livevlm_ros.replay.whole_file import write_each

    console = report_console()
    compared = compare(runs, against=against)
    written = write_each(
        (json_file, lambda: report_json(compared if comparing else runs[0].report)),
        (html_file, lambda: html_report(runs, compared)),
        (reliability, lambda: reliability_svg(runs)),
    )
    if comparing:
        print_comparison(compared, console)
    else:
        print_report(runs[0].report, console)
    for run in runs:
        if unscored := [o for o in run.evaluation.outcomes if o.correct is None]:
            console.print(answers_table(unscored, title=run.name))
    for run in runs:
        if found := run.report.get('masked'):
            console.print(f'{run.name} {in_words(found)}')
    tell_written(written)
    for run in runs:
        if why := run.report['nothing_measured']:
            print(f'livevlm: {run.name}: nothing was measured: {why}', file=sys.stderr)
            raise typer.Exit(NOTHING_MEASURED)


def draw(
    source: Path,
    config: EngineConfig,
    evaluation: Evaluation,
    *,
    picture: Path | None,
    memory_picture: Path | None,
    topic: str | None,
) -> None:
    """Draw the pictures of an evaluation that are wanted."""
    from livevlm_ros.replay.whole_file import make_each

    def draw_evidence(file: Path) -> None:
        from livevlm_ros.replay.picture import draw_picture

        draw_picture(source, evaluation, file, topic=topic)

    def draw_memory(file: Path) -> None:
        from livevlm_ros.model import load_model
        from livevlm_ros.replay.memory_picture import draw_memory_picture

        draw_memory_picture(source, config, evaluation, file, load=load_model, topic=topic)

    tell_written(make_each((picture, draw_evidence), (memory_picture, draw_memory)))


def tell_written(written: Written) -> None:
    """Say which files were written, and refuse those that could not be."""
    for file in written.files:
        print(f'wrote {file}')
    if written.problems:
        refuse('; '.join(written.problems))


def fail_if_left_out(report: Report) -> None:
    """Name the recordings that could not be used, and end with an exit code for them."""
    from livevlm_ros.replay.report import LEFT_OUT

    left_out, used = report['source']['left_out'], report['source']['recordings']
    if left_out:
        count = f'{len(left_out)} of {len(left_out) + used} recordings'
        print(f'livevlm: {count} could not be used: {plain(", ".join(left_out))}', file=sys.stderr)
        raise typer.Exit(LEFT_OUT)


def model_loader() -> Load:
    """Return what loads engines; those of the same checkpoint have one model in turn."""

    @lru_cache(maxsize=1)
    def model_of(config: ModelConfig) -> VideoLanguageModel:
        from livevlm_ros.model import load_model

        return load_model(config)

    def load(config: EngineConfig, progress: Progress) -> Engine:
        from livevlm_ros.replay.opening import open_engine

        return open_engine(config, progress, load=model_of)

    return load


def report_json(report: Report) -> str:
    """Return a report as the text of a file."""
    return json.dumps(report, indent=1) + '\n'
