# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import pytest

from livevlm_ros.replay.metric import Metric
from livevlm_ros.replay.source import open_source


def test_each_type_has_its_truth_and_is_asked_at_the_end_of_its_stretch(
    navqa: Path, imported
) -> None:
    entries = {entry.id: entry for entry in imported('NaVQA')[1]['navqa-0']}
    assert {(entry.at, entry.lookback) for entry in entries.values()} == {(20.0, 20.0)}
    binary, where, ago, duration = (entries[f'S_{number}'] for number in (1, 2, 3, 4))
    assert (binary.answer, binary.choices) == (('yes',), ('yes', 'no'))
    assert binary.evidence == pytest.approx((2.25, 5.25))
    assert where.metric == Metric('where', (7.5, 1.0, 0.5), 'metres')
    assert ago.metric == Metric('ago', (0.27,), 'minutes')
    assert duration.metric == Metric('number', (0.2,), 'minutes')
    assert duration.evidence == pytest.approx((0.25, 15.25))


def test_what_cannot_be_asked_is_counted_by_its_reason(navqa: Path, imported) -> None:
    assert imported('NaVQA')[0].left_out == {
        'text: only people can score it, as its authors say': 1,
        'time: not one time within its stretch': 1,
        'pictures of sequence 3 are missing': 1,
        'binary: neither yes nor no': 1,
        'its stretch of time is in no qa_unfilled.json': 1,
    }


def test_places_are_left_out_where_the_recording_has_no_poses(navqa: Path, imported) -> None:
    shutil.rmtree(navqa / 'CODa/poses')
    written, questions = imported('NaVQA')
    assert written.left_out['position: the recording has no pose there'] == 1
    assert 'S_2' not in {entry.id for entry in questions['navqa-0']}


def test_the_sequence_becomes_a_bag_with_its_own_times_and_poses(
    navqa: Path, imported, tmp_path: Path
) -> None:
    imported('NaVQA')
    frames = list(open_source(tmp_path / 'out/navqa-0').frames())
    assert len(frames) == 48 and frames[0].stamp_ns == 1673884800_250_000_000
    pose = frames[6].pose()
    assert pose is not None and pose[:3] == pytest.approx((6.0, 1.0, 0.5))
