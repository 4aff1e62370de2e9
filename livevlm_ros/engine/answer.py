# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answering a question: read it, decode until it ends or the time does, say what it looked at."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from livevlm_ros.engine.budget import RESERVE_S, Rung
from livevlm_ros.engine.confidence import (
    doubt_among,
    known_share,
    likeliest,
    spoken_confidence,
    unless_doubted,
    unless_unsure,
)
from livevlm_ros.engine.messages import (
    Answer,
    Evidence,
    Finish,
    Phase,
    Source,
    Status,
)
from livevlm_ros.engine.parts import EngineParts
from livevlm_ros.engine.question_read import read_question
from livevlm_ros.engine.questions import CallerLeft, PendingQuestion, refusal
from livevlm_ros.engine.reading import filter_of, scope_of
from livevlm_ros.memory import ProbeView, QuestionView, ReadFilter, TooManyTokens
from livevlm_ros.model import AnswerToken, BadQuestion, QuestionPrompt

T = TypeVar('T')

PATIENCE = 0.5
"""Share of the time that retrieval and the shortest answer leave, to wait for the archive."""

_log = logging.getLogger(__name__)


class Answering:
    """
    One question while the engine thread works on it.

    :param pause: called between tokens; may take a step so that no camera stays blind; returns the
        seconds it took
    :param reading: what of the memory is read; None: what the question's fields say
    :param ingest_wait_s: seconds the question waited for a step before it was taken up
    :param seed: of the sampling generator
    """

    def __init__(
        self,
        parts: EngineParts,
        pending: PendingQuestion,
        *,
        pause: Callable[[], float],
        reading: ReadFilter | None = None,
        ingest_wait_s: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._parts, self._pending, self._pause, self._seed = parts, pending, pause, seed
        self._question, self._deadline = pending.question, pending.deadline
        waited_s = time.monotonic() - self._deadline.received_s
        self._latency = pending.latency
        self._latency.queue_ms = (waited_s - ingest_wait_s) * 1e3
        self._latency.ingest_wait_ms = ingest_wait_s * 1e3
        self._reading = reading
        self.rung = Rung.ALL
        self.taught = False  # whether it was learned what reading costs
        self._length = 0  # of what the answer is read from, in tokens of the memory
        self.failed_late = False  # whether it did after it had its reply
        self.spoke = False  # whether there is an answer, or a part of one
        self._options: list[list[int]] = []  # tokens of each choice
        self._said: list[tuple[int, float]] = []  # tokens and their log probabilities
        self._known = 1.0  # share of the evidence that is no strange picture
        self._doubt = 0.0  # how near it came to saying that nothing was there
        self._evidence: tuple[Evidence, ...] = ()

    def run(self) -> None:
        """Answer, and settle the reply whatever happens."""
        started = time.monotonic()
        self._pending.enter(Phase.RETRIEVING)
        try:
            self._pending.finish(self._answer())
        except CallerLeft:
            pass  # with a reply that says so
        except (BadQuestion, TooManyTokens) as error:
            self._pending.finish(self._refusal(Status.INVALID, f'question: {error}'))
        except torch.OutOfMemoryError as error:
            why = self._parts.shortages.tell('question', error)
            self._pending.finish(self._refusal(Status.ERROR, why))
        except (
            Exception
        ) as error:  # the model or the device failed: the question is lost, the engine is not
            _log.exception('question %.64r failed', self._question.request_id)
            refused = self._refusal(Status.ERROR, f'{type(error).__name__}: {error}')
            self.failed_late = not self._pending.finish(refused)
        else:
            if self.spoke:
                self._parts.costs.answer.add(time.monotonic() - started)

    def _answer(self) -> Answer:
        model, memory, costs = self._parts.model, self._parts.memory, self._parts.costs
        prompt = model.question(self._question.text)
        try:
            self._options = [model.option(choice) for choice in self._question.choices]
        except BadQuestion as error:
            return self._refusal(Status.INVALID, f'choices: {error}')
        now = memory.newest()
        if now is None:
            return self._refusal(Status.NO_EVIDENCE, 'the memory is empty: no frame has been seen')
        reading = self._reading or filter_of(
            self._question, self._parts.timeline, newest_ns=now.stamp_ns
        )
        alone = reading.nothing
        newest = now if alone else memory.newest(reading)
        if newest is None:
            return self._refusal(
                Status.NO_EVIDENCE, 'no frame in the memory is of these cameras and this time'
            )
        least_s, pages = self._least_s(prompt.tokens), memory.pages_to_rank
        left_s = self._deadline.left_s() - self._options_s()
        if costs.tokens_that_fit(left_s, prompt.tokens) < 1:
            return self._too_late('the time left is too short to read the question', least_s)
        reading, self.rung = costs.affordable(reading, left_s, prompt.tokens, pages=pages)
        if not alone and memory.newest(reading) is None:
            whole = replace(reading, long_term=True)
            return self._too_late(
                'the time left is too short to retrieve, and short-term has no frame of this time',
                least_s + costs.retrieval_s(whole, pages),
            )
        fitting = costs.tokens_that_fit(left_s, prompt.tokens, reading, pages=pages)
        if fitting < self._max_tokens and not self._options:
            self.rung = Rung.FEWER_TOKENS
        self._so_far = Answer(
            status=Status.PARTIAL,
            request_id=self._question.request_id,
            truncated=True,
            finish=Finish.BUDGET,
            scope_used=scope_of(reading, retrieves=memory.retrieves),
            newest_stamp_ns=self._parts.timeline.header_ns(newest.stamp_ns),
            prompt_tokens=prompt.tokens,
            degradation=Rung.PARTIAL,
        )
        read = partial(self._read, prompt, reading, pages=pages)
        if self._options:
            shares, share = read(self._weigh)
        else:
            tokens, token = read(self._speak)
            if token is not None:
                self._doubt = token.doubt
        if not (alone or self._so_far.frames_considered):
            return self._refusal(Status.NO_EVIDENCE, 'nothing is left of the frames of this time')
        if self._options:
            return self._chosen(shares, share)
        return self._closed(self._decode(tokens, token))

    def _speak(self, hidden: Tensor, view: QuestionView) -> Iterator[AnswerToken]:
        return self._parts.model.answer_tokens(
            hidden,
            view,
            temperature=self._question.temperature or 0.0,
            generator=self._generator(),
        )

    def _weigh(self, hidden: Tensor, view: QuestionView) -> Iterator[float]:
        return self._parts.model.option_log_shares(hidden, view, self._options)

    def _read(
        self,
        prompt: QuestionPrompt,
        reading: ReadFilter,
        begin: Callable[[Tensor, QuestionView], Iterator[T]],
        *,
        pages: int,
    ) -> tuple[Iterator[T], T | None]:
        """
        Read the question, begin the answer, and read off what it looked at.

        :param begin: gives the answer's parts, after what was read
        :returns: the parts that are left, and the first one
        """
        model, memory, costs = self._parts.model, self._parts.memory, self._parts.costs
        spare_s = self._deadline.left_s() - self._least_s(prompt.tokens)
        spare_s -= costs.retrieval_s(reading, pages)
        longest = max(map(len, self._options), default=self._max_tokens)
        views = memory.readings(
            tokens=prompt.tokens,
            extra_tokens=prompt.tokens + longest,
            reading=reading,
            key=self._question.text,
            patience_s=None if math.isinf(spare_s) else max(0.0, PATIENCE * spare_s),
        )
        question = read_question(model, prompt.embeds, self._while_wanted(views))
        view = question.view
        parts = begin(question.hidden, view)
        first = next(parts, None)
        read = time.monotonic()
        self._check_wanted()
        if not view.complete:
            self.rung = max(self.rung, Rung.FEWER_PAGES)
        self._evidence = self._seen(view)
        self._so_far = replace(self._so_far, frames_considered=len(view.frames()))
        finished = time.monotonic()
        self._latency.retrieval_ms = question.finding_s * 1e3
        self._latency.prefill_ms = question.reading_s(read) * 1e3
        self._latency.first_token_ms = (read - self._deadline.received_s) * 1e3
        self._latency.postprocess_ms = (finished - read) * 1e3
        question.teach(costs, tokens=prompt.tokens, until_s=read)
        self.taught, self._length = not question.speculated, question.length
        costs.finish.add(finished - read)
        return parts, first

    def _while_wanted(self, views: Iterable[QuestionView]) -> Iterator[QuestionView]:
        for view in views:
            self._check_wanted()
            if not isinstance(view, ProbeView):
                self._pending.enter(Phase.PREFILL)
            yield view

    def _check_wanted(self) -> None:
        if self._pending.ended:
            raise CallerLeft

    def _decode(self, tokens: Iterator[AnswerToken], token: AnswerToken | None) -> Finish:
        """Collect tokens until the answer ends, is long enough, or its time is over."""
        while token is not None:
            if len(self._said) == self._max_tokens:
                return Finish.LENGTH
            self._said.append((token.id, token.log_share))
            self.spoke = True
            self._pending.progress(partial(self._reply_of, tuple(self._said)))
            if self._pending.ended:
                return Finish.CANCELED
            self._latency.ingest_wait_ms += self._pause() * 1e3
            if self._deadline.left_s() < self._parts.costs.token.at(self._length):
                return Finish.BUDGET
            token = self._next(tokens)
        return Finish.STOP

    def _next(self, tokens: Iterator[AnswerToken]) -> AnswerToken | None:
        started = time.monotonic()
        token = next(tokens, None)
        took = time.monotonic() - started
        self._latency.decode_ms += took * 1e3
        self._parts.costs.token.add(took, self._length)
        return token

    def _chosen(self, shares: Iterator[float], first: float | None) -> Answer:
        """Weigh the choices that are left, and answer with the likeliest."""
        weighed = [] if first is None else [first]
        for number, ids in enumerate(self._options[1:], start=1):
            self._check_wanted()
            self._latency.ingest_wait_ms += self._pause() * 1e3
            needed_s = self._options_s(number)
            if self._deadline.left_s() < needed_s:
                return self._too_late('the time left is too short to weigh the choices', needed_s)
            started = time.monotonic()
            weighed.append(next(shares))
            took = time.monotonic() - started
            self._latency.decode_ms += took * 1e3
            if more := len(ids) - 1:
                self._parts.costs.option.add(took / more, self._length)
        self.spoke = True
        choices = self._question.choices
        index, confidence = likeliest(weighed, self._known)
        self._doubt = doubt_among(choices, weighed, self._parts.model.absence)
        answer = replace(
            self._reply_of(()),
            status=Status.OK,
            text=choices[index],
            choice_index=index,
            confidence=confidence,
            truncated=False,
            finish=Finish.STOP,
            completion_tokens=len(self._options[index]),
            degradation=self.rung,
        )
        return self._unless_unsure(answer)

    def _options_s(self, first: int = 0) -> float:
        """Return the seconds for weighing the choices from one on."""
        more = sum(len(ids) - 1 for ids in self._options[first:])
        return self._parts.costs.options_s(more)

    def _least_s(self, prompt_tokens: int) -> float:
        """Return the seconds for the cheapest answer to this question."""
        return self._parts.costs.cheapest_answer_s(prompt_tokens) + self._options_s()

    def _unless_unsure(self, answer: Answer) -> Answer:
        least, most = self._question.min_confidence, self._question.max_doubt
        assert least is not None and most is not None  # filled in at admission
        if not least:
            return answer
        model = self._parts.model
        answer = unless_doubted(answer, model.absence, most)
        return unless_unsure(answer, least, known=self._known, model_id=model.model_id)

    def _closed(self, finish: Finish) -> Answer:
        """Make the reply of an answer that ended this way."""
        if finish is Finish.BUDGET and not self._question.allow_partial:
            return self._refusal(
                Status.DEADLINE, f'cut by the budget after {len(self._said)} tokens'
            )
        answer = replace(self._reply_of(self._said), finish=finish)
        if finish is Finish.STOP:
            answer = replace(answer, status=Status.OK, truncated=False, degradation=self.rung)
            return self._unless_unsure(answer) if self._said else answer
        if finish is Finish.LENGTH:
            message = f'cut at max_tokens = {self._max_tokens}'
            return self._unless_unsure(replace(answer, message=message, degradation=self.rung))
        return replace(answer, message=f'cut by the budget after {len(self._said)} tokens')

    def _reply_of(self, said: Sequence[tuple[int, float]]) -> Answer:
        """Make the partial reply of tokens, without a last half character; any thread."""
        return replace(
            self._so_far,
            text=self._parts.model.text([token for token, _ in said]).rstrip('\ufffd'),
            confidence=spoken_confidence([share for _, share in said], self._known),
            doubt=self._doubt,
            evidence=self._evidence,
            completion_tokens=len(said),
            latency=replace(self._latency),
        )

    def _seen(self, view: QuestionView) -> tuple[Evidence, ...]:
        """Return the frames the first answer token looked at, best first; note strange ones."""
        album, memory, timeline = self._parts.album, self._parts.memory, self._parts.timeline
        looked = view.evidence()
        self._known = known_share(looked, album)
        wanted = looked[: self._question.max_evidence]
        return tuple(
            Evidence(
                camera=ref.camera,
                stamp_ns=timeline.header_ns(ref.stamp_ns),
                frame_id=ref.frame_id,
                frame_key=ref.key,
                score=score,
                source=Source.SHORT_TERM if memory.in_short_term(ref) else Source.LONG_TERM,
                thumbnail_jpeg=album.get(ref.key) if self._question.attach_images else b'',
                pose=ref.pose_in(self._parts.pose_frame),
                stream_ns=ref.stamp_ns,
            )
            for ref, score in wanted
        )

    def _refusal(self, status: Status, message: str) -> Answer:
        return replace(refusal(self._question, status, message), latency=replace(self._latency))

    def _too_late(self, why: str, needed_s: float) -> Answer:
        """Refuse for want of time, and say what budget would have held so many seconds of work."""
        gone_s = time.monotonic() - self._deadline.received_s
        least_s = gone_s + needed_s + RESERVE_S
        return self._refusal(
            Status.DEADLINE, f'{why}: a latency_budget of {least_s:.2f} s would have done'
        )

    def _generator(self) -> torch.Generator | None:
        """Return the source of chance, None for a greedy answer."""
        if not self._question.temperature:
            return None
        return torch.Generator(self._parts.model.device).manual_seed(self._seed)

    @property
    def _max_tokens(self) -> int:
        assert self._question.max_tokens is not None  # filled in at admission
        return self._question.max_tokens
