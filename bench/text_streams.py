# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Streams of running text with facts dropped in, and questions about them.

A stream says one fact of a kind, of a subject and with a value that no other fact of the stream
has. Facts stand between sentences of the filler, evenly spaced over all but the end; some more
stand among the last sentences, and some that questions ask for are not said at all.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from livevlm_bench.facts import Kind
from livevlm_bench.filler import Paragraph
from livevlm_bench.language_model import FRAME_TOKENS, LanguageModel, Tokens
from livevlm_ros.replay.errors import BadInput

TYPES = ('single', 'two_hop', 'recent', 'not_said')
"""What is asked for: a fact, one that two sentences say together, one among the last sentences,
and one that the stream does not say."""

SENTENCE_ROOM = 56
"""Tokens of a stream for each sentence of a fact at least, filler counted."""

OF_EACH = 3
"""Facts of each type other than `single`, where the stream has room and there are kinds enough."""

LAST_SENTENCES = 8
"""Sentences at the end of a stream among which the recent facts stand."""

PARAGRAPHS_IN_A_ROW = 3
"""Most paragraphs of filler that follow each other as in their text."""


@dataclass(frozen=True, slots=True)
class Fact:
    """
    A fact, the question for it, and where the stream says it.

    :param type: of `TYPES`
    :param ask: the question
    :param answer: tokens of the true answer, up to its value's end; `places` are the value's
    :param value: what the answer must say
    :param choices: values of the fact's kind, from which guessing chooses
    :param spans: tokens of the stream that say it, first and behind the last, by sentence; none
        for a fact that is not said
    :param needed: tokens of the stream that hold the value, and what ties two sentences together
    """

    type: str
    ask: str
    answer: Tokens
    value: str
    choices: int
    spans: tuple[tuple[int, int], ...] = ()
    needed: tuple[int, ...] = ()

    @property
    def frames(self) -> set[int]:
        """Frames of the stream, counted from 0, that say it."""
        places = chain.from_iterable(range(*span) for span in self.spans)
        return {place // FRAME_TOKENS for place in places}


@dataclass(frozen=True, slots=True)
class TextStream:
    """
    A stream of text.

    :param ids: its tokens, whole frames of them
    :param facts: what is asked about it
    """

    ids: list[int]
    facts: list[Fact]

    @property
    def frames(self) -> int:
        """Frames of the stream."""
        return len(self.ids) // FRAME_TOKENS

    def age(self, fact: Fact) -> int | None:
        """
        Return the frames since a fact was said, the one that says it included; None: it was not.

        Of two sentences the older one counts.
        """
        if not fact.spans:
            return None
        return self.frames - min(end - 1 for _, end in fact.spans) // FRAME_TOKENS


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A fact that has no place yet."""

    type: str
    kind: Kind
    who: str
    value: str
    via: str

    def fill(self, text: str) -> str:
        """Put subject, value and tie into a text of the fact's kind."""
        parts = {'{who}': self.who, '{value}': self.value, '{via}': self.via}
        for part, word in parts.items():
            text = text.replace(part, word)
        return text

    def tokens(self, model: LanguageModel, text: str, *, part: str) -> Tokens:
        """Return the tokens of a text of the fact's kind; `places` are those of one part."""
        before, _, after = text.partition(part)
        before, word = self.fill(before), self.fill(part)
        whole = before + word + self.fill(after)
        return model.tokens(whole, begin=len(before), end=len(before + word))


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Tokens; of a fact also which one says them, and the places of those that are needed."""

    ids: list[int]
    fact: int = -1
    needed: Sequence[int] = ()


def text_stream(
    model: LanguageModel,
    kinds: Sequence[Kind],
    filler: Sequence[Paragraph],
    *,
    seed: int,
    number: int,
    tokens: int,
) -> TextStream:
    """
    Write a stream; the same arguments give the same stream.

    :param seed: of all streams of a run
    :param number: of this stream
    :param tokens: of the stream, a multiple of `FRAME_TOKENS`
    :raises BadInput: if facts and last sentences leave no room for filler
    """
    source = random.Random(f'{seed}/{number}/{tokens}')
    drawn = _draw(source, kinds, room=tokens // SENTENCE_ROOM)
    spread: list[_Sentence] = []
    last: list[_Sentence] = []
    for index, one in enumerate(drawn):
        if one.type != 'not_said':
            (last if one.type == 'recent' else spread).extend(_say(model, one, index))
    source.shuffle(spread)
    running = _running(source, model, filler)
    tail = [_Sentence(next(running)) for _ in range(LAST_SENTENCES - len(last))]
    for sentence in last:
        tail.insert(source.randint(1, len(tail)), sentence)
    room = tokens - sum(len(sentence.ids) for sentence in (*spread, *tail))
    if room < FRAME_TOKENS:
        raise BadInput(
            f'{len(spread)} facts and the last {LAST_SENTENCES} sentences leave no room in a '
            f'stream of {tokens} tokens: ask for more, or give text of shorter sentences'
        )
    spots = [(place + source.random()) / len(spread) * room for place in range(len(spread))]
    body = _dropped_in(_cut(running, room), spread, spots)
    return _stream(model, [*body, *tail], drawn)


def _draw(source: random.Random, kinds: Sequence[Kind], *, room: int) -> list[_Drawn]:
    """
    Draw the facts of a stream, each of another kind.

    :param room: most sentences that say them
    """
    ones = [kind for kind in kinds if not kind.via]
    twos = [kind for kind in kinds if kind.via]
    source.shuffle(ones)
    source.shuffle(twos)
    few = min(OF_EACH, len(ones) // 5)
    tied = min(OF_EACH, len(twos), room // 8)
    counts = {'not_said': few, 'recent': few, 'single': max(room - few - 2 * tied, 0)}
    types = [kind for kind, count in counts.items() for _ in range(count)]
    plan = [*zip(types, ones, strict=False), *(('two_hop', kind) for kind in twos[:tied])]
    taken: set[str] = set()
    drawn = []
    for asked, kind in plan:
        words = [
            [word for word in of if word not in taken] for of in (kind.who, kind.values, kind.via)
        ]
        if not words[0] or not words[1] or (kind.via and not words[2]):
            continue  # others have said them all
        who, value, via = (source.choice(of) if of else '' for of in words)
        taken.update((who, value, via))
        drawn.append(_Drawn(asked, kind, who, value, via))
    return drawn


def _say(model: LanguageModel, drawn: _Drawn, number: int) -> Iterator[_Sentence]:
    for text in drawn.kind.say:
        part = '{value}' if '{value}' in text else '{via}'
        ids, places = drawn.tokens(model, f' {text}', part=part)
        yield _Sentence(ids, number, places)


def _running(
    source: random.Random, model: LanguageModel, filler: Sequence[Paragraph]
) -> Iterator[list[int]]:
    """Yield sentence after sentence, a few paragraphs of one text and then of another."""
    while True:
        firsts = list(range(0, len(filler), PARAGRAPHS_IN_A_ROW))
        source.shuffle(firsts)
        for first in firsts:
            for paragraph in filler[first : first + PARAGRAPHS_IN_A_ROW]:
                for number, sentence in enumerate(paragraph):
                    yield model.ids((' ' if number else '\n') + sentence)


def _cut(running: Iterator[list[int]], tokens: int) -> list[_Sentence]:
    """Take so many tokens: whole sentences, but for the begin of the first."""
    taken = deque([next(running)])
    while (over := sum(map(len, taken)) - tokens) < 0:
        taken.append(next(running))
    while over >= len(taken[0]):
        over -= len(taken.popleft())
    taken[0] = taken[0][over:]
    return [_Sentence(ids) for ids in taken]


def _dropped_in(
    body: Sequence[_Sentence], facts: Sequence[_Sentence], spots: Sequence[float]
) -> list[_Sentence]:
    """Put each fact behind the sentence in which its spot lies, counted in tokens of the body."""
    waiting = deque(zip(spots, facts, strict=True))
    pieces, written = [], 0
    for sentence in body:
        pieces.append(sentence)
        written += len(sentence.ids)
        while waiting and waiting[0][0] <= written:
            pieces.append(waiting.popleft()[1])
    return pieces


def _stream(
    model: LanguageModel, pieces: Sequence[_Sentence], drawn: Sequence[_Drawn]
) -> TextStream:
    ids: list[int] = []
    spans: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    needed: defaultdict[int, list[int]] = defaultdict(list)
    for sentence in pieces:
        first = len(ids)
        ids += sentence.ids
        if sentence.fact >= 0:
            spans[sentence.fact].append((first, len(ids)))
            needed[sentence.fact] += [first + place for place in sentence.needed]
    facts = [
        Fact(
            type=one.type,
            ask=one.fill(one.kind.ask),
            answer=one.tokens(
                model, one.kind.answer.partition('{value}')[0] + '{value}', part='{value}'
            ),
            value=one.value,
            choices=len(one.kind.values),
            spans=tuple(spans[number]),
            needed=tuple(needed[number]),
        )
        for number, one in enumerate(drawn)
    ]
    return TextStream(ids, facts)
