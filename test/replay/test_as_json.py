# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import math
from collections import Counter

import pytest

from livevlm_ros.engine.messages import Answer, Evidence, Latency, Source, Status
from livevlm_ros.engine.slot import Dropped
from livevlm_ros.memory import MemorySizes, RecallCounts
from livevlm_ros.pose import Pose
from livevlm_ros.replay.as_json import as_json, from_json
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.outcome import Evaluation, MemorySample, Outcome
from livevlm_ros.replay.questions import QuestionEntry

SIZES = MemorySizes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, True, recall=RecallCounts(questions=3))
EVIDENCE = Evidence(
    'camera', 2**62 + 1, 'f', 'k', 0.1, Source.LONG_TERM, b'\xff\xd8', Pose(1.0, 2.0, 3.0)
)
OUTCOMES = [
    Outcome(
        'stream.mcap',
        QuestionEntry(0.1 + 0.2, 'what ?', 'a', ('red',), 'now', (1.0, 2.0), ('red',), 0.5),
        Answer(
            Status.PARTIAL,
            text='röd "',
            confidence=1 / 3,
            evidence=(EVIDENCE,),
            latency=Latency(total_ms=math.pi, budget_ms=math.inf),
        ),
        (1 / 7,),
        3,
        0.25,
    ),
    Outcome('stream.mcap', QuestionEntry(2.0, 'where ?'), Answer(Status.OK), (), None, None),
]
EVALUATION = Evaluation(
    frames=4,
    seconds=1 / 9,
    recordings=['stream.mcap'],
    outcomes=OUTCOMES,
    memory=[MemorySample('stream.mcap', 1.5, 0.5, SIZES)],
    warnings=['odd'],
    skipped=Counter({'std_msgs/msg/String': 2}),
)
COUNTS = Counts('tiny', 9, 5, Dropped(rate=4), recall=RecallCounts(exposed_s=0.1))


@pytest.mark.parametrize('value', [EVALUATION, COUNTS, Counts()], ids=['all', 'counts', 'none'])
def test_what_is_read_back_equals_what_was_written_and_has_its_types(value) -> None:
    read = from_json(type(value), json.loads(json.dumps(as_json(value))))
    assert read == value and repr(read) == repr(value)


def test_defaults_are_left_out() -> None:
    assert as_json(Answer(Status.OK)) == {'status': 0}
    assert as_json(Counts()) == {}


def test_what_is_no_such_value_is_refused() -> None:
    with pytest.raises(KeyError):
        from_json(Counts, {'frames': 1})
    with pytest.raises(ValueError):
        from_json(Answer, {'status': 77})
