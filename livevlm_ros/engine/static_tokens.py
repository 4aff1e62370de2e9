# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Static tokens: what a frame shows where the last kept one of its camera showed the same.

A token is compared with what stood at its place when the language layers last read it, so that a
slow change adds up until it counts. How near is the same, the camera's own distances say, by
Otsu's threshold (1979), as in FluxMem (arXiv 2603.02096); here by their orders of magnitude, for
those of one thing lie decades below those of two. That rule cuts whatever it is given in two, the
noise of a parked camera and the flow of a moving one alike. So distances between different places
go in with those at the same place, and where the cut parts no two kinds nothing is static.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from livevlm_ros.engine.stats import TokenCounts
from livevlm_ros.memory import FrameRef
from livevlm_ros.memory.tokens import upload

BINS = 128
"""Of distances."""

NEAREST, FARTHEST = -5.0, math.log10(2.0)
"""Orders of magnitude of a distance, 1 less the cosine."""

FRAMES = 64
"""About how many frames of a camera the threshold is made from."""

PARTED = 0.8
"""Least share of all variance that lies between two kinds; an even spread has 0.75."""


@dataclass(frozen=True, slots=True)
class _Camera:
    """
    What is known of a camera.

    :param last_ns: stamp of its last kept frame
    :param whole_ns: stamp of the last that was read whole
    :param seen: embeddings of its image tokens as they were read last, of length one,
        [image_tokens, width]
    """

    last_ns: int
    whole_ns: int
    seen: Tensor


class Read(NamedTuple):
    """Cameras after a step, and how many tokens were read in it."""

    cameras: dict[str, _Camera]
    tokens: int


class StaticTokens:
    """
    Knows what each camera's tokens were when they were last read; owned by the engine thread.

    :param image: which tokens of a frame are its image's; text around it is read with any of them
    :param whole: whether a frame with something new is read whole
    :param heartbeat_s: seconds of header time after which a frame is read whole in any case
    """

    def __init__(self, image: slice, *, whole: bool, heartbeat_s: float) -> None:
        self._image, self._whole = image, whole
        self._heartbeat_ns = round(heartbeat_s * 1e9)
        self._cameras: dict[str, _Camera] = {}
        self._counts: dict[str, Tensor] = {}  # of distances, [BINS], by camera
        self._shown = self._read = 0  # tokens

    @property
    def counts(self) -> TokenCounts:
        """How many tokens were shown, and how many of them had to be read."""
        return TokenCounts(self._shown, self._read)

    @property
    def nbytes(self) -> int:
        """Bytes on the device that are compared with."""
        return sum(camera.seen.nbytes for camera in self._cameras.values())

    def clear(self) -> None:
        """Begin anew with the next frame of each camera: the memory has lost some."""
        self._cameras.clear()
        self._counts.clear()

    def changed(self, refs: Sequence[FrameRef], tokens: Tensor) -> Tensor:
        """
        Say which tokens of frames must be read; those of a frame that shows nothing new: none.

        It waits for a GPU once: what is read next is as many tokens as are found here.

        :param tokens: embeddings, [frames, tokens_per_frame, width]
        :returns: bool [frames, tokens_per_frame] on the host
        """
        changed = torch.ones(tokens.shape[:2], dtype=torch.bool)
        self._shown += changed.numel()
        known = [index for index, ref in enumerate(refs) if ref.camera in self._cameras]
        if not known:
            return changed
        seen = [normalize(tokens[index, self._image].float(), dim=-1) for index in known]
        before = [self._cameras[refs[index].camera] for index in known]
        distances = _distances(torch.stack(seen), torch.stack([each.seen for each in before]))
        for index, camera, apart in zip(known, before, distances, strict=True):
            ref, row = refs[index], changed[index]
            alike = self._alike(ref.camera, apart)
            since_ns = ref.stamp_ns - camera.whole_ns
            if ref.stamp_ns > camera.last_ns and since_ns < self._heartbeat_ns:
                row[self._image] = ~alike
                row &= bool(row[self._image].any())
                row |= bool(row.any()) and self._whole
        return changed

    def read(self, refs: Sequence[FrameRef], tokens: Tensor, changed: Tensor) -> Read:
        """Return what is known of the cameras once these frames are in the memory."""
        cameras = dict(self._cameras)
        for ref, image, row in zip(refs, tokens[:, self._image], changed, strict=True):
            seen, before = normalize(image.float(), dim=-1), cameras.get(ref.camera)
            if before is None or row.all():
                cameras[ref.camera] = _Camera(ref.stamp_ns, ref.stamp_ns, seen)
                continue
            read = upload(row[self._image, None], seen.device)
            cameras[ref.camera] = replace(
                before, last_ns=ref.stamp_ns, seen=torch.where(read, seen, before.seen)
            )
        return Read(cameras, int(changed.sum()))

    def keep(self, read: Read) -> None:
        """Note that the frames are there."""
        self._cameras = read.cameras
        self._read += read.tokens

    def _alike(self, camera: str, distances: Tensor) -> Tensor:
        """
        Return which tokens are as they were before, bool [image_tokens].

        :param distances: as `_distances` gives them for a frame
        """
        new = torch.histc(distances, BINS, 0.0, 1.0).double()
        counts = self._counts[camera] = new + self._counts.get(camera, 0.0) * (1 - 1 / FRAMES)
        threshold, parted = otsu(counts)
        return distances[0] < (threshold if parted >= PARTED else 0.0)


def rows(tokens: Tensor, chosen: Tensor) -> Tensor:
    """
    Return chosen rows without waiting for the device that they are on.

    :param tokens: [rows, ...]
    :param chosen: bool [rows] on the host
    """
    return tokens.index_select(0, upload(chosen.nonzero()[:, 0], tokens.device))


def _distances(now: Tensor, before: Tensor) -> Tensor:
    """
    Return how far tokens are from those before, at the same place and at another one.

    :param now: of length one, [frames, image_tokens, width]
    :param before: shaped like `now`
    :returns: as `_magnitudes` has them, [frames, 2, image_tokens] on the host
    """
    elsewhere = before.roll(before.shape[1] // 2, dims=1)
    cosines = torch.stack(((now * before).sum(-1), (now * elsewhere).sum(-1)), dim=1)
    return _magnitudes(1 - cosines).cpu()


def _magnitudes(distances: Tensor) -> Tensor:
    """Return the orders of magnitude of distances, from `NEAREST` to `FARTHEST`, as [0, 1]."""
    logs = distances.clamp_min(10**NEAREST).log10()
    return ((logs - NEAREST) / (FARTHEST - NEAREST)).clamp(0.0, 1.0)


def otsu(counts: Tensor) -> tuple[float, float]:
    """
    Cut numbers in two so that the variance between the parts is largest.

    :param counts: how many lie in each of even bins from 0 to 1, [bins]
    :returns: the threshold, in the middle of where it may lie, and the share of all variance that
        lies between the parts
    """
    shares, bins = counts / counts.sum(), len(counts)
    edges = torch.arange(1, bins, dtype=torch.float64) / bins
    centres = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    below, mean = shares.cumsum(0), (shares * centres).sum()
    lower = (shares * centres).cumsum(0)
    between = (mean * below - lower) ** 2 / (below * (1 - below)).clamp_min(1e-12)
    best = between[:-1].max()
    variance = (shares * (centres - mean) ** 2).sum()
    threshold = edges[between[:-1] >= best * (1 - 1e-9)].mean()
    return float(threshold), float(best / variance.clamp_min(1e-12))
