# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The feed of a training run: batches composed on demand, or ahead of it in worker processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread

import numpy as np
from numpy.random import Generator

from livevlm_ros.training.compose import Columns, Composer, StreamBatch

AHEAD = 3  # batches that wait or are being composed, a worker

_composer: Composer  # of a worker process


class Feed:
    """
    Batches in an order that the seed fixes.

    :param composer: makes the batches
    :param seed: of every choice
    :param workers: processes that compose; with 0 a batch is composed when it is asked for
    """

    def __init__(self, composer: Composer, seed: Sequence[int], *, workers: int) -> None:
        self._composer = composer
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._room = AHEAD * workers
        self._ahead: deque[Future[Columns]] = deque()
        self._asked_for = 0
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            # A server imports this module once; forked from it, the workers start at once.
            context = get_context('forkserver')
            context.set_forkserver_preload([__name__])
            self._pool = ProcessPoolExecutor(workers, context, _adopt, (composer,))

    def fill(self, choose_frames: Callable[[Generator], int]) -> None:
        """Let the workers compose as many batches ahead as there is room for."""
        while self._pool is not None and len(self._ahead) < self._room:
            self._asked_for += 1
            seed = [*self._seed, self._asked_for]
            job = self._pool.submit(_compose, seed, choose_frames(self._rng))
            self._ahead.append(job)

    def next(self, choose_frames: Callable[[Generator], int]) -> StreamBatch:
        """
        Return the next batch.

        :param choose_frames: chooses the frames a stream of the batch that is composed now: this
            one, or one that workers are ahead by
        """
        if self._pool is None:
            return self._composer.batch(self._rng, choose_frames(self._rng))
        self.fill(choose_frames)
        return StreamBatch.of(self._ahead.popleft().result())

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _adopt(composer: Composer) -> None:
    global _composer
    _composer = composer
    Thread(target=_end_with_the_trainer, daemon=True).start()


def _end_with_the_trainer() -> None:
    """End this worker, which would wait for jobs for ever, when the trainer was killed."""
    trainer = parent_process()
    assert trainer is not None
    trainer.join()
    os._exit(1)


def _compose(seed: Sequence[int], frames: int) -> Columns:
    return _composer.columns(np.random.default_rng(seed), frames)
