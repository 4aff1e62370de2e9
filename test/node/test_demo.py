# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from livevlm_ros.node.demo import Result, summarise
from livevlm_ros.world import AskedQuestion

RUN = 'import sys; from livevlm_ros.node.demo import run_demo; sys.exit(run_demo({arguments}))'


def result(*, right: bool, late: bool = False, truth: str = 'yes') -> Result:
    question = AskedQuestion('exists-yes-0', 10.0, 'was there a car ?', (truth,), 'exists')
    return Result(question, 10.0, 'yes', (truth,), right, late, 'OK', 50.0, 2.0)


def test_the_summary_stands_beside_chance_and_the_commonest_answer() -> None:
    rows = [result(right=True)] * 8 + [result(right=False, truth='no', late=True)] * 2
    summary = summarise(rows)
    assert (summary['n'], summary['right'], summary['late']) == (10, 8, 2)
    assert summary['rate'] == pytest.approx(0.8)
    assert summary['standard_error'] == pytest.approx(0.1265, abs=1e-4)
    assert summary['chance'] == pytest.approx(0.5)
    assert summary['majority'] == pytest.approx(0.8)


def test_what_a_model_says_is_no_markup() -> None:
    said = io.StringIO()
    row = replace(result(right=True), answer='[/x] [b]').row()
    Console(file=said, width=200).print(row)
    assert '  [/x] [b]    yes ' in said.getvalue()
    assert 'right' in said.getvalue()


def start(arguments: str) -> 'subprocess.Popen[str]':
    return subprocess.Popen(
        [sys.executable, '-c', RUN.format(arguments=arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_model_that_knows_nothing_fails_the_demo_and_the_report_says_so(
    checkpoint: Path, tmp_path: Path
) -> None:
    report = tmp_path / 'demo.json'
    arguments = f"seed=7, questions=8, json_path=__import__('pathlib').Path({str(report)!r}), "
    demo = start(arguments + f'model={str(checkpoint)!r}')
    out, _ = demo.communicate(timeout=280)
    assert demo.returncode == 1, out
    found = json.loads(report.read_text(encoding='utf-8'))
    assert found['n'] == len(found['questions']) >= 6
    assert found['rate'] < 0.85
    assert 'standard error' in out


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_the_demo_with_the_reason() -> None:
    out, _ = (demo := start("seed=7, model='/no/such/model'")).communicate(timeout=120)
    assert demo.returncode == 1
    assert '/no/such/model' in out


@pytest.mark.slow
@pytest.mark.parametrize('kind', [signal.SIGINT, signal.SIGTERM], ids=['SIGINT', 'SIGTERM'])
def test_an_interrupted_demo_leaves_no_process(
    kind: int,
    checkpoint: Path,
    eventually: Callable[..., Any],
    children_of: Callable[[int], list[int]],
    is_gone: Callable[[int], bool],
) -> None:
    demo = start(f'seed=7, model={str(checkpoint)!r}')
    (node,) = eventually(lambda: children_of(demo.pid))
    demo.send_signal(kind)
    demo.wait(60)
    assert demo.returncode == 1
    eventually(lambda: is_gone(node), 10)
