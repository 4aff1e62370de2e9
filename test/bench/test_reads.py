# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from livevlm_bench import reads as counting
from livevlm_bench.reads import PRESETS, SHIPPED, Reads, count_reads, read_reads
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.write_world import Filming, write_world


def test_layers_of_a_deeper_model_are_laid_evenly_on_those_that_were_counted() -> None:
    reads = Reads('', 1, {'livevlm': [1.0, 2.0, 3.0]})
    assert [reads.of_layer('livevlm', layer, layers=6) for layer in range(6)] == [
        1.0,
        1.0,
        2.0,
        2.0,
        3.0,
        3.0,
    ]


def test_what_is_written_is_read(reads: Reads, tmp_path: Path) -> None:
    reads.write(tmp_path / 'r.json')
    assert read_reads(tmp_path / 'r.json') == reads


def test_the_shipped_reads_can_be_used() -> None:
    shipped = read_reads(SHIPPED)
    assert shipped.questions > 0 and shipped.command
    assert all(len(layers) == 6 for layers in shipped.frames.values())


@pytest.mark.parametrize(
    'change',
    [
        {'frames': {'livevlm': [1.0], 'rekv': [1.0]}},
        {'frames': {'livevlm': [1.0], 'rekv': [1.0], 'balanced': []}},
        {'frames': {'livevlm': [1.0], 'rekv': [1.0], 'balanced': [0.0]}},
        {'frames': {'livevlm': [1.0], 'rekv': [1.0], 'balanced': ['many']}},
        {'frames': 3},
        {'kind': 'report'},
    ],
)
def test_another_file_is_refused_by_name(
    reads: Reads, tmp_path: Path, change: dict[str, object]
) -> None:
    file = tmp_path / 'r.json'
    file.write_text(json.dumps({**asdict(reads), **change}))
    with pytest.raises(BadInput, match=r'r\.json.*livevlm bench reads'):
        read_reads(file)


@pytest.mark.parametrize('text', ['', '[]', '{"command": "x"}', '3'])
def test_what_is_no_reads_at_all_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'r.json'
    file.write_text(text)
    with pytest.raises(BadInput, match=r'r\.json.*livevlm bench reads'):
        read_reads(file)


@pytest.fixture(scope='module')
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('bench') / 'film'
    filming = Filming(seed=3, streams=1, frames=(30, 30), size=(128, 96), questions=8)
    write_world(folder, filming)
    return folder


def test_questions_are_counted_once_there_is_enough_to_read(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, 'LEAST_SEEN', 24)
    counted = count_reads(film)
    assert 0 < counted.questions <= 8 and str(film) in counted.command
    assert counted.frames.keys() == set(PRESETS)
    assert all(len(layers) == 6 for layers in counted.frames.values())
    # 30 frames or fewer, of which rekv reads all, and livevlm's share is more than what has left.
    assert all(23 < frames <= 30 for frames in counted.frames['rekv'])
    assert all(16 < frames <= 30 for layers in counted.frames.values() for frames in layers)


def test_recordings_that_are_too_short_are_refused(film: Path) -> None:
    with pytest.raises(BadInput, match='no question comes after 80 frames'):
        count_reads(film)
