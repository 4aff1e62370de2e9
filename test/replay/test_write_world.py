# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.questions import read_questions
from livevlm_ros.replay.source import find_recordings, open_source
from livevlm_ros.replay.write_world import MAX_STREAMS, Filming, write_world
from livevlm_ros.world import CHOICES, World


def test_each_stream_has_its_bag_its_questions_and_its_truth(world_folder: Path) -> None:
    bags = find_recordings(world_folder)
    assert [bag.name for bag in bags] == ['stream-0000', 'stream-0001']
    for number, bag in enumerate(bags):
        length = open_source(bag).length
        assert 6 <= length <= 10
        entries, refused = read_questions(bag.with_name(f'{bag.name}.questions.yaml'))
        assert len(entries) == 12 and refused == []
        truth = json.loads(bag.with_name(f'{bag.name}.truth.json').read_text())
        assert truth['seed'] == 5 * MAX_STREAMS + number and truth['seconds'] == length
        for entry in entries:
            assert set() < set(entry.answer) <= set(entry.choices) <= set(CHOICES[entry.type])
            assert 0 <= entry.at <= length - 1


def test_frames_are_those_of_the_world_at_their_stamps(world_folder: Path) -> None:
    bag = find_recordings(world_folder)[1]
    source = open_source(bag)
    frames = list(source.frames())
    stamps = [frame.stamp_ns for frame in frames]
    assert np.diff(stamps).tolist() == [1_000_000_000] * (len(frames) - 1)
    world = World(5 * MAX_STREAMS + 1, float(len(frames)))
    expected = world.image(3.0, (128, 96)).astype(int)
    assert callable(frames[3].pixels)
    assert np.abs(frames[3].pixels().astype(int) - expected).mean() < 6


def test_the_same_seed_films_the_same_again(tmp_path: Path) -> None:
    filming = Filming(seed=9, streams=2, frames=(2, 5), size=(96, 72), questions=4)
    for name in ('a', 'b'):
        write_world(tmp_path / name, filming)
    for file in sorted((tmp_path / 'a').glob('*.*')):
        assert file.read_bytes() == (tmp_path / 'b' / file.name).read_bytes(), file.name
    bags = [tmp_path / name / 'stream-0001' / 'stream-0001.mcap' for name in ('a', 'b')]
    assert bags[0].read_bytes() == bags[1].read_bytes()


def test_other_seeds_share_no_stream(tmp_path: Path) -> None:
    truths = []
    for seed in (1, 2):
        filming = Filming(seed=seed, streams=2, frames=(20, 20), size=(96, 72), questions=0)
        write_world(tmp_path / str(seed), filming)
        truths += [file.read_text() for file in (tmp_path / str(seed)).glob('*.truth.json')]
    assert len(set(truths)) == 4


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(BadInput, match='is not an empty folder'):
        write_world(tmp_path, Filming(seed=1))
    with pytest.raises(BadInput, match='is not an empty folder'):
        write_world(tmp_path / 'notes.txt', Filming(seed=1))
    assert [file.name for file in tmp_path.iterdir()] == ['notes.txt']


def test_progress_ends_at_one(tmp_path: Path) -> None:
    shares: list[float] = []
    filming = Filming(seed=1, streams=2, frames=(2, 3), size=(96, 72), questions=0)
    written = write_world(tmp_path / 'w', filming, progress=shares.append)
    assert len(shares) == written and shares == sorted(shares) and shares[-1] == 1.0


@pytest.mark.parametrize(
    'wrong, says',
    [
        ({'seed': -1}, 'seed must be 0 or more, got -1'),
        ({'streams': 0}, 'streams must be 1 to'),
        ({'frames': (8, 4)}, r'frames must be .* got 8\.\.4'),
        ({'size': (64, 48)}, 'size must be 96 to 1280 .* got 64x48'),
        ({'fps': 0.0}, 'fps must be'),
        ({'questions': -1}, 'questions must be'),
        ({'storage': 'rosbag1'}, "storage must be one of mcap, sqlite3, got 'rosbag1'"),
    ],
)
def test_what_cannot_be_filmed_is_refused_by_name(wrong: dict, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Filming(**{'seed': 1, **wrong})
