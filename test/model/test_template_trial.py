# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
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
