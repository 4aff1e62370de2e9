# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether a frame is like those that a checkpoint was calibrated on.

A small model is sure of whatever it is shown, so that the likelihood of its answers does not tell.
The tokens it makes of a frame do: pictures of another kind make them larger or smaller, more or
less even, and differ less from place to place. These three are measured of each frame, and their
distance from the calibration's frames is weighed by how those vary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from livevlm_ros.model.folder import CheckpointError

KEYS = {'mean', 'precision', 'limit'}

KNOWN_SHARE = 0.999
"""Share of the calibration's frames within the limit: a few of them are odd."""


def token_figures(tokens: Tensor) -> Tensor:
    """
    Measure frames: how large their tokens are, how even, how much they differ from each other.

    :param tokens: as `encode_frames` gives them, [frames, tokens_per_frame, hidden]
    :returns: logs of the root mean square, the mean size, and the root mean square of what is left
        without the frame's mean token; float32 [frames, 3]
    """
    tokens = tokens.float()
    own = tokens - tokens.mean(1, keepdim=True)
    squares = tokens.square().mean((1, 2)).sqrt(), own.square().mean((1, 2)).sqrt()
    figures = torch.stack((squares[0], tokens.abs().mean((1, 2)), squares[1]), dim=1)
    return figures.clamp_min(1e-12).log()


@dataclass(frozen=True, slots=True)
class Familiarity:
    """
    What the frames of a calibration are like.

    :param mean: of their figures, [3]
    :param precision: inverse covariance of their figures, [3, 3]
    :param limit: distance from which on a frame is strange
    """

    mean: Tensor
    precision: Tensor
    limit: float

    @classmethod
    def of(cls, figures: Tensor) -> Familiarity:
        """
        Fit what frames are like.

        :param figures: of `token_figures`, [frames, 3]; at least a few frames that differ
        """
        figures = figures.double()
        mean, precision = figures.mean(0), torch.linalg.pinv(torch.cov(figures.T))
        limit = _distance(figures, mean, precision).quantile(KNOWN_SHARE)
        return cls(mean, precision, float(limit))

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], device: torch.device | str = 'cpu'
    ) -> Familiarity | None:
        """
        Read `pictures: {mean: [...], precision: [[...], ...], limit: 5.3}` of a `memory.yaml`.

        :param settings: the whole file; without the entry nothing is known of pictures: None
        :raises CheckpointError: for an entry that is no such thing
        """
        entry = settings.get('pictures')
        if entry is None:
            return None
        try:
            if set(entry) != KEYS:
                raise ValueError
            mean, precision = (torch.tensor(entry[key]).float() for key in ('mean', 'precision'))
            limit = float(entry['limit'])
            if mean.shape != (3,) or precision.shape != (3, 3) or not limit > 0:
                raise ValueError
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                'memory.yaml: pictures takes mean, 3 numbers, precision, 3 by 3, and limit, as '
                f'livevlm calibrate writes them, got {entry!r}'
            ) from error
        return cls(mean.to(device), precision.to(device), limit)

    def settings(self) -> dict[str, Any]:
        """Return the entry of a `memory.yaml`."""
        return {
            'mean': [round(each, 4) for each in self.mean.tolist()],
            'precision': [[round(each, 1) for each in row] for row in self.precision.tolist()],
            'limit': round(self.limit, 2),
        }

    def strange(self, tokens: Tensor) -> Tensor:
        """
        Say which frames are further away than nearly all of the calibration's.

        :param tokens: as `encode_frames` gives them, [frames, tokens_per_frame, hidden]
        :returns: bool [frames], where they are
        """
        return _distance(token_figures(tokens), self.mean, self.precision) > self.limit


def _distance(figures: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
    away = figures - mean
    return (away @ precision * away).sum(1).clamp_min(0.0).sqrt()
