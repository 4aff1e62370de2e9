# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

pytest.importorskip('rclpy')


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list:
    """Keep what is asked; every question ends with exit code 3."""
    wishes: list = []
    monkeypatch.setattr('livevlm_ros.node.ask_client.ask', lambda wish: wishes.append(wish) or 3)
    return wishes


def test_a_bare_question_leaves_all_to_the_node(livevlm, wishes) -> None:
    assert livevlm('ask', 'where ?')[0] == 3
    (wish,) = wishes
    assert wish.question == 'where ?'
    assert not wish.stream and not wish.as_json and wish.evidence is None
    assert wish.request == {
        'memory_scope': 0,
        'priority': 0,
        'max_tokens': 0,
        'max_evidence': 0,
        'allow_partial': True,
        'attach_evidence_images': False,
    }


def test_every_option_reaches_the_request(livevlm, wishes) -> None:
    options = (
        '--stream --budget 0.5 --camera front --camera rear --lookback 5m --from 12.5 '
        '--to 2026-11-27T09:30:00+00:00 --as-of 13.000000001 --scope long-term --priority high '
        '--max-tokens 9 --temperature 0 --no-partial --max-evidence 2 --evidence frames '
        '--request-id r1 --namespace robot1 --timeout 2 --json'
    )
    assert livevlm('ask', 'where ?', *options.split(), '--choices', 'left, right')[0] == 3
    (wish,) = wishes
    assert wish.fields == {
        'latency_budget': 0.5,
        'cameras': ['front', 'rear'],
        'lookback': 300.0,
        'time_start': 12_500_000_000,
        'time_end': 1_795_771_800 * 10**9,
        'as_of': 13_000_000_001,
        'memory_scope': 3,
        'choices': ['left', 'right'],
        'priority': 1,
        'max_tokens': 9,
        'temperature': 0.0,
        'allow_partial': False,
        'max_evidence': 2,
        'request_id': 'r1',
    }
    assert (wish.namespace, wish.timeout_s, wish.evidence) == ('robot1', 2.0, Path('frames'))
    assert wish.stream and wish.as_json
    assert (wish.request['lookback'].sec, wish.request['as_of'].nanosec) == (300, 1)


@pytest.mark.parametrize(
    ('option', 'text', 'expected'),
    [
        ('--budget', 'soon', 'a length of time such as'),
        ('--lookback', '5 minutes', 'a length of time such as'),
        ('--from', 'noon', 'seconds, or a time such as'),
        ('--as-of', '-3', 'seconds, or a time such as'),
    ],
)
def test_times_that_are_none_are_refused(refused, wishes, option, text, expected) -> None:
    error = refused('ask', 'where ?', f'{option}={text}')
    assert f'{option} {text}: expected {expected}' in error
    assert not wishes


@pytest.mark.parametrize(
    ('text', 'seconds'), [('90', 90), ('1.5s', 1.5), ('5m', 300), ('.5h', 1800), ('2d', 172800)]
)
def test_lengths_of_time(livevlm, wishes, text, seconds) -> None:
    livevlm('ask', 'where ?', '--lookback', text)
    assert wishes[0].fields['lookback'] == seconds
