# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livevlm_ros.model import CheckpointError, log_shares
from livevlm_ros.model.likelihood import likelihood_temperature


def test_shares_are_those_of_a_softmax_at_a_temperature() -> None:
    scores = torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    ids = torch.tensor([1, 2])
    expected = (scores / 2).log_softmax(1)
    assert torch.allclose(log_shares(scores, ids, 2.0), expected[[0, 1], [1, 2]])
    assert torch.allclose(log_shares(scores[0], ids[0], 2.0), expected[0, 1])


def test_the_temperature_is_the_checkpoints_or_one() -> None:
    assert likelihood_temperature({'confidence': {'temperature': 1.3}}) == 1.3
    assert likelihood_temperature({}) == 1.0


@pytest.mark.parametrize('entry', [{}, 1.3, {'temperature': 0}, {'temperature': 'hot'}, {'t': 1}])
def test_what_is_no_temperature_is_refused(entry) -> None:
    with pytest.raises(CheckpointError, match='memory.yaml: confidence takes the key temperature'):
        likelihood_temperature({'confidence': entry})
