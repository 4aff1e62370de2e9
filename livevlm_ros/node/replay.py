# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A bag replayed through ROS: player, node and evaluator in processes of their own.

`livevlm replay` is the evaluator and starts the other two. The report is that of
`livevlm evaluate`, with `online` beside it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from livevlm_ros.node.bag_player import open_bag, stretch_parameters
from livevlm_ros.node.children import (
    ChildDied,
    Children,
    choose_domain,
    terminate_as_interrupt,
)
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.parameters import engine_config, table
from livevlm_ros.node.remote_engine import RemoteEngine, ReplayFailed
from livevlm_ros.replay import BadInput
from livevlm_ros.replay.clip import WHOLE, Stretch
from livevlm_ros.replay.compare import Run, compare
from livevlm_ros.replay.evaluate import Progress, evaluate
from livevlm_ros.replay.html import html_report
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.report import NOTHING_MEASURED, report_head, report_of
from livevlm_ros.replay.settings import read_setting
from livevlm_ros.replay.table import print_report, report_console
from livevlm_ros.replay.whole_file import write_each

IMAGE_TOPIC = 'camera/image_raw'  # of the player, and of the node by default
CLOCK_LISTENERS = 2  # node and evaluator


@dataclass(frozen=True, slots=True)
class Replay:
    """
    What to replay, and where to write of it.

    :param questions: questions file; None: the one beside the bag
    :param topic: image topic, where the bag has several
    :param rate: bag seconds per wall second; above 1 the node may drop frames
    :param stretch: what of the bag is played
    """

    bag: Path
    questions: Path | None = None
    topic: str | None = None
    rate: float = 1.0
    stretch: Stretch = WHOLE
    json_file: Path | None = None
    html_file: Path | None = None


def run_replay(
    replay: Replay,
    parameters: Mapping[str, Any],
    *,
    progress: Progress = lambda name, share: None,
) -> Run | None:
    """
    Start player and node and ask the questions.

    :param parameters: of the node, as `node_parameters` makes them
    :param progress: called with the bag's name and the share done, [0, 1]
    :returns: None when it could not be carried through, which is told on stderr
    :raises BadInput: for a bag, questions or a model that cannot be used
    """
    open_bag(replay.bag, topic=replay.topic)
    choose_domain(Console(stderr=True))

    def work() -> Run:
        with Children() as children, MemoryClient(follows_clock=True) as client:
            engine = RemoteEngine(
                client,
                begin=lambda: _start(children, replay, parameters),
                check=children.check,
                rate=replay.rate,
            )
            return ask(replay, engine, progress=progress)

    return plainly(work)


def node_parameters(
    *, model: str, preset: str, fps: float, given: Sequence[str] = ()
) -> dict[str, Any]:
    """
    Return the node's parameters for a replay, float32 as offline.

    :param given: `name=value` settings, which go over the rest
    :raises BadInput: for a parameter that the node does not have, or a value it does not take
    """
    usual = (
        f'model.path={model}',
        'model.dtype=float32',
        f'memory.preset={preset}',
        f'ingest.target_fps={fps}',
        'diagnostics.period=0.1',  # so that sizes are told before a frame counts as used
    )
    parameters = dict(_setting(setting) for setting in (*usual, *given))
    rows = table()
    try:
        engine_config({name: parameters.get(name, row.default) for name, row in rows.items()})
    except ValueError as error:
        raise BadInput(str(error)) from error
    return parameters


def _setting(setting: str) -> tuple[str, Any]:
    rows = table()
    kinds = {name: type(row.default) for name, row in rows.items()}
    del kinds['camera_names']  # a replay has one camera
    name, value = read_setting(setting, kinds)
    row = rows[name]
    if reason := row.refuse(value):
        raise BadInput(f'{setting}: {reason}')
    if row.low is not None and row.high is not None and not row.low <= value <= row.high:
        raise BadInput(f'{setting}: expected {row.low:g} to {row.high:g}')
    return name, value


def _start(children: Children, replay: Replay, parameters: Mapping[str, Any]) -> None:
    """Start the node, and the player that waits for it."""
    children.start('livevlm_ros.node.main', {'use_sim_time': True, **parameters})
    children.start(
        'livevlm_ros.node.bag_player',
        {
            'bag': replay.bag,
            **({'topic': replay.topic} if replay.topic else {}),
            'image_topic': IMAGE_TOPIC,
            'rate': replay.rate,
            **stretch_parameters(replay.stretch),
            'wait_for_subscriber': True,
            'clock_listeners': CLOCK_LISTENERS,
        },
    )


def ask(
    replay: Replay, engine: RemoteEngine, *, progress: Progress = lambda name, share: None
) -> Run:
    """Follow the player through the bag, ask the node, and build the report."""
    started_s = time.monotonic()
    evaluation = evaluate(
        replay.bag,
        engine,
        Procedure(
            replay.questions,
            replay.topic,
            thumbnails=replay.html_file is not None,
            stretch=replay.stretch,
        ),
        progress=progress,
    )
    evaluation.warnings += engine.warnings()
    report = report_of(
        evaluation,
        engine.counts(),
        report_head(engine.config),
        path=str(replay.bag),
        seconds=time.monotonic() - started_s,
    )
    report['online'] = {
        'rate': replay.rate,
        'lost': len(engine.lost),
        'late': len(engine.late),
        'shifted': len(engine.shifted),
    }
    return Run(report, evaluation)


def publish(run: Run, replay: Replay) -> int:
    """
    Print and write the report.

    :returns: the exit code: 1 when a reply was lost or late, 2 when a file could not be written, 3
        when nothing was measured
    """
    written = write_each(
        (replay.json_file, lambda: json.dumps(run.report, indent=1) + '\n'),
        (replay.html_file, lambda: html_report([run], compare([run]))),
    )
    print_report(run.report, report_console())
    for file in written.files:
        print(f'wrote {file}')
    if written.problems:
        print(f'replay: {"; ".join(written.problems)}', file=sys.stderr)
        return 2
    if why := run.report['nothing_measured']:
        print(f'replay: nothing was measured: {why}', file=sys.stderr)
        return NOTHING_MEASURED
    return 1 if run.report['online']['lost'] or run.report['online']['late'] else 0


def plainly(work: Callable[[], Run]) -> Run | None:
    """Return what the work returns; what ends it early is one line on stderr, and None."""
    try:
        with terminate_as_interrupt():
            return work()
    except (ChildDied, ReplayFailed) as error:
        print(f'replay: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        print('replay: interrupted', file=sys.stderr)
    return None
