# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How likely tokens are to a model, at the temperature of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from livevlm_ros.model.folder import CheckpointError


class AnswerToken(NamedTuple):
    """
    A token of an answer.

    :param log_share: log probability that the model gave it
    :param scores: of every token in its place, [vocabulary], where the model is
    :param doubt: of the first token, how near the model came to saying that nothing was there, as
        `Absence.doubt`; else 0
    """

    id: int
    log_share: float
    scores: Tensor
    doubt: float = 0.0


def log_shares(scores: Tensor, ids: Tensor, temperature: float) -> Tensor:
    """
    Return log probabilities of tokens.

    :param scores: of every token, [..., vocabulary]
    :param ids: the tokens, int64 [...]
    :returns: float32 [...]
    """
    scores = scores.float() / temperature
    chosen = scores.gather(-1, ids[..., None])[..., 0]
    return chosen - scores.logsumexp(-1)


def likelihood_temperature(settings: Mapping[str, Any]) -> float:
    """
    Read `confidence: {temperature: 1.3}` of a checkpoint's `memory.yaml`; 1 without the entry.

    :raises CheckpointError: for another key, or a temperature that is not above 0
    """
    entry = settings.get('confidence', {'temperature': 1.0})
    given = entry.get('temperature') if isinstance(entry, Mapping) and len(entry) == 1 else None
    if not isinstance(given, int | float) or not 0 < given < float('inf'):
        raise CheckpointError(
            f'memory.yaml: confidence takes the key temperature, a number above 0, got {entry!r}'
        )
    return float(given)
