# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from functools import reduce
from operator import add
from types import SimpleNamespace

from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.engine.stats import TokenCounts
from livevlm_ros.memory import RecallCounts
from livevlm_ros.replay.counts import Counts

LOOKS = [
    Counts('tiny', 0, 0, recall=RecallCounts()),
    Counts('tiny', 5, 3, Dropped(rate=1, bad=1), 1, last_error='torn', recall=RecallCounts(2, 1)),
    Counts(
        'tiny',
        9,
        7,
        Dropped(rate=1, bad=1),
        1,
        TokenCounts(63, 40),
        last_error='torn',
        recall=RecallCounts(4, 1),
    ),
]


def test_the_counts_of_all_stretches_are_those_of_the_whole() -> None:
    stretches = [later.since(before) for before, later in zip(LOOKS, LOOKS[1:], strict=False)]
    assert stretches[1].frames_used == 4 and not stretches[1].dropped.total
    assert stretches[1].last_error == '', 'that frame was of the stretch before'
    assert reduce(add, stretches, Counts()) == LOOKS[-1]


def test_an_archive_that_lost_its_disk_stays_so() -> None:
    lost = replace(LOOKS[1], disk_lost=True, archive_lost=2)
    assert (LOOKS[0] + lost).disk_lost and (lost + LOOKS[0]).archive_lost == 2


def test_counts_are_those_of_the_engine() -> None:
    stats = SimpleNamespace(
        model=None,
        memory=SimpleNamespace(archive_lost=1, disk_lost=True, recall=RecallCounts(questions=2)),
        frames_in=4,
        frames_used=3,
        dropped=Dropped(bad=1),
        strangers=0,
        tokens=TokenCounts(shown=8, read=6),
        cameras={'camera': CameraStats(last_error='torn')},
        unknown_cameras=CameraStats(last_error='who ?'),
    )
    counts = Counts.of(stats)
    assert (counts.frames_in, counts.frames_used, counts.last_error) == (4, 3, 'torn')
    assert counts.tokens.share_read == 0.75
    assert counts.disk_lost and counts.recall.questions == 2 and counts.model_id == ''
    assert Counts.of(SimpleNamespace(**{**vars(stats), 'memory': None})).recall is None
