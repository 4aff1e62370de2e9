# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tools as an agent calls them, by the library's own client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip('mcp')

from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.tools.agent_tools import AgentTools

SECOND = 10**9
POSE = {'x': 1.5, 'y': -2.0, 'z': 0.5, 'qx': 0.0, 'qy': 0.0, 'qz': 0.6, 'qw': 0.8}


@pytest.fixture
def call(using: Any) -> Callable[..., CallToolResult]:
    """Give what calls a tool."""
    return lambda name, **given: using(lambda client: client.call_tool(name, given))


def _told(result: CallToolResult) -> Any:
    assert not result.is_error, result.content
    return result.structured_content


def _refused(result: CallToolResult) -> str:
    assert result.is_error
    return ' '.join(part.text for part in result.content)


def test_a_question_reaches_the_memory_with_what_it_is_to_read(call: Any, scripted: Any) -> None:
    told = _told(
        call(
            'ask',
            question='where is it ?',
            budget_s=1.5,
            cameras=['front'],
            lookback_s=60,
            as_of_s=8.25,
            choices=['left', 'right'],
        )
    )
    (asked,) = scripted.questions
    assert (asked.text, asked.budget_s, asked.cameras) == ('where is it ?', 1.5, ('front',))
    assert (asked.lookback_s, asked.choices) == (60.0, ('left', 'right'))
    assert 0 <= asked.as_of_ns - round(8.25 * SECOND) <= 1000 and not asked.attach_images
    assert (told['answer'], told['sure'], told['confidence']) == ('on the left', True, 0.75)
    assert (told['newest_s'], told['took_s']) == (10.0, 0.02)
    best = told['evidence'][0]
    assert (best['camera'], best['stamp_s'], best['pose']) == ('front', 4.0, POSE)


def test_the_text_says_what_the_structure_says_and_pictures_follow_their_names(call: Any) -> None:
    result = call('ask', question='where ?', images=True)
    text, first, picture, *_ = result.content
    assert json.loads(text.text)['answer'] == result.structured_content['answer']
    assert first.text == result.structured_content['evidence'][0]['uri']
    assert picture.mime_type == 'image/jpeg'
    assert base64.b64decode(picture.data) == b'\xff\xd8jpeg' and len(result.content) == 5
    assert len(call('ask', question='where ?').content) == 1


@pytest.mark.parametrize(
    ('as_of_s', 'lookback_s', 'start_s', 'end_s', 'left_s'),
    [(None, 0, 0, 0, 0), (None, 5, 0, 0, 5), (9, 0, 0, 9, 0), (9, 5, 4, 9, 0), (3, 5, 0, 3, 0)],
)
def test_recall_reads_a_time_before_another(
    call: Any,
    scripted: Any,
    as_of_s: float | None,
    lookback_s: float,
    start_s: float,
    end_s: float,
    left_s: float,
) -> None:
    given = {'as_of_s': as_of_s, 'lookback_s': lookback_s, 'max_frames': 2}
    result = call('recall', question='a box', **given)
    (asked,) = scripted.questions
    assert asked.time_start_ns == pytest.approx(start_s * SECOND, abs=1000)
    assert asked.time_end_ns == pytest.approx(end_s * SECOND, abs=1000)
    assert (asked.lookback_s, asked.max_evidence, asked.attach_images) == (left_s, 2, True)
    told = _told(result)
    assert [frame['stamp_s'] for frame in told['frames']] == [4.0, 2.0]
    assert told['frames_considered'] == 10
    assert [part.type for part in result.content] == ['text', *('text', 'image') * 2]


def test_where_gives_the_frame_the_answer_rests_on_and_where_the_camera_was(
    call: Any, scripted: Any
) -> None:
    result = call('where', thing='the blue bicycle')
    told = _told(result)
    assert scripted.questions[0].text == 'where did you last see the blue bicycle ?'
    assert (told['answer'], told['age_s'], told['frame']['stamp_s']) == ('on the left', 6.0, 4.0)
    assert told['frame']['pose'] == POSE and [f['stamp_s'] for f in told['others']] == [2.0]
    assert [part.type for part in result.content] == ['text', 'text', 'image']


def test_a_guess_is_an_answer_that_is_not_sure(call: Any, scripted: Any) -> None:
    scripted.answer = Answer(Status.NOT_SEEN, 'less sure than 0.5', text='left', confidence=0.2)
    told = _told(call('where', thing='the unicorn'))
    assert (told['sure'], told['frame'], told['age_s']) == (False, None, 0.0)
    assert _told(call('ask', question='where ?'))['message'] == 'less sure than 0.5'


@pytest.mark.parametrize(
    ('answer', 'said'),
    [
        (Answer(Status.INVALID, "cameras: got 'side'"), "INVALID: cameras: got 'side'"),
        (
            Answer(Status.OVERLOADED, 'the engine is busy', retry_after_s=0.123),
            'OVERLOADED: the engine is busy; try again in 0.13 s',
        ),
    ],
)
@pytest.mark.parametrize('tool', ['ask', 'recall'])
def test_why_there_is_no_answer_is_told(
    call: Any, scripted: Any, tool: str, answer: Answer, said: str
) -> None:
    scripted.answer = answer
    assert said in _refused(call(tool, question='what ?'))


@pytest.mark.parametrize(
    ('tool', 'given', 'said'),
    [
        ('ask', {}, 'question'),
        ('ask', {'question': 'what ?', 'budget_s': -1}, 'budget_s'),
        ('ask', {'question': 'what ?', 'camera': 'front'}, 'camera'),
        ('recall', {'question': 'what ?', 'max_frames': 33}, 'max_frames'),
        ('watch', {'action': 'stop'}, "'add', 'list' or 'remove'"),
    ],
)
def test_arguments_that_are_wrong_or_unknown_are_refused_by_name(
    call: Any, scripted: Any, tool: str, given: dict[str, Any], said: str
) -> None:
    assert said in _refused(call(tool, **given))
    assert not scripted.questions


def test_the_timeline_is_read_by_the_times_it_tells(call: Any) -> None:
    told = _told(call('timeline', from_s=3.0, until_s=5.0, max_frames=2))
    assert [frame['stamp_s'] for frame in told['frames']] == [3.0, 4.0]
    assert told['frames_in_range'] == 3
    assert 'expected some of front, rear' in _refused(call('timeline', cameras=['side']))


def test_watches_are_added_listed_and_removed(call: Any, scripted: Any) -> None:
    told = _told(
        call('watch', action='add', question='open ?', watch_id='door', every_s=2, budget_s=3)
    )
    assert told['watch_id'] == 'door'
    (watch,) = scripted.listed
    assert (watch.text, watch.period_s, watch.budget_s) == ('open ?', 2.0, 3.0)
    (listed,) = _told(call('watch'))['watches']
    assert (listed['question'], listed['answer'], listed['events']) == ('open ?', 'red', 2)
    assert "got 'gate'" in _refused(call('watch', action='remove', watch_id='gate'))
    assert 'got none' in _refused(call('watch', action='remove'))
    told = _told(call('watch', action='remove', watch_id='door'))
    assert (told['removed'], told['watches']) == (1, [])


def test_forgetting_wants_a_choice_or_all(call: Any, scripted: Any) -> None:
    assert 'got no choice' in _refused(call('forget'))
    assert 'got both' in _refused(call('forget', cameras=['front'], everything=True))
    assert not scripted.forgotten
    assert _told(call('forget', from_s=2.0, until_s=3.0))['frames'] == 2
    call('forget', everything=True)
    some, all_of_it = scripted.forgotten
    assert some['start'] <= 2 * SECOND < 3 * SECOND <= some['end']
    assert all_of_it == {'cameras': (), 'start': 0, 'end': 0}


def test_the_status_says_which_times_there_are(call: Any) -> None:
    told = _told(call('status'))
    assert told['cameras'] == [
        {'name': 'front', 'newest_s': 10.0},
        {'name': 'rear', 'newest_s': None},
    ]
    assert (told['oldest_s'], told['kept'], told['model']) == (1.0, '3 h', 'scripted')


def test_frames_are_resources(using: Any, call: Any) -> None:
    uri = _told(call('timeline', max_frames=1))['frames'][0]['uri']
    read = using(lambda client: client.read_resource(uri))
    assert read.contents[0].mime_type == 'image/jpeg'
    assert base64.b64decode(read.contents[0].blob) == b'\xff\xd8jpegfront/1000000000'

    async def refused(client: Client) -> None:
        with pytest.raises(MCPError, match="got 'gone', which is no frame"):
            await client.read_resource('livevlm://frame/gone')

    using(refused)


def test_what_nobody_foresaw_tells_the_agent_nothing_of_the_machine(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> Any:
        raise RuntimeError('/secret/path')

    monkeypatch.setattr(AgentTools, '_seconds', property(fail))
    assert 'secret' not in _refused(call('status'))
