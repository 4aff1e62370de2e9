# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
from typing import Any

import pytest

from livevlm_ros.tools.view.viewers import Viewer, Viewers


def heard(viewer: Viewer, count: int) -> list[tuple[str, Any]]:
    async def listen() -> list[str]:
        return [await asyncio.wait_for(viewer.next(), 1.0) for _ in range(count)]

    messages = [json.loads(text) for text in asyncio.run(listen())]
    return [(message['about'], message['content']) for message in messages]


def silent(viewer: Viewer) -> bool:
    async def listen() -> None:
        await asyncio.wait_for(viewer.next(), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(listen())
    return True


def test_a_slow_viewer_hears_the_newest_of_each_subject_in_turn_and_holds_nobody_up() -> None:
    viewers = Viewers()
    slow, fast = viewers.enter(), viewers.enter()
    for number in range(3):
        viewers.tell('picture/front', number)
        viewers.tell('state', number)
        assert heard(fast, 2) == [('picture/front', number), ('state', number)]
    assert heard(slow, 2) == [('picture/front', 2), ('state', 2)]
    assert silent(slow)
    assert viewers.passed_over == slow.passed_over == 2  # pictures; a state that is out of date
    viewers.leave(slow)
    assert (viewers.passed_over, len(viewers)) == (2, 1)


def test_what_is_no_news_is_not_told_again_but_to_who_enters() -> None:
    viewers = Viewers()
    first = viewers.enter()
    for _ in range(2):
        viewers.tell('node', {'alive': True})
    assert heard(first, 1) == [('node', {'alive': True})]
    assert silent(first)
    assert heard(viewers.enter(), 1) == [('node', {'alive': True})]


def test_who_does_not_look_gets_no_pictures() -> None:
    viewers = Viewers()
    assert not viewers.look
    viewer = viewers.enter()
    assert viewers.look
    viewer.looks = False
    assert not viewers.look
    viewers.tell('picture/front', 0)
    viewers.tell('state', 0)
    assert heard(viewer, 1) == [('state', 0)]
    assert silent(viewer) and viewers.passed_over == 0


def test_a_number_that_json_does_not_have_is_refused_where_it_is_told() -> None:
    with pytest.raises(ValueError):
        Viewers().tell('state', float('nan'))
