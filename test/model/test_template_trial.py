# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import resource
import sys
from pathlib import Path

import pytest

from livevlm_ros.model import template_trial
from livevlm_ros.model.template_trial import try_template

MESSAGES = [{'role': 'user', 'content': [{'type': 'text', 'text': '?'}]}]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_trial, 'CPU_S', 1)


def test_a_template_that_renders_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    template = '{{ bos_token }} {% for m in messages %}{{ m.content[0].text }}{% endfor %}'
    try_template(template, MESSAGES, {'bos_token': '<bos>'})
    monkeypatch.setattr(template_trial, 'subprocess', None)
    try_template(template, MESSAGES, {'bos_token': '<bos>'})


@pytest.mark.parametrize(
    ('template', 'said'),
    [
        ('{{ 10 ** (10 ** 9) }}', 'more than 1 s of CPU time'),
        (
            '{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}'
            '{{ f(60) }}',
            'more than 1 s of CPU time',
        ),
        ("{{ 'a' * 2000000000 }}", 'MemoryError'),
        ("{{ 'a' * 200000 }}", 'makes 200000 characters'),
        ("{{ raise_exception('only text') }}", 'only text'),
        ('{% broken', 'TemplateSyntaxError'),
    ],
    ids=['power', 'macro', 'memory', 'long', 'refuses', 'syntax'],
)
def test_a_template_that_does_not_end_well_says_why(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        try_template(template, MESSAGES, {})
    assert '\n' not in str(refused.value)


def test_a_machine_without_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(ValueError, match=r'more than 0\.01 s'):
        patch.setattr(template_trial, 'WAIT_S', 0.01)
        try_template('{# a slow machine #}', MESSAGES, {})
    try_template('{# a slow machine #}', MESSAGES, {})


@pytest.fixture
def run_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make the other process run lines of shell before it tries the template."""

    def run_by(*lines: str) -> None:
        script = tmp_path / 'python'
        script.write_text('\n'.join(['#!/bin/sh', *lines, f'exec {sys.executable} "$@"']))
        script.chmod(0o755)
        monkeypatch.setattr(sys, 'executable', str(script))

    return run_by


def test_what_others_print_is_no_problem_of_the_template(run_by) -> None:
    run_by('echo a notice', 'echo a warning >&2')
    try_template('{# beside others that print #}', MESSAGES, {})
    with pytest.raises(ValueError, match='^it makes 200000 characters'):
        try_template("{# beside others that print #}{{ 'a' * 200000 }}", MESSAGES, {})


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('kill -XCPU $$', 'it takes more than 1 s of CPU time'),
        ('kill -KILL $$', '^signal 9 ended .*: Killed; memory may be short$'),
        ('kill -SEGV $$', '^signal 11 ended .*: Segmentation fault$'),
        ('echo why >&2; exit 3', '^why$'),
        ('exit 3', 'exit code 3'),
        ('exit 0', 'exit code 0'),
    ],
)
def test_a_process_that_ends_without_a_verdict_says_why(run_by, line: str, said: str) -> None:
    run_by('ulimit -c 0', line)
    with pytest.raises(ValueError, match=said):
        try_template('{# ended #}', MESSAGES, {})


@pytest.mark.parametrize(
    ('hard', 'limits'),
    [(7, (7, 7)), (99, (20, 99)), (resource.RLIM_INFINITY, (20, resource.RLIM_INFINITY))],
)
def test_a_limit_of_the_system_is_not_raised(
    monkeypatch: pytest.MonkeyPatch, hard: int, limits: tuple[int, int]
) -> None:
    limited = {}
    monkeypatch.setattr(resource, 'getrlimit', lambda of: (hard, hard))
    monkeypatch.setattr(resource, 'setrlimit', limited.__setitem__)
    template_trial._lower(resource.RLIMIT_CPU, 20)
    assert limited == {resource.RLIMIT_CPU: limits}
