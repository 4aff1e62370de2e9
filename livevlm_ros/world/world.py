# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The world: one seed is one stream, with its frames, its truth and the questions about it."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from livevlm_ros.world.draw import CENTRE, Pose, Scenery, draw_frame
from livevlm_ros.world.plan import plan_events
from livevlm_ros.world.questions import NEVER_SHARE, AskedQuestion, History, ask, truth_of
from livevlm_ros.world.scene import Event, Thing

EVALUATION, TRAINING = 0, 1  # namespaces of seeds: no stream is in both
FOCAL = 1.0  # of the camera, in widths of its picture
FRAME_PERIODS_PER_SECOND = 1000
FRAME_TOLERANCE = 1e-6  # frame periods: what floating point may be off by


class World:
    """
    A stream of the procedural camera.

    :param seed: which stream, a non-negative integer; the same seed in another namespace is
        another stream
    :param seconds: length of the stream
    :param namespace: `EVALUATION`, or `TRAINING` for the streams that models learn from
    """

    def __init__(self, seed: int, seconds: float, *, namespace: int = EVALUATION) -> None:
        if seed < 0 or seconds <= 0:
            raise ValueError(f'seed must be >= 0 and seconds > 0, got {seed} and {seconds}')
        self.seed = seed
        self.seconds = seconds
        self._namespace = namespace
        rng = self._rng(0)
        self.scenery = Scenery.choose(rng)
        self.events: list[Event] = plan_events(rng, seconds)
        self._starts = np.array([event.start for event in self.events])

    def event_at(self, t: float) -> Event | None:
        """Return the event in view at a time, or None on an empty road."""
        index = int(np.searchsorted(self._starts, t, side='right')) - 1
        return self.events[index] if index >= 0 and t < self.events[index].end else None

    def image(self, t: float, size: tuple[int, int] = (640, 480)) -> np.ndarray:
        """
        Film one frame; the same seed, time and size give the same pixels.

        :param t: seconds since the stream began
        :param size: width and height, 96 to 1280 pixels wide
        :returns: uint8 RGB, [height, width, 3]
        """
        event = self.event_at(t)
        poses = []
        if event is not None:
            progress = (t - event.start) / (event.end - event.start)
            poses = pose_things(event.things, progress, self._rng(1, round(event.start * 1000)))
        rng = self._rng(2, round(t * 1000))
        return draw_frame(self.scenery, poses, t=t, size=size, rng=rng)

    def history(self, at: float, *, fps: float = 1.0) -> History:
        """Return what a camera with `fps` frames a second had seen at a time."""
        newest = np.floor(at * fps + FRAME_TOLERANCE)
        seen = []
        for event in self.events:
            first = np.ceil(event.start * fps - FRAME_TOLERANCE)
            # An event may fall between two frames of a slow camera.
            if first <= newest and first < event.end * fps - FRAME_TOLERANCE:
                seen.append(event)
        return History(events=tuple(seen), now=self.event_at(float(newest / fps)))

    def questions(
        self,
        *,
        count: int,
        fps: float = 1.0,
        at: tuple[float, float] | None = None,
        kinds: tuple[str, ...] | None = None,
        never_share: float = NEVER_SHARE,
    ) -> list[AskedQuestion]:
        """
        Write questions with their truth, in order of the time they are asked at.

        :param count: how many; the kinds take turns, so that each has its share
        :param fps: frames a second the asked camera sees
        :param at: earliest and latest second to ask at; by default the last quarter of the stream
        :param kinds: question kinds to choose from; by default all
        :param never_share: as of `ask`
        """
        last = np.floor((self.seconds - FRAME_TOLERANCE) * fps) / fps
        low, high = at if at is not None else (0.75 * last, last)
        rng = self._rng(3, count)
        first = np.ceil(low * fps - FRAME_TOLERANCE)
        frames = np.arange(first, np.floor(high * fps + FRAME_TOLERANCE) + 1) / fps
        times = np.sort(rng.choice(frames, count))
        return ask(
            rng,
            times.tolist(),
            lambda t: self.history(t, fps=fps),
            kinds=kinds,
            never_share=never_share,
        )

    def answers(self, question: AskedQuestion, at: float) -> tuple[str, ...] | None:
        """
        Return the accepted answers to a question had it been asked at another time.

        :returns: None when the question has no single right answer then
        """
        truth = truth_of(
            question.type, question.subject, self.history(at, fps=FRAME_PERIODS_PER_SECOND)
        )
        return truth.answer if truth is not None else None

    def _rng(self, *key: int) -> Generator:
        return default_rng(SeedSequence(self.seed, spawn_key=(self._namespace, *key)))


def pose_things(things: tuple[Thing, ...], progress: float, rng: Generator) -> list[Pose]:
    """
    Place an event's things in the frame at a point of its course: they come nearer and sway.

    :param progress: share of the event that has passed, [0, 1)
    :param rng: the event's own source, the same for each of its frames
    """
    poses = []
    for thing in things:
        x, y, size, sway, pace = rng.uniform(-1, 1, 5)
        poses.append(
            Pose(
                thing,
                x=CENTRE[thing.place] + 0.025 * x + 0.02 * sway * np.sin(6 * progress),
                y=0.8 + 0.06 * y + 0.02 * pace * progress,
                scale=1.0 + 0.1 * size + 0.15 * progress,
            )
        )
    return poses
