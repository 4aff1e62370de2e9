# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livevlm_ros.model import CheckpointError, Familiarity, token_figures


def frames(count: int, *, seed: int, scale: float = 1.0, spread: float = 0.5) -> torch.Tensor:
    """Make tokens of frames whose places differ by `spread`, [count, 9, 64]."""
    source = torch.Generator().manual_seed(seed)
    common = (
        torch.randn(count, 1, 64, generator=source)
        * torch.linspace(0.8, 1.2, count)[:, None, None]
    )
    own = (
        torch.randn(count, 9, 64, generator=source)
        * torch.linspace(0.9, 1.1, count)[:, None, None]
    )
    return scale * (common + spread * own)


@pytest.fixture
def known() -> Familiarity:
    return Familiarity.of(token_figures(frames(200, seed=0)))


def test_frames_of_the_same_kind_are_no_strangers(known) -> None:
    assert known.strange(frames(200, seed=0)).sum() <= 1
    assert known.strange(frames(200, seed=1)).float().mean() < 0.05


@pytest.mark.parametrize(
    'other', [{'scale': 3.0}, {'scale': 0.2}, {'spread': 0.05}, {'spread': 4.0}]
)
def test_larger_smaller_flatter_and_rougher_frames_are_strange(known, other) -> None:
    assert known.strange(frames(20, seed=2, **other)).all()


def test_what_is_written_is_read_back(known) -> None:
    read = Familiarity.from_settings({'pictures': known.settings()})
    assert read is not None
    seen = torch.cat([frames(50, seed=3), frames(50, seed=3, scale=1.4)])
    assert (read.strange(seen) != known.strange(seen)).float().mean() <= 0.02


def test_without_numbers_nothing_is_claimed() -> None:
    assert Familiarity.from_settings({'evidence': {'layers': [2]}}) is None


@pytest.mark.parametrize(
    'entry',
    [
        [],
        {'mean': [0, 0, 0]},
        {'mean': [0, 0], 'precision': [[1, 0], [0, 1]], 'limit': 3},
        {'mean': [0, 0, 'x'], 'precision': [[1, 0, 0]] * 3, 'limit': 3},
        {'mean': [0, 0, 0], 'precision': [[1, 0, 0]] * 3, 'limit': -1},
    ],
)
def test_an_entry_that_is_no_such_thing_is_refused(entry) -> None:
    with pytest.raises(CheckpointError, match='memory.yaml: pictures takes mean'):
        Familiarity.from_settings({'pictures': entry})
