# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The example for a Ray cluster, on a local one of two workers of which one is killed."""

import os
import runpy
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from livevlm_ros.engine import Engine
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.part import Part
from livevlm_ros.replay.report import TIMED, build_report
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.sharded import merge_parts
from livevlm_ros.replay.write_world import Filming, write_world

ray = pytest.importorskip('ray', reason='Ray is not installed, see requirements-dev.txt')

pytestmark = pytest.mark.slow

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / 'examples/ray_evaluate.py'))
SETTINGS = ['ask.default_max_tokens=2', 'model.threads=1']


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**27)
    yield
    ray.shutdown()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    folder = tmp_path / 'film'
    write_world(folder, Filming(seed=8, streams=5, frames=(4, 9), size=(128, 96), questions=4))
    return folder


def test_a_killed_worker_s_recording_is_done_again_and_the_report_is_that_of_one_process(
    cluster, film: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / 'tries'
    doomed, *others = sorted(folder.name for folder in film.iterdir() if folder.is_dir())

    class Killed(EXAMPLE['Evaluator']):
        def measure(self, name: str) -> object:
            first = not tries.exists() or name not in tries.read_text().split()
            with tries.open('a') as file:
                file.write(f'{name}\n')
            if name == doomed and first:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().measure(name)

    monkeypatch.setitem(EXAMPLE['evaluate'].__globals__, 'Evaluator', Killed)
    part = tmp_path / 'part.json'
    options = [option for setting in SETTINGS for option in ('--set', setting)]
    given = [str(film), '--actors', '2', '--json', str(part), '--model', str(checkpoint), *options]
    EXAMPLE['main'](given)
    assert Counter(tries.read_text().split()) == {doomed: 2, **dict.fromkeys(others, 1)}
    (run,) = merge_parts([Part.read(part)])

    config = engine_config(model=str(checkpoint), given=SETTINGS)
    engine = Engine(config)
    engine.load()
    single = evaluate(film, engine)
    expected = build_report(single, engine.stats(), config, path=str(film), seconds=0.0)
    engine.cleanup()
    assert untimed(run.report) == untimed(expected)
    assert run.report['accuracy']['overall']['n'] == 20

    EXAMPLE['main'](given)
    assert len(tries.read_text().split()) == 6, 'what is done is not done again'


def untimed(report: dict) -> dict:
    """Return what does not measure time."""
    return {
        key: {name: number for name, number in value.items() if f'{key}.{name}' not in TIMED}
        if isinstance(value, dict)
        else value
        for key, value in report.items()
        if key not in TIMED
    }
