# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training streams: clips put one after another, with questions, answers and where to look."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from livevlm_ros.training.bank import FRAMES_A_CLIP, NONE, Bank
from livevlm_ros.training.checkpoint import BOS, PAD, TOKENS_PER_FRAME
from livevlm_ros.world.plan import EMPTY_SHARE, SECONDS, SECONDS_WEIGHT
from livevlm_ros.world.questions import History, Subject, Truth, choose_subject, truth_of
from livevlm_ros.world.scene import CLASSES, COLORED, COLORS, LIGHT, PLACES, Event, Thing
from livevlm_ros.world.wording import KINDS, word

QUESTIONS = 16  # a stream
QUESTION_TOKENS = 16  # newline, words, prompt, answer; padded
PREFIX = ('user', ':')  # after <bos>
TOKENS_A_BATCH = 5000
KIND_WEIGHT = {
    'color_of': 1.0,
    'color_at': 1.0,
    'where_is': 1.0,
    'where_two': 8.0,
    'exists': 1.6,
    'now': 0.8,
    'count_now': 0.6,
    'light': 1.2,
    'last_object': 0.6,
    'before': 1.3,
    'after': 1.3,
    'count_class': 1.3,
    'after_light': 7.0,
}
TWO_HOPS = ('before', 'after', 'count_class', 'after_light')
ASKED_AT_END = 0.4
GAP_SHARE = 0.75  # of the streams have gaps in their positions, as a long stream would
LONGEST_GAP = 4096
NARROW_SHARE = 0.6  # of the streams keep to a few classes, so that the same class comes again
VISITOR_SHARE = 0.2  # of the events of a narrow stream are of any class
LIGHTS_SHARE = 0.5  # of the narrow streams have traffic lights among their classes
FOLLOWER_SHARE = 0.6  # of the events after a traffic light have one colored thing
NO_MARK_SHARE = 0.15  # of the questions end without their question mark
IGNORED = -100
LIGHT_BIT = 1 << CLASSES.index(LIGHT)

Columns = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class StreamBatch:
    """
    Streams of one length with their questions.

    The video tokens are `<bos> user :` and then nine a frame.

    :param frames: clip and frame of each video frame, [streams, frames, 2]
    :param positions: rotary positions of the video tokens, [streams, video]
    :param words: question, prompt and answer tokens after the newline, [streams, questions, tokens
        - 1]
    :param word_positions: rotary positions of the newline and those, [streams, questions, tokens]
    :param visible: video tokens that a question can see, [streams, questions]
    :param last: index of the last prompt token, which predicts the answer, [streams, questions]
    :param answers: token of the answer, [streams, questions]
    :param kinds: index into `KINDS`, [streams, questions]
    :param evidence: video tokens that show the answer, the `<bos>` for an absence, [streams,
        questions, video]
    :param second: likewise for the second hop of `TWO_HOPS`, else nothing, [streams, questions,
        video]
    :param starts: whether a frame starts an event, [streams, frames]
    :param before_kind: class at each place in the event before, [streams, frames, places]
    :param before_color: its color or `IGNORED`, [streams, frames, places]
    :param times_seen: events so far with the class now at each place, less one, or `IGNORED`
    """

    frames: Tensor
    positions: Tensor
    words: Tensor
    word_positions: Tensor
    visible: Tensor
    last: Tensor
    answers: Tensor
    kinds: Tensor
    evidence: Tensor
    second: Tensor
    starts: Tensor
    before_kind: Tensor
    before_color: Tensor
    times_seen: Tensor

    @classmethod
    def of(cls, columns: Columns) -> StreamBatch:
        """Return the batch that a composer's columns hold."""
        return cls(*(torch.from_numpy(column) for column in columns))

    def to(self, device: torch.device) -> StreamBatch:
        """Return the batch on a device; a GPU takes it from pinned memory without waiting."""
        if device.type == 'cpu':
            return self
        tensors = (getattr(self, field.name) for field in fields(self))
        return StreamBatch(*(t.pin_memory().to(device, non_blocking=True) for t in tensors))


class Composer:
    """
    Makes batches of streams out of a bank.

    :param bank: the clip bank
    :param clips: indices of the clips to use
    :param tokenizer: the checkpoint's tokenizer
    :param tokens: size of a batch, in tokens of video and questions
    """

    def __init__(
        self,
        bank: Bank,
        clips: np.ndarray,
        tokenizer: PreTrainedTokenizerFast,
        *,
        tokens: int = TOKENS_A_BATCH,
    ) -> None:
        self._tokens = tokens
        self._things = {int(clip): bank.things(int(clip)) for clip in clips}
        present = bank.kinds[clips] != NONE
        bits = np.where(present, 1 << np.maximum(bank.kinds[clips], 0).astype(np.int64), 0)
        self._mask = bits.sum(1)  # classes of a clip as bits
        self._empty = clips[self._mask == 0]
        self._full, self._mask = clips[self._mask != 0], self._mask[self._mask != 0]
        self._lone = np.isin(self._mask, [1 << CLASSES.index(kind) for kind in COLORED])
        self._id = tokenizer.get_vocab()

    def batch(self, rng: Generator, frames: int) -> StreamBatch:
        """Compose as many streams of `frames` frames as a batch holds."""
        return StreamBatch.of(self.columns(rng, frames))

    def columns(self, rng: Generator, frames: int) -> Columns:
        """Compose a batch as arrays, in the order of the fields of `StreamBatch`."""
        cost = 1 + len(PREFIX) + frames * TOKENS_PER_FRAME + QUESTIONS * QUESTION_TOKENS
        rows = [self._stream(rng, frames) for _ in range(max(1, self._tokens // cost))]
        return tuple(np.stack(column) for column in zip(*rows, strict=True))

    def _stream(self, rng: Generator, frames: int) -> tuple[np.ndarray, ...]:
        picked, events = self._events(rng, frames)
        positions = _positions(rng, frames)
        asked = [self._question(rng, frames, events, positions) for _ in range(QUESTIONS)]
        questions = [np.stack(column) for column in zip(*asked, strict=True)]
        return (picked, positions, *questions, *_what_went_before(frames, events))

    def _events(self, rng: Generator, frames: int) -> tuple[np.ndarray, list[Event]]:
        """Put clips one after another; a class is never in two events that touch."""
        palette = -1
        if rng.random() < NARROW_SHARE:
            palette = int((1 << rng.permutation(len(CLASSES))[: rng.integers(2, 5)]).sum())
            palette |= LIGHT_BIT * (rng.random() < LIGHTS_SHARE)
        pool = np.flatnonzero((self._mask & ~palette) == 0)
        picked = np.empty((frames, 2), np.int64)
        events: list[Event] = []
        start, touching = 0, 0
        while start < frames:
            end = min(frames, start + int(rng.choice(SECONDS, p=SECONDS_WEIGHT)))
            source = pool if rng.random() >= VISITOR_SHARE else np.arange(len(self._full))
            if touching & LIGHT_BIT and rng.random() < FOLLOWER_SHARE:
                lone = source[self._lone[source]]
                source = lone if len(lone) else source
            choice = int(rng.choice(source))
            if rng.random() < EMPTY_SHARE or self._mask[choice] & touching:
                clip, touching = int(rng.choice(self._empty)), 0
            else:
                clip, touching = int(self._full[choice]), int(self._mask[choice])
                events.append(Event(start, end, self._things[clip]))
            picked[start:end, 0] = clip
            picked[start:end, 1] = np.sort(rng.integers(0, FRAMES_A_CLIP, end - start))
            start = end
        return picked, events

    def _question(
        self, rng: Generator, frames: int, events: list[Event], positions: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        at = frames - 1 if rng.random() < ASKED_AT_END else int(rng.integers(frames))
        seen = tuple(event for event in events if event.start <= at)
        history = History(seen, next((event for event in seen if at < event.end), None))
        kind, subject = _choose(rng, history)
        truth = truth_of(kind, subject, history)
        assert truth is not None
        text = word(rng, kind, subject.kind, subject.color, subject.place).split()
        if rng.random() < NO_MARK_SHARE:
            text.pop()
        tokens = [self._id[each] for each in (*text, 'assistant', ':', truth.answer[0])]
        words = np.full(QUESTION_TOKENS - 1, PAD, np.int64)
        words[: len(tokens)] = tokens
        visible = 1 + len(PREFIX) + (at + 1) * TOKENS_PER_FRAME
        return (
            words,
            positions[visible - 1] + 1 + np.arange(QUESTION_TOKENS),
            np.asarray(visible),
            np.asarray(len(tokens) - 1),
            np.asarray(tokens[-1]),
            np.asarray(KINDS.index(kind)),
            *_where_to_look(kind, truth, history, at, frames),
        )


def start_tokens(tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """Return the tokens before the video."""
    return torch.tensor([BOS, *tokenizer.convert_tokens_to_ids(PREFIX)])


def _choose(rng: Generator, history: History) -> tuple[str, Subject]:
    """Choose a kind by weight and something to ask about."""
    weights = np.array([KIND_WEIGHT[kind] for kind in KINDS])
    for index in rng.choice(len(KINDS), len(KINDS), replace=False, p=weights / weights.sum()):
        choice = choose_subject(rng, KINDS[index], history)
        if choice is not None:
            return KINDS[index], choice[0]
    raise AssertionError('what is in view now can always be asked about')


def _positions(rng: Generator, frames: int) -> np.ndarray:
    """Return rotary positions, with up to three gaps between frames as if more had been there."""
    steps = np.ones(1 + len(PREFIX) + frames * TOKENS_PER_FRAME, np.int64)
    steps[0] = 0
    if rng.random() < GAP_SHARE:
        for _ in range(int(rng.integers(1, 4))):
            border = 1 + len(PREFIX) + int(rng.integers(frames)) * TOKENS_PER_FRAME
            steps[border] += int(rng.integers(LONGEST_GAP // 3))
    return steps.cumsum()


def _where_to_look(
    kind: str, truth: Truth, history: History, at: int, frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the evidence of a question and of its second hop as masks over the video tokens."""
    sightings = list(truth.sightings)
    reference = [truth.reference] if truth.reference is not None else sightings
    second = {
        'before': reference,
        'after': sightings,
        'count_class': sightings[-1:],
        'after_light': sightings,
    }
    masks = []
    for wanted, needed in ((reference, True), (second.get(kind, []), kind in TWO_HOPS)):
        mask = np.zeros(1 + len(PREFIX) + frames * TOKENS_PER_FRAME, bool)
        mask[0] = needed and not wanted
        for index, thing in wanted:
            _mark(mask, history.events[index], thing, at)
        masks.append(mask)
    return masks[0], masks[1]


def _mark(mask: np.ndarray, event: Event, thing: Thing, at: int) -> None:
    """Mark the tokens of a thing's column in the frames of its event that have been seen."""
    grid = mask[1 + len(PREFIX) :].reshape(-1, len(PLACES), len(PLACES))  # [frames, rows, columns]
    grid[int(event.start) : min(int(event.end), at + 1), :, PLACES.index(thing.place)] = True


def _what_went_before(frames: int, events: list[Event]) -> tuple[np.ndarray, ...]:
    """Label each frame with what a memory of events would know there; see `StreamBatch`."""
    starts = np.zeros(frames, np.float32)
    kinds = np.full((frames, len(PLACES)), len(CLASSES), np.int64)
    colors = np.full((frames, len(PLACES)), IGNORED, np.int64)
    times = np.full((frames, len(PLACES)), IGNORED, np.int64)
    counts = dict.fromkeys(CLASSES, 0)
    for index, event in enumerate(events):
        start, end = int(event.start), int(event.end)
        starts[start] = 1
        until = int(events[index + 1].end) if index + 1 < len(events) else frames
        kinds[end:until] = len(CLASSES)
        colors[end:until] = IGNORED
        for thing in event.things:
            place = PLACES.index(thing.place)
            counts[thing.kind] += 1
            times[start:end, place] = min(counts[thing.kind], 4) - 1
            kinds[end:until, place] = CLASSES.index(thing.kind)
            if thing.color:
                colors[end:until, place] = COLORS.index(thing.color)
    return starts, kinds, colors, times
