# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine as its users see it: frames go in, questions go in, answers come out, always in time.

Any thread may call `see`, `ask`, `begin`, `clear`, `stats`, `take_events` and `newest_pictures`;
none of them touches torch. The engine thread, or the caller of `turn` and `ask_now` offline, owns
the model, the memory and the device.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

import torch

from livevlm_ros.engine.album import Picture
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.door import Door
from livevlm_ros.engine.events import Event, Events
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.inquiry import Inquiry
from livevlm_ros.engine.loop import Loop
from livevlm_ros.engine.memory_desk import MemoryDesk
from livevlm_ros.engine.messages import Answer, BadFrame, Finish, Frame, NotDone, Question, Status
from livevlm_ros.engine.parts import LoadModel, Progress, build_parts
from livevlm_ros.engine.questions import STOPPED, QuestionQueue
from livevlm_ros.engine.reception import Reception, usual_budget_s
from livevlm_ros.engine.stats import EngineStats, ModelStats
from livevlm_ros.engine.watches import Watches
from livevlm_ros.memory import HeadScores, ReadFilter
from livevlm_ros.model import load_model

STOP_S = 3.0
EXIT_S = 60.0  # a `with` block ends with the step that runs, however long
CLEAR_S = 5.0

_log = logging.getLogger(__name__)

T = TypeVar('T')


class Engine:
    """
    A camera memory that answers.

    Online: `with Engine(config) as engine: engine.see(frame); engine.ask(question)`. Offline, in
    one thread: `engine.load()`, then `engine.see(frame); engine.turn()` for each frame and
    `engine.ask_now(question)`.

    `memory` is where what it holds is looked at, forgotten, saved and loaded, and `watches` where
    standing questions are asked, by any thread.

    :param config: model, memory, cameras, limits
    :param load: makes the model; the default loads a checkpoint
    """

    def __init__(self, config: EngineConfig, *, load: LoadModel = load_model) -> None:
        self._config = config
        self._load = load
        self._events = Events()
        self._ingest = self._new_ingest()
        self._questions = QuestionQueue(config.queue_size)
        self._reception = Reception(config, self._events)
        self._life = threading.RLock()  # load, start, stop and cleanup, one at a time
        self._loop: Loop | None = None
        self._door: Door | None = None
        self._thread: threading.Thread | None = None
        self._model_stats: ModelStats | None = None
        self.memory = MemoryDesk(config, self._do)
        self.watches = Watches(config, self._events)

    def __enter__(self) -> Engine:
        self.load()
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop(timeout_s=EXIT_S)
        self.cleanup()

    def load(self, progress: Progress = lambda phase, done: None) -> None:
        """
        Load weights, measure what work costs, build the memory; nothing when that is done.

        With `snapshot` the memory goes on where the last one ended; one that cannot be used is
        told in the log and renamed.

        :param progress: called with the phase that begins and the share done, [0, 1]
        :raises CheckpointError: for weights that cannot be used
        :raises ValueError: for a memory that cannot be built for this model, a folder that cannot
            hold its snapshot or is another's, or a snapshot that cannot be read now
        """
        with self._life:
            if self._loop is not None:
                return
            if threads := self._config.torch_threads:
                torch.set_num_threads(threads)
            timeline = self._ingest.timeline
            parts = build_parts(
                self._config, timeline, self._events, load=self._load, progress=progress
            )
            self._loop = Loop(parts, self._ingest, self._questions, self.watches, self._config)
            self._door = Door(self._loop, self._questions, self._config)
            self._model_stats = parts.model_stats()
            self._reception.model_id = parts.model.model_id

    def start(self) -> None:
        """
        Start the engine thread; nothing when it runs.

        :raises RuntimeError: before `load`, or while the thread of the last start is still in a
            long step
        """
        with self._life:
            if self._loop is None:
                raise RuntimeError('the engine is not loaded: call load() before start()')
            if self.running:
                return
            if self._at_work:
                raise RuntimeError('the engine thread has not ended its last step yet: try again')
            self._loop.begin()
            self._questions.open()
            self._thread = threading.Thread(
                target=self._loop.run, name='livevlm-engine', daemon=True
            )
            self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """
        Stop the engine thread; the memory stays, and is saved with `snapshot`.

        Questions that wait get `Status.NOT_ACTIVE`, the one being answered what is decoded so far.

        :returns: False when the thread is still in a step or a prefill after that time; it ends
            after it, and nothing is saved
        """
        with self._life:
            if self._loop is None:
                return True
            if not self._end(self._loop, timeout_s):
                return False
            self._loop.parts.snapshots.save()
            return True

    def _end(self, loop: Loop, timeout_s: float) -> bool:
        """Let the engine thread end, if there is one; return whether it did in time."""
        thread = self._thread
        if thread is None:
            loop.orders.carry_out()  # of those who could not wait for a save to end
            return True
        loop.stop()
        for pending in self._questions.close():
            pending.cut(Status.NOT_ACTIVE, STOPPED, finish=Finish.CANCELED)
        answering = loop.answering
        if answering is not None:
            answering.cut(Status.NOT_ACTIVE, STOPPED, finish=Finish.CANCELED)
        thread.join(timeout_s)
        if thread.is_alive():
            _log.warning('the engine thread is still at work after %.1f s', timeout_s)
            return False
        self._thread = None
        loop.orders.carry_out()  # those that came after the thread had looked last
        return True

    def cleanup(self) -> None:
        """
        Stop, and give back model and memory; `load` may follow.

        :raises RuntimeError: while the engine thread is still in a long step
        """
        with self._life:
            if self._loop is None:
                return
            if not self._end(self._loop, STOP_S):
                raise RuntimeError('the engine thread has not ended its last step yet: try again')
            try:
                self._loop.parts.snapshots.save()
            finally:
                self._give_back(self._loop)

    def _give_back(self, loop: Loop) -> None:
        on_gpu = loop.parts.model.device.type == 'cuda'
        self._loop = self._door = self._model_stats = None
        self._reception.model_id = ''
        self._ingest = self._new_ingest()
        loop.parts.close()
        if on_gpu:
            torch.cuda.empty_cache()

    @property
    def running(self) -> bool:
        """Whether the engine thread takes questions."""
        return self._questions.is_open

    def see(self, frame: Frame) -> None:
        """
        Hand over a camera image; the newest of each camera waits for the next step.

        Never blocks and never raises: frames that cannot be used are counted, see `EngineStats`.
        """
        loop = self._loop
        if self._ingest.put(frame) and loop is not None:
            loop.wake()

    def turn_away(self, camera: str, why: str) -> None:
        """Count a camera image that makes no frame as a bad one; never blocks, never raises."""
        self._ingest.turn_away(camera, BadFrame(why))

    def ask(self, question: Question, *, received_s: float | None = None) -> Answer:
        """
        Ask the running engine and wait for the reply, which always comes inside the budget.

        :param received_s: `time.monotonic()` when the question came in, if that was earlier
        """
        return self.begin(question, received_s=received_s).reply()

    def begin(self, question: Question, *, received_s: float | None = None) -> Inquiry:
        """
        Ask the running engine without waiting; the question may be followed and canceled.

        :param received_s: `time.monotonic()` when the question came in, if that was earlier
        """
        received_s = time.monotonic() if received_s is None else received_s
        loop, door = self._loop, self._door
        costs = loop.parts.costs if loop is not None and self.running else None
        pending = self._reception.receive(question, costs, received_s=received_s)
        if door is not None and not pending.ended:
            refused = door.enter(pending)
            if refused is not None:
                pending.finish(refused)
        return self._reception.inquiry(pending)

    def clear(self, timeout_s: float = CLEAR_S) -> int:
        """
        Forget every frame, waiting ones too; time may begin anew, at any stamp.

        :returns: how many frames the memory held
        :raises TimeoutError: when the engine thread did not come to it, or a stopped engine is
            still saving; it will be done
        """
        loop = self._loop
        if loop is None:
            self._ingest.restart()
            return 0
        held, ends_s = loop.parts.memory.frame_count, time.monotonic() + timeout_s
        self._do(Loop.clear, timeout_s).result(max(0.0, ends_s - time.monotonic()))
        return held

    def _do(self, work: Callable[[Loop], T], timeout_s: float) -> Future[T]:
        """
        Have the engine thread do something between two steps, or do it here while there is none.

        :param timeout_s: longest wait for a thread that ends
        :raises NotDone: while the engine is not loaded
        """
        ends_s, loop = time.monotonic() + timeout_s, self._loop
        if loop is None:
            raise NotDone('the engine is not loaded')
        done = loop.order(lambda: work(loop))
        if not self.running and self._life.acquire(timeout=timeout_s):
            try:
                if not self.running and self._thread is not None:  # it ends
                    self._thread.join(max(0.0, ends_s - time.monotonic()))
                if self._loop is not loop and done.cancel():
                    raise NotDone('the engine was cleaned up meanwhile')
                if not self._at_work:
                    loop.orders.carry_out()
            finally:
                self._life.release()
        return done

    def stats(self) -> EngineStats:
        """Return a snapshot; never waits for the engine thread."""
        loop, model, config = self._loop, self._model_stats, self._config
        seen = self._ingest.stats()
        snapshot = EngineStats(
            cameras=seen.cameras,
            unknown_cameras=seen.unknown,
            time_jumps=seen.jumps,
            time_resets=seen.resets,
            ask=self._reception.stats(waiting=len(self._questions)),
            watches=self.watches.list(),
        )
        if loop is None or model is None:
            return snapshot
        return replace(
            snapshot,
            state='running' if self.running else 'loaded',
            busy_with=loop.busy_with,
            heartbeat_age_s=time.monotonic() - loop.beat_s if self.running else math.nan,
            usual_s=loop.usual_s,
            turns_failed=loop.turns_failed,
            paused=self._ingest.paused,
            usual_budget_s=usual_budget_s(loop.parts.costs, config, config.default_max_tokens),
            memory_id=loop.memory_id,
            memory=loop.sizes.stamped(self._ingest.timeline.header_ns),
            snapshot_problem=loop.parts.snapshots.problem,
            strangers=loop.parts.album.strangers,
            unsaved=loop.parts.snapshots.unsaved,
            tokens=loop.parts.tokens,
            horizon=loop.parts.horizon,
            model=replace(model, costs_ms=loop.parts.costs.in_ms()),
        )

    def take_events(self) -> tuple[list[Event], int]:
        """Take what happened since the last call, and how many events were lost; never waits."""
        return self._events.take()

    def newest_pictures(self) -> dict[str, Picture]:
        """Return the newest frame of each camera that the memory holds; never waits."""
        loop = self._loop
        return {} if loop is None else loop.parts.album.newest()

    def turn(self) -> bool:
        """
        Do one piece of work in this thread, a step if a frame waits, and all that follows from it.

        :returns: False when there was none
        :raises RuntimeError: before `load`, or while the engine thread runs
        """
        loop = self._alone('turn')
        worked = loop.turn()
        loop.settle()
        return worked

    def ask_now(self, question: Question, *, reading: ReadFilter | None = None) -> Answer:
        """
        Answer in this thread over the memory as it is.

        :param question: has no deadline unless `budget_s` is set
        :param reading: what of the memory is read, in place of what the question's fields say
        :raises RuntimeError: before `load`, or while the engine thread runs
        """
        loop = self._alone('ask_now')
        received_s = time.monotonic()
        unlimited = question.unlimited or question.budget_s is None
        question = replace(question, unlimited=unlimited)
        pending = self._reception.receive(question, loop.parts.costs, received_s=received_s)
        if not pending.ended:
            loop.answer(pending, pause=lambda: 0.0, reading=reading)
        return self._reception.inquiry(pending).reply()

    @torch.inference_mode()
    def head_scores(self, text: str) -> HeadScores | None:
        """
        Say in this thread how much each head that chooses wants each page for a question.

        :returns: None where nothing has left short-term
        :raises RuntimeError: before `load`, or while the engine thread runs
        :raises BadQuestion: for words that the model does not take
        """
        parts = self._alone('head_scores').parts
        prompt = parts.model.question(text)
        parts.memory.settle()
        probe = parts.memory.probe(tokens=prompt.tokens)
        if probe is None:
            return None
        parts.model.read(prompt.embeds, probe)
        return parts.memory.head_scores(probe)

    @property
    def _at_work(self) -> bool:
        """Whether there is an engine thread, be it one that has yet to end after `stop`."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _new_ingest(self) -> Ingest:
        config = self._config
        return Ingest(
            config.cameras,
            target_fps=config.target_fps,
            on_jump=config.on_jump,
            events=self._events,
        )

    def _alone(self, what: str) -> Loop:
        """Return the loop for use in this thread."""
        if self._loop is None:
            raise RuntimeError(f'the engine is not loaded: call load() before {what}()')
        if self._at_work:
            raise RuntimeError(
                f'{what}() is for an engine without its thread: use ask(), or stop() first'
            )
        return self._loop
