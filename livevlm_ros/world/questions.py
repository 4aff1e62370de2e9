# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about a stream: what can be asked, what is true, and how an answer is scored.

A question is a kind, a subject and a wording. Its truth is a function of what the camera has seen,
so that the same question can be asked again later. Only questions with exactly one right answer
are asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from numpy.random import Generator

from livevlm_ros.world.scene import (
    CLASSES,
    COLORED,
    COLORS,
    LIGHT,
    LIGHT_STATES,
    PLACES,
    Event,
    Thing,
)
from livevlm_ros.world.wording import CHOICES, KINDS, NEVER, NUMBERS, word

NEVER_SHARE = 0.1  # of the questions for a color or a place
LONE_NEVER_SHARE = 0.02  # of an `after_light` where no light that was seen can be asked about
HARD_SHARE = 0.5  # of the questions whether something was seen, where it was not
LAST_MOMENT = 0.001  # seconds: an event is in view until just before its end
ARTICLES = frozenset({'a', 'an', 'the'})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: a class, and the color or the place that narrows it down."""

    kind: str = ''
    color: str = ''
    place: str = ''

    def fits(self, thing: Thing) -> bool:
        """Tell whether a thing answers the description."""
        return (
            self.kind == thing.kind
            and self.color in ('', thing.color)
            and self.place in ('', thing.place)
        )


@dataclass(frozen=True, slots=True)
class History:
    """The events a camera has seen so far, in time order, and the one in view now."""

    events: tuple[Event, ...]
    now: Event | None

    def sightings(self, subject: Subject) -> list[tuple[int, Thing]]:
        """Return every event index and thing that fits a subject, in time order."""
        return [
            (index, thing)
            for index, event in enumerate(self.events)
            for thing in event.things
            if subject.fits(thing)
        ]


@dataclass(frozen=True, slots=True)
class Truth:
    """
    The right answer and what shows it.

    :param answer: accepted answers
    :param sightings: event index and thing of every sighting that shows it; none where the answer
        is an absence
    :param reference: sighting that the question starts from, for what came before and after it
    """

    answer: tuple[str, ...]
    sightings: tuple[tuple[int, Thing], ...] = ()
    reference: tuple[int, Thing] | None = None


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """
    A worded question with its truth.

    :param id: kind, variant (`yes`, `hard_no`, `easy_no`, `never` or `seen`) and a number
    :param at: second of the stream at which it is asked
    :param answer: accepted answers
    :param type: kind of question, one of `KINDS`
    :param evidence: seconds between which the answer was visible; None for an absence and for
        repeated sightings
    """

    id: str
    at: float
    question: str
    answer: tuple[str, ...]
    type: str
    evidence: tuple[float, float] | None = None
    subject: Subject = field(default_factory=Subject)

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be answered; the words of a `where_two` tell whether a color or a place."""
        if self.type == 'where_two':
            return CHOICES['color_of' if self.subject.place else 'where_is']
        return CHOICES[self.type]


def score(given: str, accepted: Sequence[str]) -> bool:
    """
    Tell whether an answer's words, case and articles folded, equal an accepted answer.

    An answer without a word equals none.
    """
    said = _fold(given)
    return bool(said) and said in {_fold(answer) for answer in accepted}


def _fold(answer: str) -> tuple[str, ...]:
    words = ''.join(c if c.isalnum() else ' ' for c in answer.lower()).split()
    return tuple([w for w in words if w not in ARTICLES] or words)  # a choice may be the letter A


def truth_of(kind: str, subject: Subject, history: History) -> Truth | None:
    """
    Answer a question from the ground truth.

    :returns: None when there is no single right answer
    """
    seen = history.sightings(subject)
    if kind in ('color_of', 'color_at') or (kind == 'where_two' and subject.place):
        return _agreed({thing.color for _, thing in seen}, seen)
    if kind in ('where_is', 'where_two'):
        return _agreed({thing.place for _, thing in seen}, seen)
    if kind == 'exists':
        return Truth(('yes',) if seen else ('no',), tuple(seen))
    if kind == 'light':
        return Truth((seen[-1][1].color,), (seen[-1],)) if seen else Truth((NEVER,))
    if kind == 'count_class':
        return Truth((NUMBERS[len(seen)],), tuple(seen)) if len(seen) < len(NUMBERS) else None
    if kind in ('before', 'after'):
        return _neighbour(kind, seen, history)
    if kind == 'after_light':
        return _after_last(seen, history)
    return _present(kind, subject, history)


def _agreed(values: set[str], seen: list[tuple[int, Thing]]) -> Truth | None:
    """Answer with the one value that all sightings share."""
    if len(values) > 1:
        return None
    return Truth((values.pop(),), tuple(seen)) if seen else Truth((NEVER,))


def _neighbour(kind: str, seen: list[tuple[int, Thing]], history: History) -> Truth | None:
    """Answer with the only thing of the event next to the only event that the subject was in."""
    if len(seen) != 1:
        return None
    index = seen[0][0] + (1 if kind == 'after' else -1)
    if not 0 <= index < len(history.events) or len(history.events[index].things) != 1:
        return None
    thing = history.events[index].things[0]
    return Truth((thing.kind,), ((index, thing),), seen[0])


def _after_last(seen: list[tuple[int, Thing]], history: History) -> Truth | None:
    """Answer with the color of the only thing of the event after the subject's last one."""
    if not seen:
        return Truth((NEVER,))
    index = seen[-1][0] + 1
    if index >= len(history.events) or len(history.events[index].things) != 1:
        return None
    thing = history.events[index].things[0]
    if thing.kind not in COLORED:
        return None
    return Truth((thing.color,), ((index, thing),), seen[-1])


def _present(kind: str, subject: Subject, history: History) -> Truth | None:
    """Answer what is in view now, how much of it, or what was seen last."""
    last = len(history.events) - 1
    things = history.now.things if history.now is not None else ()
    if kind == 'count_now':
        return Truth((NUMBERS[len(things)],), tuple((last, thing) for thing in things))
    if kind == 'now':
        here = [thing for thing in things if thing.place == subject.place]
        return Truth((here[0].kind,), ((last, here[0]),)) if here else Truth(('nothing',))
    if last < 0 or len(history.events[last].things) != 1:
        return None
    thing = history.events[last].things[0]
    return Truth((thing.kind,), ((last, thing),))


def ask(
    rng: Generator,
    times: Sequence[float],
    history_at: Callable[[float], History],
    *,
    kinds: Sequence[str] | None = None,
    never_share: float = NEVER_SHARE,
) -> list[AskedQuestion]:
    """
    Ask one question at each time, never the same one twice at a time.

    The kinds take turns; one that has nothing to ask about goes to the end of the queue.

    :param rng: source of every choice
    :param times: seconds of the stream
    :param history_at: what has been seen at a time
    :param kinds: kinds to choose from; by default all
    :param never_share: of the questions for a color or a place, those about what was never there
    """
    queue = deque(str(kind) for kind in rng.permutation(kinds or KINDS))
    asked: list[AskedQuestion] = []
    said: set[tuple[float, str, Subject]] = set()
    for number, at in enumerate(times):
        history = history_at(at)
        for _ in range(len(queue)):
            kind = queue[0]
            queue.rotate(-1)
            choice = choose_subject(rng, kind, history, never_share=never_share)
            if choice is not None and (at, kind, choice[0]) not in said:
                said.add((at, kind, choice[0]))
                asked.append(_worded(rng, kind, *choice, at=at, number=number, history=history))
                break
    return asked


def _worded(
    rng: Generator,
    kind: str,
    subject: Subject,
    variant: str,
    *,
    at: float,
    number: int,
    history: History,
) -> AskedQuestion:
    truth = truth_of(kind, subject, history)
    assert truth is not None
    return AskedQuestion(
        id=f'{kind}-{variant}-{number:04d}',
        at=at,
        question=word(rng, kind, subject.kind, subject.color, subject.place),
        answer=truth.answer,
        type=kind,
        evidence=_interval(truth, history, at),
        subject=subject,
    )


def _interval(truth: Truth, history: History, at: float) -> tuple[float, float] | None:
    """Return the seconds that show the answer, where one stretch of the stream does."""
    indices = [index for index, _ in truth.sightings]
    if truth.reference is not None:
        indices.append(truth.reference[0])
    elif len(set(indices)) != 1:
        return None
    first, last = history.events[min(indices)], history.events[max(indices)]
    return first.start, min(last.end - LAST_MOMENT, at)


def choose_subject(
    rng: Generator, kind: str, history: History, *, never_share: float = NEVER_SHARE
) -> tuple[Subject, str] | None:
    """
    Choose something to ask a kind of question about, preferably what was seen only once.

    :returns: the subject and the variant of the question, or None when nothing fits
    """
    if kind == 'exists':
        return _choose_existence(rng, history)
    subjects = [s for s in _subjects(kind, history) if truth_of(kind, s, history) is not None]
    absent = [s for s in subjects if not history.sightings(s)]
    present = [s for s in subjects if history.sightings(s)]
    if kind in ('now', 'count_now', 'last_object'):
        return _choose_present(rng, kind, subjects, history)
    lone = kind == 'after_light' and not present
    if absent and rng.random() < (LONE_NEVER_SHARE if lone else never_share):
        return _pick(rng, absent), NEVER
    once = [s for s in present if len(history.sightings(s)) == 1]
    if kind in ('count_class', 'after_light') or rng.random() < 0.2:
        once = present
    pool = once or present
    return (_pick(rng, pool), 'seen') if pool else None


def _subjects(kind: str, history: History) -> list[Subject]:
    """List what a kind of question may be about."""
    if kind == 'light':
        return [Subject(LIGHT)]
    if kind == 'after_light':
        return [Subject(LIGHT, color) for color in LIGHT_STATES]
    if kind == 'now':
        return [Subject(place=place) for place in PLACES]
    if kind in ('count_now', 'last_object'):
        return [Subject()]
    if kind == 'color_of':
        return [Subject(name) for name in COLORED]
    if kind == 'color_at':
        return [Subject(name, place=place) for name in COLORED for place in PLACES]
    if kind == 'where_two':
        return [*_pairs_told_apart(history)]
    return [Subject(name) for name in CLASSES]


def _pairs_told_apart(history: History) -> list[Subject]:
    """List classes with a color or a place, where the class was seen with another elsewhere."""
    pairs = []
    for name in COLORED:
        things = [thing for _, thing in history.sightings(Subject(name))]
        for color in COLORS:
            if any(t.color != color for t in things) and len({t.place for t in things}) > 1:
                pairs.append(Subject(name, color=color))
        for place in PLACES:
            if any(t.place != place for t in things) and len({t.color for t in things}) > 1:
                pairs.append(Subject(name, place=place))
    return pairs


def _choose_existence(rng: Generator, history: History) -> tuple[Subject, str] | None:
    """Choose as often something seen as not; half of the latter seen only apart."""
    pairs = [Subject(name, color) for name in COLORED for color in COLORS]
    seen = [pair for pair in pairs if history.sightings(pair)]
    unseen = [pair for pair in pairs if not history.sightings(pair)]
    kinds = {pair.kind for pair in seen}
    colors = {pair.color for pair in seen}
    hard = [pair for pair in unseen if pair.kind in kinds and pair.color in colors]
    easy = [pair for pair in unseen if pair.kind not in kinds or pair.color not in colors]
    easy += [Subject(name) for name in CLASSES if not history.sightings(Subject(name))]
    if rng.random() < 0.5:
        once = [pair for pair in seen if len(history.sightings(pair)) == 1]
        whole = [Subject(name) for name in CLASSES if history.sightings(Subject(name))]
        pool = whole if rng.random() < 0.3 or not seen else once or seen
        return (_pick(rng, pool), 'yes') if pool else None
    if hard and (rng.random() < HARD_SHARE or not easy):
        return _pick(rng, hard), 'hard_no'
    return (_pick(rng, easy), 'easy_no') if easy else None


def _choose_present(
    rng: Generator, kind: str, subjects: list[Subject], history: History
) -> tuple[Subject, str] | None:
    """Choose a place to ask about now, two times in three one where something stands."""
    if kind != 'now' or history.now is None:
        return (_pick(rng, subjects), 'seen') if subjects else None
    filled = {thing.place for thing in history.now.things}
    wanted = rng.random() < 0.67
    pool = [s for s in subjects if (s.place in filled) == wanted] or subjects
    return _pick(rng, pool), 'seen'


def _pick(rng: Generator, subjects: list[Subject]) -> Subject:
    return subjects[int(rng.integers(len(subjects)))]
