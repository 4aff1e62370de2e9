# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from livevlm_ros.node.transport import MOST_UNHEARD_S, PAUSE_S, UNHEARD_S, TransportChoice

BOTH = ('raw', 'compressed')
NEVER = {'silent_s': 0.0, 'heard': False}


def test_raw_is_taken_first() -> None:
    assert TransportChoice().choose('', BOTH, **NEVER) == 'raw'


def test_compressed_alone_is_taken_at_the_second_look() -> None:
    choice = TransportChoice()
    assert choice.choose('', ('compressed',), **NEVER) == ''
    assert choice.choose('', ('compressed',), **NEVER) == 'compressed'


def test_a_form_that_is_no_longer_published_is_left() -> None:
    choice = TransportChoice()
    assert choice.choose('raw', ('compressed',), silent_s=0.5, heard=True) == 'compressed'
    assert choice.choose('compressed', ('raw',), silent_s=0.5, heard=True) == 'raw'
    assert choice.choose('raw', (), silent_s=99.0, heard=True) == 'raw'


def test_a_silent_publisher_is_left_for_one_of_the_other_form() -> None:
    choice = TransportChoice()
    assert choice.choose('raw', BOTH, silent_s=UNHEARD_S - 0.1, heard=False) == 'raw'
    assert choice.choose('raw', ('raw',), silent_s=99.0, heard=False) == 'raw'
    assert choice.choose('raw', BOTH, silent_s=UNHEARD_S, heard=False) == 'compressed'
    assert choice.in_vain


def test_what_delivers_is_kept() -> None:
    choice = TransportChoice()
    choice.choose('raw', BOTH, silent_s=UNHEARD_S, heard=False)
    assert choice.choose('compressed', BOTH, silent_s=PAUSE_S - 0.1, heard=True) == 'compressed'
    assert not choice.in_vain
    assert choice.choose('compressed', BOTH, silent_s=PAUSE_S, heard=True) == 'raw'


def test_two_silent_ones_are_tried_ever_less_often() -> None:
    choice, current, waits = TransportChoice(), 'raw', []
    silent_s = 0.0
    while len(waits) < 7:
        taken = choice.choose(current, BOTH, silent_s=silent_s, heard=False)
        silent_s += 1.0
        if taken != current:
            waits.append(silent_s - 1.0)
            current, silent_s = taken, 0.0
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, MOST_UNHEARD_S, MOST_UNHEARD_S]
