# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
from typing import Any

import pytest

from livevlm_bench.gpu_check import REHEARSAL, WHOLE, Section, check, sections
from livevlm_bench.gpu_page import page

TITLES = (
    '## Answers',
    '## Beside the CPU',
    '## What a memory costs',
    '## Vision tower',
    '## Flat',
)


@pytest.fixture(scope='module')
def report() -> dict[str, Any]:
    parts = sections(REHEARSAL, 'cpu', in_time=lambda: True)
    return check(parts, 'cpu', left_s=lambda: 600.0, keep=lambda found: None)


def run(part: Section, *, left_s: float = 600.0) -> dict[str, Any]:
    kept: list[list[str]] = []
    report = check(
        [part, Section('next', 0.0, lambda: {'steps': 1})],
        'cpu',
        left_s=lambda: left_s,
        keep=lambda found: kept.append(
            [name for name, each in found['sections'].items() if 'took_s' not in each]
        ),
    )
    assert kept == [['next'], []]  # the report is kept after each section, with what is missing
    assert report['sections']['next']['steps'] == 1
    return report['sections'][part.name]


@pytest.mark.slow
def test_every_section_of_the_rehearsal_runs(report: dict[str, Any]) -> None:
    failed = {name: part for name, part in report['sections'].items() if 'took_s' not in part}
    failed |= {name: part for name, part in report['sections'].items() if 'error' in part}
    assert not failed
    assert json.loads(json.dumps(report)) == report


def test_the_rehearsal_runs_what_a_gpu_runs() -> None:
    whole = [part.name for part in sections(WHOLE, 'cuda', in_time=lambda: True)]
    here = [part.name for part in sections(REHEARSAL, 'cpu', in_time=lambda: True)]
    assert len(whole) == len(set(whole)) == len(here) + 2  # waits and kernels need a GPU
    assert {'waits', 'kernels'} < set(whole)


@pytest.mark.slow
def test_a_question_that_comes_back_is_answered_from_pages_chosen_ahead(
    report: dict[str, Any],
) -> None:
    smoke = report['sections']['smoke']
    assert smoke['speculated'] == smoke['same_again'] == smoke['questions'] == 4
    assert smoke['recall_failed'] == smoke['archive_lost'] == 0


@pytest.mark.slow
def test_a_device_equals_itself(report: dict[str, Any]) -> None:
    found = report['sections']['parity balanced']['float32']
    assert found['equal'] == 2 and found['largest_logit_difference'] == 0


def test_a_section_that_fails_leaves_its_traceback_and_the_next_one_runs() -> None:
    def fail() -> dict[str, Any]:
        raise RuntimeError('expected all tensors to be on the same device')

    found = run(Section('smoke', 0.0, fail))
    assert found['error'] == 'RuntimeError: expected all tensors to be on the same device'
    assert 'in fail' in found['traceback']


def test_a_section_that_needs_more_time_than_is_left_is_skipped() -> None:
    found = run(Section('smoke', 5.0, lambda: pytest.fail('it ran')), left_s=4.0)
    assert found['skipped'] == '4 s were left, it needs 5'


@pytest.mark.slow
def test_the_page_shows_every_section(report: dict[str, Any]) -> None:
    text = page(report)
    assert [title for title in TITLES if title not in text] == []
    assert 'on cpu' in text and report['date'] in text
    assert '## Not measured' not in text


@pytest.mark.slow
def test_the_page_says_what_was_not_measured(report: dict[str, Any]) -> None:
    text = page({**report, 'sections': {'smoke': {'error': 'OSError: no', 'took_s': 0.0}}})
    assert '- smoke: error: OSError: no' in text


def test_what_failed_alike_is_told_once() -> None:
    failed = {'error': 'OSError: no', 'took_s': 0.0}
    parts = {'smoke': failed, 'flat': failed, 'waits': {'skipped': '1 s were left, it needs 3'}}
    head = {'date': '2026-01-01', 'machine': {'threads': 1}, 'versions': {'torch': '2.11.0'}}
    text = page({**head, 'sections': parts})
    assert text.endswith(
        '- smoke, flat: error: OSError: no\n- waits: skipped: 1 s were left, it needs 3\n'
    )


def test_no_more_is_needed_than_torch_transformers_numpy_and_opencv_bring() -> None:
    missing = ('typer', 'rich', 'matplotlib', 'rclpy', 'rosbags', 'mcap', 'zstandard')
    absent = f'import sys; sys.modules.update(dict.fromkeys({missing}))'
    subprocess.run([sys.executable, '-c', f'{absent}; import livevlm_bench.gpu_check'], check=True)
