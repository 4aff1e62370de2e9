# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The work of the engine thread: a question if one waits, else a step; between them, watches."""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

import torch

from livevlm_ros.engine.answer import Answering
from livevlm_ros.engine.budget import RESERVE_S, Rung
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.contents import Contents
from livevlm_ros.engine.gate import FrameGate
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import Finish, Status
from livevlm_ros.engine.orders import Orders
from livevlm_ros.engine.parts import EngineParts
from livevlm_ros.engine.places import LATE_S, Promises
from livevlm_ros.engine.questions import STOPPED, PendingQuestion, QuestionQueue
from livevlm_ros.engine.recalling import Recalling
from livevlm_ros.engine.step import take_step
from livevlm_ros.engine.warmup import measure_answer
from livevlm_ros.engine.watches import Watches
from livevlm_ros.memory import FrameRef, Freed, Memory, ReadFilter

IDLE_S = 0.5  # longest nap without work, so that the heartbeat goes on
MEASURE_EVERY_S = 1.0  # between measurements asked for by refused questions, or so much more
MEASURE_SHARE = 0.05  # of the engine's time at most

_log = logging.getLogger(__name__)

T = TypeVar('T')


class Loop:
    """
    One loaded engine at work; every method but those that say so belongs to the engine thread.

    `turn` has no clock and no thread of its own: a replay calls it after each frame, `run` calls
    it whenever work waits. `answering` is the question being answered, `sizes` what the memory
    held after the last change, `usual_s` how long the work usually takes that it is busy with;
    `promises` says who was told to come back, `orders` what others want done between steps,
    `turns_failed` how often work failed of which neither a bad frame nor a reply tells.
    """

    def __init__(
        self,
        parts: EngineParts,
        ingest: Ingest,
        questions: QuestionQueue,
        watches: Watches,
        config: EngineConfig,
    ) -> None:
        self.parts = parts
        self.answering: PendingQuestion | None = None
        self.sizes = parts.memory.sizes()
        self.beat_s = time.monotonic()
        self.busy_with = 'idle'
        self.usual_s = 0.0
        self.promises, self.orders = Promises(), Orders()
        self.turns_failed = 0
        self._memory_name = _new_name()
        self._busy_until_s = 0.0
        self._ingest, self._questions, self._config = ingest, questions, config
        self._watches = watches
        self._watching: PendingQuestion | None = None  # the round that gives way to any question
        ingest.resume(_newest_ns(parts.memory))
        self._gate = FrameGate(
            on=config.gate,
            similarity=config.gate_similarity,
            heartbeat_s=config.gate_heartbeat_s,
        )
        self._work = threading.Event()
        self._stopping = threading.Event()
        self.runs = False  # or is about to
        self._step_span_s = (0.0, 0.0)  # begin and end of the last step
        self._stepped_s = 0.0  # in steps since the last answer, while others waited for theirs
        self._costs_doubted = False
        self._measure_from_s = self._next_measurement_s(parts.costs.answer.value)

    @torch.inference_mode()
    def turn(self) -> bool:
        """Do one piece of work; return False when there was none."""
        self.orders.carry_out()
        pending = self._due()
        if pending is None and self._measure_due():
            self._measure_again()
        elif pending is None and (watching := self._watch_due()) is not None:
            self._watch(watching)
        elif self._ingest.waits and self._frames_first(pending):
            self._step()
        elif pending is not None and (pending := self._questions.take()) is not None:
            self.answer(pending, pause=lambda: self._pause(pending))
        else:
            return False
        return True

    def settle(self) -> None:
        """Wait for the memory's own thread, so that sizes are those after the last step."""
        self.parts.memory.settle()
        self.sizes = self.parts.memory.sizes()

    def run(self) -> None:
        """Turn until `stop`; the engine thread's whole life."""
        if threads := self._config.torch_threads:
            torch.set_num_threads(threads)
        while not self._stopping.is_set():
            self._work.clear()
            try:
                worked = self.turn()
                self._autosave()
            except Exception:  # questions and steps report their own; this keeps the thread alive
                _log.exception('a turn of the engine failed')
                self.turns_failed += 1
                worked = False
            self.beat_s = time.monotonic()
            if not worked:
                self._work.wait(self._nap_s())
        self.orders.carry_out()
        self.runs = False

    def begin(self) -> None:
        """Make ready for `run`; any thread, while no other runs."""
        self._stopping.clear()
        self.runs = True
        self.beat_s = time.monotonic()

    def wake(self) -> None:
        """Tell that work waits; any thread."""
        self._work.set()

    def give_way(self) -> None:
        """Tell that a question waits, for which a watch makes room; any thread."""
        if (watching := self._watching) is not None:
            watching.cancel()
        self._work.set()

    def stop(self) -> None:
        """Let `run` end after the token or step it is at; any thread."""
        self._stopping.set()
        self._work.set()

    def order(self, work: Callable[[], T]) -> Future[T]:
        """Ask for something to be done between two steps or tokens; any thread."""
        done = self.orders.give(work)
        self._work.set()
        return done

    def clear(self) -> Future[Freed]:
        """Forget everything, the frames that wait too; time may begin anew, at any stamp."""
        self._ingest.restart()
        self._memory_name = _new_name()
        return self._forgotten(self.parts.clear('all'))

    def forget(self, reading: ReadFilter, why: str) -> Future[Freed]:
        """Forget the frames that a filter lets be read, those that wait too; see `parts`."""
        self._ingest.drop_waiting(
            lambda frame: reading.contains(FrameRef(frame.camera, frame.stream_ns))
        )
        return self._forgotten(self.parts.forget(reading, why))

    def _forgotten(self, freed: Future[Freed]) -> Future[Freed]:
        self._gate.clear()
        self.parts.snapshots.hasten()
        self.sizes = self.parts.memory.sizes()
        return freed

    def tidy(self) -> None:
        """Count what is left once all that was forgotten is gone; save it where `run` does not."""
        self.sizes = self.parts.memory.sizes()
        if not self.runs:
            self.parts.snapshots.save()

    def pause(self, paused: bool) -> None:
        """Take in no frame, or take them in again."""
        self._ingest.pause(paused)

    @property
    def memory_id(self) -> str:
        """What the memory is called: another name after each `clear`, load and new time."""
        return f'{self._memory_name}-{self._ingest.stats().resets}'

    def go_on_with(self, contents: Contents, episodes: Sequence[Sequence[int]]) -> Memory:
        """
        Go on with another memory.

        :param episodes: of its time
        :returns: the one before, to be closed
        """
        before, self.parts = self.parts.memory, self.parts.over(contents, self._config)
        self._ingest.go_on_after(_newest_ns(contents.memory), episodes)
        self._gate.clear()
        self._memory_name, self.sizes = _new_name(), contents.memory.sizes()
        self.parts.show_newest()
        return before

    def doubt_costs(self) -> None:
        """Ask for costs to be measured anew: a question was refused for them; any thread."""
        self._costs_doubted = True
        self._work.set()

    def busy_s(self) -> float:
        """
        Estimate how long the engine is at what it has begun; any thread.

        What has taken longer than it usually does is expected to take as long again.
        """
        if self.busy_with == 'idle':
            return 0.0
        busy_s, answering = abs(self._busy_until_s - time.monotonic()), self.answering
        most_s = math.inf if answering is None else answering.deadline.left_s() + RESERVE_S
        if self._watching is not None:  # it ends before its next token
            most_s = min(most_s, self.parts.costs.cheapest_answer_s())
        return max(0.0, min(busy_s, most_s))

    @torch.inference_mode()
    def answer(
        self,
        pending: PendingQuestion,
        *,
        pause: Callable[[], float],
        reading: ReadFilter | None = None,
    ) -> None:
        """
        Answer a question.

        :param pause: called between tokens, returns the seconds it took
        :param reading: what of the memory is read; None: what the question's fields say
        """
        self.answering, began_s = pending, time.monotonic()
        with self._busy('answer', self.parts.costs.answer.value):
            answering = (Recalling if pending.question.recalls else Answering)(
                self.parts,
                pending,
                pause=pause,
                reading=reading,
                ingest_wait_s=self._ingest_wait_s(pending),
                seed=self._config.seed,
            )
            answering.run()
        took_s = time.monotonic() - began_s
        self.turns_failed += answering.failed_late
        if answering.spoke and self._watching is None:
            self.parts.costs.turn.add(took_s + self._stepped_s)
        if answering.rung == Rung.SHORT_TERM:  # what is never retrieved is never measured
            self.doubt_costs()
        elif answering.taught:
            self._measure_from_s = self._next_measurement_s(took_s)
        self.answering, self._stepped_s = None, 0.0
        self.sizes = self.parts.memory.sizes()

    def _step(self) -> None:
        began_s = time.monotonic()
        with self._busy('step', self.parts.costs.step.value):
            self._watches.saw(take_step(self.parts, self._ingest, self._gate))
        self.sizes = self.parts.memory.sizes()
        self._step_span_s = (began_s, time.monotonic())
        if self.answering is None:
            crowded = len(self._questions) or self.promises.all()
            took_s = time.monotonic() - began_s
            self._stepped_s = self._stepped_s + took_s if crowded else 0.0

    def _watch_due(self) -> PendingQuestion | None:
        """Begin the round of a watch if there is one, and time for it."""
        if not self.sizes.short_term_frames or len(self._questions) or self._blind_too_long():
            return None
        costs = self.parts.costs
        return self._watches.begin(costs) if self._leaves(costs.answer.value) else None

    def _watch(self, watching: PendingQuestion) -> None:
        """Do the round of a watch, or as much of it as there is time before a question."""
        began_s, self._watching = time.monotonic(), watching
        if len(self._questions):  # it came before it could be known what gives way to it
            watching.cancel()
        try:
            self.answer(watching, pause=lambda: self._pause(watching))
        finally:
            self._watching = None
        self._watches.end(watching, time.monotonic() - began_s)

    def _due(self) -> PendingQuestion | None:
        """Return the first question, unless it would take the time promised to another."""
        first = self._questions.first()
        if first is None or first.place.at_s <= time.monotonic():
            return first
        return first if self._leaves(first.place.length_s) else None

    def _nap_s(self) -> float:
        """Return for how long there is nothing to do unless something comes in."""
        first = self._questions.first()
        place_s = math.inf if first is None else max(0.0, first.place.at_s - time.monotonic())
        round_s = self._watches.due_in_s() or IDLE_S  # 0: it waits for something else
        return min(IDLE_S, self.promises.due_in_s() + LATE_S, place_s, round_s)

    def _leaves(self, work_s: float) -> bool:
        """Return whether work that begins now ends before a caller is due who was told so."""
        return self.promises.due_in_s() >= work_s

    def _frames_first(self, pending: PendingQuestion | None) -> bool:
        """
        Return whether waiting frames go before the first question, or the one expected back.

        They do when the memory is empty, when a camera has been blind too long, and when the
        budget buys them: a question never waits for more than one step, the one that runs when it
        comes in or else one of its own.
        """
        if not self.sizes.short_term_frames or self._blind_too_long():
            return True
        if pending is None:
            return self._leaves(self.parts.costs.step.value)
        has_waited = self._step_span_s[1] >= pending.deadline.received_s
        costs = self.parts.costs
        return not has_waited and pending.deadline.left_s() > costs.step.value + costs.answer.value

    def _pause(self, pending: PendingQuestion) -> float:
        """
        Between tokens, take a step if a camera has been blind too long and there is time.

        For a watch, take any step that waits: it costs the cameras no frame.
        """
        began_s = self.beat_s = time.monotonic()
        self.orders.carry_out()
        if self._stopping.is_set():  # `stop` came before this question was known to be answered
            pending.cut(Status.NOT_ACTIVE, STOPPED, finish=Finish.CANCELED)
        elif pending.deadline.left_s() > self.parts.costs.step.value and (
            self._blind_too_long() or (pending is self._watching and self._ingest.waits)
        ):
            self._step()
        return time.monotonic() - began_s

    def _blind_too_long(self) -> bool:
        """Return whether frames were passed over too long; steps get at most half of the time."""
        since_step_s = time.monotonic() - self._step_span_s[1]
        blind_s = min(self._ingest.blind_s(), since_step_s)
        return blind_s > max(self._config.max_blind_ms / 1e3, self.parts.costs.step.value)

    def _ingest_wait_s(self, pending: PendingQuestion) -> float:
        """Return how much of a question's wait was for the last step."""
        began_s, ended_s = self._step_span_s
        return max(0.0, ended_s - max(began_s, pending.deadline.received_s))

    def _autosave(self) -> None:
        """Save the memory if it is time and no question waits or is expected back."""
        snapshots = self.parts.snapshots
        if snapshots.due() and not len(self._questions) and self._leaves(snapshots.copy_s):
            with self._busy('save', snapshots.copy_s):
                snapshots.begin()

    def _measure_due(self) -> bool:
        """Return whether costs are in doubt, and there is time to measure them."""
        due = self._costs_doubted and time.monotonic() > self._measure_from_s
        return due and self._leaves(self.parts.costs.answer.value)

    def _measure_again(self) -> None:
        self._costs_doubted, began_s = False, time.monotonic()
        with self._busy('answer', self.parts.costs.answer.value):
            measure_answer(self.parts.model, self.parts.memory, self.parts.costs)
        self._measure_from_s = self._next_measurement_s(time.monotonic() - began_s)

    def _next_measurement_s(self, took_s: float) -> float:
        """Return when costs may be measured again after an answer has just taught them."""
        rest_s = took_s * (1 / MEASURE_SHARE - 1)
        return time.monotonic() + max(MEASURE_EVERY_S, rest_s)

    @contextmanager
    def _busy(self, what: str, usual_s: float) -> Iterator[None]:
        """Say what the thread is at, how long that usually takes, and until when."""
        before, until_s = (self.busy_with, self.usual_s), self._busy_until_s
        began_s = time.monotonic()
        self._busy_until_s = max(until_s, began_s) + usual_s
        self.busy_with, self.usual_s = what, usual_s
        try:
            yield
        finally:
            self.busy_with, self.usual_s = before
            self._busy_until_s = until_s + time.monotonic() - began_s
            self.beat_s = time.monotonic()


def _newest_ns(memory: Memory) -> dict[str, int]:
    """Return the stream time of the newest frame of each camera."""
    return {ref.camera: ref.stamp_ns for ref in memory.refs()}


def _new_name() -> str:
    return uuid.uuid4().hex[:12]
