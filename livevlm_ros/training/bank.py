# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The clip bank: short clips of random events, filmed once, of which training streams are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator, SeedSequence, default_rng
from rich.progress import track
from torch.nn import functional

from livevlm_ros.world.draw import Scenery, draw_frame
from livevlm_ros.world.scene import CLASSES, COLORS, PLACES, Thing, colors_of
from livevlm_ros.world.world import TRAINING, pose_things

FRAMES_A_CLIP = 4
THINGS_WEIGHT = (0.12, 0.55, 0.22, 0.11)  # clips with no thing, one, two and three
SIZES = ((96, 96), (128, 96), (160, 120), (192, 108), (240, 180), (320, 240))
JPEG_SHARE = 0.5  # of the frames
CLIPS_A_JOB = 500  # filmed by one process at a time
NONE = -1

Labels = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Bank:
    """
    Clips and what they show.

    :param images: uint8 RGB at the tower's input size, [clips, FRAMES_A_CLIP, side, side, 3]
    :param kinds: index into `CLASSES` of the thing at each place, or `NONE`, [clips, places]
    :param colors: index into `COLORS` of its color, or `NONE`, [clips, places]
    """

    images: np.ndarray
    kinds: np.ndarray
    colors: np.ndarray

    def things(self, clip: int) -> tuple[Thing, ...]:
        """Return what a clip shows."""
        return tuple(
            Thing(CLASSES[kind], COLORS[color] if color != NONE else '', PLACES[place])
            for place, (kind, color) in enumerate(
                zip(self.kinds[clip].tolist(), self.colors[clip].tolist(), strict=True)
            )
            if kind != NONE
        )


def film_bank(folder: Path, *, clips: int, seed: int, side: int) -> Bank:
    """
    Film the clip bank, or open the one already in `folder` when it was made with the same numbers.

    The clips are the same however many processes film them.

    :param folder: where the clips are kept between runs
    :param clips: number of clips
    :param seed: training seed; its frames are in no evaluation stream
    :param side: width and height of the tower's input
    """
    path = folder / f'bank-{seed}-{clips}-{side}.npz'
    film = path.with_suffix('.u8')
    shape = (clips, FRAMES_A_CLIP, side, side, 3)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.memmap(film, np.uint8, 'w+', shape=shape).flush()
        jobs = [range(at, min(at + CLIPS_A_JOB, clips)) for at in range(0, clips, CLIPS_A_JOB)]
        labels = [*_film_all(partial(_film_job, film, shape, seed), jobs)]
        kinds, colors = (np.concatenate(column) for column in zip(*labels, strict=True))
        np.savez(path, kinds=kinds, colors=colors)
    images = np.memmap(film, np.uint8, 'c', shape=shape)
    with np.load(path) as saved:
        return Bank(images, saved['kinds'], saved['colors'])


def _film_all(film_job: Callable[[range], Labels], jobs: Sequence[range]) -> Iterator[Labels]:
    """Do the jobs in as many processes as there are cores; a lone job or core needs none."""
    processes = min(len(os.sched_getaffinity(0)), len(jobs))
    if processes == 1:
        yield from track(map(film_job, jobs), 'filming clips', total=len(jobs))
        return
    with ProcessPoolExecutor(processes, get_context('spawn')) as pool:
        yield from track(pool.map(film_job, jobs), 'filming clips', total=len(jobs))


def _film_job(film: Path, shape: tuple[int, ...], seed: int, clips: range) -> Labels:
    """Film some of the clips into a file; returns their kinds and colors."""
    torch.set_num_threads(1)
    images = np.memmap(film, np.uint8, 'r+', shape=shape)
    kinds = np.full((len(clips), len(PLACES)), NONE, np.int8)
    colors = np.full((len(clips), len(PLACES)), NONE, np.int8)
    for row, clip in enumerate(clips):
        rng = default_rng(SeedSequence(seed, spawn_key=(TRAINING, 7, clip)))
        things = _choose_things(rng)
        for thing in things:
            place = PLACES.index(thing.place)
            kinds[row, place] = CLASSES.index(thing.kind)
            colors[row, place] = COLORS.index(thing.color) if thing.color else NONE
        images[clip] = _film(rng, things, shape[-2])
    images.flush()
    return kinds, colors


def _choose_things(rng: Generator) -> tuple[Thing, ...]:
    """Choose the things of a clip: distinct classes at distinct places."""
    count = int(rng.choice(len(THINGS_WEIGHT), p=THINGS_WEIGHT))
    kinds = rng.permutation(CLASSES)[:count].tolist()
    places = rng.permutation(PLACES)[:count].tolist()
    return tuple(
        Thing(kind, str(rng.choice(colors_of(kind))), place)
        for kind, place in zip(kinds, places, strict=True)
    )


def _film(rng: Generator, things: tuple[Thing, ...], side: int) -> np.ndarray:
    """Film a clip at a random camera size, resized as the model does, [frames, side, side, 3]."""
    scenery = Scenery.choose(rng)
    began = rng.uniform(0, 600)
    course = int(rng.integers(2**32))
    size = SIZES[int(rng.integers(len(SIZES)))]
    quality = int(rng.integers(60, 96))
    frames = []
    for progress in np.sort(rng.uniform(0, 1, FRAMES_A_CLIP)):
        poses = pose_things(things, progress, default_rng(course))
        frame = draw_frame(scenery, poses, t=began + 8 * progress, size=size, rng=rng)
        frames.append(_through_jpeg(frame, quality) if rng.random() < JPEG_SHARE else frame)
    pixels = torch.from_numpy(np.stack(frames)).movedim(-1, 1)  # [frames, 3, height, width]
    small = functional.interpolate(pixels, (side, side), mode='bicubic', antialias=True)
    return small.movedim(1, -1).numpy()


def _through_jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    """Return the frame with the losses of a compressed camera topic."""
    _, data = cv2.imencode('.jpg', frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
