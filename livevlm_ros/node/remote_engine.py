# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A running node in the place of the engine that a replay drives.

The player sends the node its frames; here each frame is only waited for, by /clock, until the node
must have used it. So a question is asked while the node's memory holds the frames it holds offline
too. What differs in spite of that is counted and told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from livevlm_interfaces.msg import MemoryState
from livevlm_interfaces.srv import GetInfo
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.messages import ANSWERED, Answer, BadFrame, Frame, Question, Status
from livevlm_ros.engine.slot import CameraSlot
from livevlm_ros.engine.stats import EngineStats
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.node.ask_client import LONGEST_DEFAULT_S, REPLY_MARGIN_S
from livevlm_ros.node.conversions import to_duration
from livevlm_ros.node.diagnostics import ERROR
from livevlm_ros.node.from_messages import to_answer, to_stats
from livevlm_ros.node.memory_client import CommandFailed, MemoryClient
from livevlm_ros.node.parameters import PARAMETERS, engine_config
from livevlm_ros.replay import BadInput
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.recording import CAMERA

SETTLE_S = 0.15  # wall seconds that a frame may take from its tick of /clock into the memory
LOOK_S = 0.5  # between two looks whether those who are waited for still live
PATIENCE_S = {'start': 180.0, 'clock': 30.0, 'told': 5.0}


class ReplayFailed(RuntimeError):
    """The replay could not be carried through: says where it stopped."""


class RemoteEngine:
    """
    The node, driven by `livevlm_ros.replay.evaluate`; `config` is its configuration.

    `lost`, `late` and `shifted` are the questions without a reply, with a reply after its budget,
    and with an answer from another newest frame than offline.
    """

    config: EngineConfig

    def __init__(
        self,
        client: MemoryClient,
        *,
        begin: Callable[[], None] = lambda: None,
        check: Callable[[], None] = lambda: None,
        rate: float = 1.0,
    ) -> None:
        """
        Prepare, without waiting for the node.

        :param client: of the node; the player must not begin before it listens to /clock
        :param begin: called before the first frame, once the input has been found to be good
        :param check: called while waiting; raises when those who are waited for are no more
        :param rate: bag seconds per wall second
        """
        self._client, self._begin, self._check = client, begin, check
        self._rate = rate
        self._slot: CameraSlot
        self._clock_s = 0.0
        self._state: MemoryState | None = None
        self._news = threading.Condition()
        client.hear(MemoryState, 'memory_state', self._on_state)
        self.asked = 0
        self.lost: list[str] = []
        self.late: list[str] = []
        self.shifted: list[str] = []

    def clear(self) -> int:
        """Begin, with a node that has seen nothing yet."""
        self._begin()
        names = [row.name for row in PARAMETERS]
        given = self._patiently(
            lambda: self._client.parameters(names, LOOK_S), PATIENCE_S['start'], 'found no node'
        )
        self.config = engine_config(given)
        self._timeline = Timeline()
        self._slot = CameraSlot(
            CAMERA,
            self._timeline,
            target_fps=self.config.target_fps,
            on_jump=self.config.on_jump,
        )
        return 0

    def see(self, frame: Frame) -> None:
        """Take the account of a frame that the player sends or is about to send."""
        with suppress(BadFrame):
            self._slot.put(frame)

    def turn(self) -> bool:
        """Wait until the node must have used the frame; return whether it is one to be used."""
        taken = self._slot.take()
        if taken is not None:
            self._slot.used(taken)
        account = self._slot.stats()
        settled_s = account.used_stamp_ns / 1e9 + SETTLE_S * self._rate
        self._wait_for_clock(max(account.newest_stamp_ns / 1e9, settled_s))
        self._patiently(self._heard, PATIENCE_S['told'], 'was told nothing of the memory')
        return taken is not None

    def ask_now(self, question: Question) -> Answer:
        """Ask the node; a question without a budget gets the node's default one."""
        self.asked += 1
        budget_s = question.budget_s or 0.0
        response = self._client.send(
            question.text,
            budget_s=budget_s,
            request_id=question.request_id,
            attach_evidence_images=question.attach_images,
            choices=list(question.choices),
            lookback=to_duration(question.lookback_s),
        ).wait((budget_s or LONGEST_DEFAULT_S) + REPLY_MARGIN_S)
        if response is None:
            self._check()
            self.lost.append(question.request_id)
            return Answer(Status.ERROR, 'no reply came', question.request_id)
        answer = self._in_own_time(to_answer(response))
        if 0.0 < answer.latency.budget_ms < answer.latency.total_ms:
            self.late.append(question.request_id)
        looked = answer.status in (*ANSWERED, Status.NO_EVIDENCE)
        if looked and answer.newest_stamp_ns != self._slot.stats().used_stamp_ns:
            self.shifted.append(question.request_id)
        return answer

    def stats(self) -> EngineStats:
        """Return the account of the frames so far, and the node's sizes as it last told them."""
        told, account = to_stats(self._state), self._slot.stats()
        if told.memory is not None:  # it may hold a frame that is not waited for yet
            held = min(told.memory.frames, account.frames_used)
            told = replace(told, memory=replace(told.memory, frames=held))
        return replace(told, cameras={CAMERA: account})

    def counts(self) -> Counts:
        """
        Return what the node counted itself, told after this call.

        :raises ReplayFailed: when it does not say which model it has
        """
        before = self._state
        self._wait_for_state(lambda: self._state is not before, PATIENCE_S['told'])
        try:
            info = self._client.call(GetInfo, 'get_info', GetInfo.Request())
        except CommandFailed as error:
            raise ReplayFailed(str(error)) from error
        return replace(Counts.of(to_stats(self._state)), model_id=info.model_id)

    def warnings(self) -> list[str]:
        """Tell in a line each what went otherwise than offline."""
        told = {
            'got no reply': self.lost,
            'got a reply after the budget': self.late,
            'were answered from another newest frame than `livevlm evaluate` would': self.shifted,
        }
        return [
            f'{len(ids)} of {self.asked} questions {what}: {", ".join(ids)}'
            for what, ids in told.items()
            if ids
        ]

    def _in_own_time(self, answer: Answer) -> Answer:
        """Return the answer with its evidence in the memory's own time, which no reply tells."""
        as_of_ns = self._timeline.as_of_ns
        evidence = [replace(e, stream_ns=as_of_ns(e.stamp_ns)) for e in answer.evidence]
        return replace(answer, evidence=tuple(evidence))

    def _wait_for_clock(self, time_s: float) -> None:
        """Wait for /clock; the first time as long as a model may take to load."""
        patience_s = PATIENCE_S['clock'] + max(0.0, time_s - self._clock_s) / self._rate
        self._patiently(
            lambda: self._client.wait_for_clock(time_s - 1e-6, LOOK_S),  # floats of equal stamps
            patience_s if self._clock_s else PATIENCE_S['start'],
            f'saw no /clock of {time_s:.3f} s',
        )
        self._clock_s = time_s

    def _heard(self) -> bool:
        return self._wait_for_state(lambda: self._state is not None, LOOK_S)

    def _wait_for_state(self, found: Callable[[], bool], timeout_s: float) -> bool:
        with self._news:
            return self._news.wait_for(found, timeout_s)

    def _on_state(self, message: MemoryState) -> None:
        with self._news:
            self._state = message
            self._news.notify_all()

    def _patiently(self, look: Callable[[], Any], patience_s: float, complaint: str) -> Any:
        """
        Look again and again until something is found, and return it.

        :param look: takes up to `LOOK_S`
        :raises ReplayFailed: when nothing is found in `patience_s`
        :raises BadInput: when the node cannot load what it was given
        """
        deadline_s = time.monotonic() + patience_s
        while not (found := look()):
            self._check()
            model = self._client.status('model')
            if model is not None and model.level == ERROR:
                raise BadInput(model.message)
            if time.monotonic() > deadline_s:
                raise ReplayFailed(f'{complaint} in {patience_s:.0f} s')
        return found
