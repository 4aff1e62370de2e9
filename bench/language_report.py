# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What became of questions about streams of text, by row.

Questions about what was not said are in no rate: a model of this size never refuses, so none of
its answers is right. Whether it was less sure than where the fact was said is told instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import numpy as np

from livevlm_bench.language_rows import TextRow, sizes_for
from livevlm_bench.text_memory import Told
from livevlm_bench.text_streams import TYPES, Fact, TextStream
from livevlm_ros.replay.accuracy import AGES, Report, mean, rate
from livevlm_ros.replay.compare import bounds

BASELINES = ('full', 'balanced')
"""Rows that each other row is paired with, where they were asked."""

_SETTINGS = (
    'preset',
    'short_term_frames',
    'long_term_frames',
    'eviction',
    'archive_bits',
    'retrieval',
    'retrieval_frames',
)


class Asked(NamedTuple):
    """
    A question as one row answered it.

    :param row: its name
    :param stream: counted from 0
    :param age: see `TextStream.age`
    """

    row: str
    stream: int
    fact: Fact
    age: int | None
    told: Told


def language_report(asked: Sequence[Asked], rows: Sequence[TextRow], *, tokens: int) -> Report:
    """
    Compute rates by row, and differences of rows in pairs.

    :param asked: the same questions of each row, in the same order
    :param tokens: of a stream
    :returns: `chance`, the rate of guessing among a kind's values; `rows` by name: `right` with
        its standard error `se` over `n` questions, `logp` of the true value, `recall`,
        `tokens_read`, `share_read` of the stream, `by_age` in frames, `by_type`, `settings`;
        `paired`, see `paired`; `questions` with what each row said
    """
    by_row = {row.name: [one for one in asked if one.row == row.name] for row in rows}
    scored = [one for one in next(iter(by_row.values())) if one.told.right is not None]
    pairs = [
        (name, baseline)
        for number, baseline in enumerate(BASELINES)
        for name in by_row
        if baseline in by_row and name not in BASELINES[: number + 1]
    ]
    return {
        'chance': mean([1 / one.fact.choices for one in scored]),
        'rows': {row.name: _row(by_row[row.name], row, tokens) for row in rows},
        'paired': [
            {'candidate': name, 'baseline': baseline, **paired(by_row[name], by_row[baseline])}
            for name, baseline in pairs
        ],
        'questions': [_question(same) for same in zip(*by_row.values(), strict=True)],
    }


def paired(ours: Sequence[Asked], theirs: Sequence[Asked]) -> Report:
    """
    Compare two rows question by question.

    :returns: over `n` scored questions of `streams` streams the `difference` of right answers in
        points, ours minus theirs, with its 95 % interval `low` to `high` and `lower_bound`, which
        it is above with 95 %, by bootstrap of whole streams, None for a single one; the questions
        only one of them answered right, `gained` and `lost`; `logp`, the difference of the true
        value's log probability with its interval `logp_low` to `logp_high`
    """
    pairs = [
        (mine, other)
        for mine, other in zip(ours, theirs, strict=True)
        if mine.told.right is not None
    ]
    marks = [(mine.told.right, other.told.right) for mine, other in pairs]
    right = [float(bool(mine)) - float(bool(other)) for mine, other in marks]
    logp = [mine.told.log_share - other.told.log_share for mine, other in pairs]
    streams = [mine.stream for mine, _ in pairs]
    low, lower_bound, high = bounds(_by_stream(right, streams))
    logp_low, _, logp_high = (
        None if bound is None else bound / 100 for bound in bounds(_by_stream(logp, streams))
    )
    return {
        'n': len(pairs),
        'streams': len(set(streams)),
        'difference': 100 * fmean(right) if right else None,
        'low': low,
        'high': high,
        'lower_bound': lower_bound,
        'gained': marks.count((True, False)),
        'lost': marks.count((False, True)),
        'logp': mean(logp),
        'logp_low': logp_low,
        'logp_high': logp_high,
    }


def fingerprint(streams: Iterable[TextStream]) -> str:
    """Return letters that are others where streams are."""
    ids = json.dumps([stream.ids for stream in streams])
    return hashlib.sha256(ids.encode()).hexdigest()[:12]


def _row(asked: Sequence[Asked], row: TextRow, tokens: int) -> Report:
    scored = [one for one in asked if one.told.right is not None]
    newest, settings = sizes_for(tokens).short_term, asdict(row.config)
    recall = [
        one.told.recall
        for one in scored
        if one.told.recall is not None and (one.age or 0) > newest
    ]
    read = fmean(one.told.tokens_read for one in asked)
    return {
        **_right(scored),
        'logp': mean([one.told.log_share for one in scored]),
        'recall': mean(recall),
        'tokens_read': read,
        'share_read': read / tokens,
        'by_age': {
            f'<={most}': _right([one for one in scored if least < (one.age or 0) <= most])
            for least, most in pairwise((0, *AGES))
        },
        'by_type': {
            **{
                kind: _right([one for one in scored if one.fact.type == kind])
                for kind in TYPES
                if kind != 'not_said'
            },
            'not_said': _not_said(asked),
        },
        'settings': {name: settings[name] for name in _SETTINGS},
    }


def _right(asked: Sequence[Asked]) -> Report:
    rated = rate(sum(one.told.right is True for one in asked), len(asked))
    chance = mean([1 / one.fact.choices for one in asked])
    return {'right': rated['rate'], 'n': rated['n'], 'se': rated['se'], 'chance': chance}


def _not_said(asked: Sequence[Asked]) -> Report:
    """
    Compare how sure a row was of facts that were not said, and of single ones that were.

    :returns: log probability of the likeliest begin of a value where `n` facts were not said,
        `sure`, and where they were, `sure_said`; `told_apart`, how often it is higher where the
        fact was said, of one of each drawn blindly: 0.5 is guessing
    """
    without = [one.told.sure for one in asked if one.fact.type == 'not_said']
    said = [one.told.sure for one in asked if one.fact.type == 'single']
    higher = np.sign(np.subtract.outer(said, without))  # [said, without]
    return {
        'n': len(without),
        'sure': mean(without),
        'sure_said': mean(said),
        'told_apart': float((higher.mean() + 1) / 2) if higher.size else None,
    }


def _question(same: Sequence[Asked]) -> Report:
    """Return a question, and what each row made of it."""
    first = same[0]
    return {
        'stream': first.stream,
        'type': first.fact.type,
        'ask': first.fact.ask,
        'value': first.fact.value,
        'age': first.age,
        'rows': {one.row: asdict(one.told) for one in same},
    }


def _by_stream(values: Sequence[float], streams: Sequence[int]) -> list[list[float]]:
    return [
        [value for value, of in zip(values, streams, strict=True) if of == stream]
        for stream in sorted(set(streams))
    ]
