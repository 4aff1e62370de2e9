# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine.messages import Question, Scope
from livevlm_ros.tools.focus import COMMANDS, BadCommand, Focus

ZERO_NS = 5_000_000_000


def test_every_command_changes_what_a_question_reads_and_all_takes_it_back() -> None:
    focus = Focus().told('/lookback 5m').told('/camera front').told('/as-of 12.5')
    assert str(focus) == 'the last 300 s, camera front, as of 12.5 s'
    assert focus.question('what ?', zero_ns=ZERO_NS) == Question(
        text='what ?',
        lookback_s=300.0,
        cameras=('front',),
        as_of_ns=17_500_000_000,
        attach_images=True,
    )
    assert focus.told('/all') == Focus() and str(Focus()) == 'everything'


def test_the_newest_frame_and_a_lookback_take_turns() -> None:
    now = Focus().told('/lookback 9').told('/now')
    assert now.question('what ?', zero_ns=0).scope is Scope.NOW and not now.lookback_s
    assert not now.told('/lookback 9').now


@pytest.mark.parametrize(
    ('typed', 'said'),
    [
        ('/nwo', f'/nwo: no such command; expected {", ".join(COMMANDS)}'),
        ('/now 5', 'no such command'),
        ('/camera', 'no such command'),
        ('/lookback', 'expected a length of time'),
        ('/as-of noon', 'expected seconds'),
        ('/as-of inf', 'expected seconds'),
    ],
)
def test_what_cannot_be_obeyed_says_what_is_expected(typed: str, said: str) -> None:
    with pytest.raises(BadCommand) as caught:
        Focus().told(typed)
    assert str(caught.value).startswith(typed) and said in str(caught.value)
