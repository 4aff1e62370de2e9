# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The words of the questions: three wordings or more of each kind, and their vocabulary."""

from __future__ import annotations

from numpy.random import Generator

from livevlm_ros.world.scene import CLASSES, COLORS, LIGHT_STATES, PLACES

NEVER = 'never'
NUMBERS = ('zero', 'one', 'two', 'three')

CHOICES: dict[str, tuple[str, ...]] = {
    'color_of': (*COLORS, NEVER),
    'color_at': (*COLORS, NEVER),
    'where_is': (*PLACES, NEVER),
    'where_two': (*PLACES, *COLORS, NEVER),
    'exists': ('yes', 'no'),
    'now': (*CLASSES, 'nothing'),
    'count_now': NUMBERS,
    'light': (*LIGHT_STATES, NEVER),
    'last_object': CLASSES,
    'before': CLASSES,
    'after': CLASSES,
    'count_class': NUMBERS,
    'after_light': (*COLORS, NEVER),
}
KINDS = tuple(CHOICES)

_COLOR_OF = (
    'what color was {the} {where} ?',
    'which color did {the} {where} have ?',
    'tell me the color of {the} {where} .',
)
_WHERE = ('where was {the} ?', 'on which side was {the} ?', 'where did you see {the} ?')

WORDINGS: dict[str, tuple[str, ...]] = {
    'color_of': _COLOR_OF,
    'color_at': _COLOR_OF,
    'where_is': _WHERE,
    'where_two': _WHERE,
    'exists': ('did you see {a} ?', 'was there {a} ?', 'have you seen {a} ?'),
    'now': (
        'what is {where} now ?',
        'what do you see {where} now ?',
        'name the thing {where} now .',
    ),
    'count_now': (
        'how many things are there now ?',
        'how many things do you see now ?',
        'count the things in front of you now .',
    ),
    'light': (
        'what color was the last traffic light ?',
        'which color did the last traffic light show ?',
        'tell me the color of the last traffic light .',
    ),
    'last_object': (
        'what was the last thing you saw ?',
        'what did you see last ?',
        'name the last thing you saw .',
    ),
    'before': (
        'what did you see before {the} ?',
        'what came before {the} ?',
        'name the thing before {the} .',
    ),
    'after': (
        'what did you see after {the} ?',
        'what came after {the} ?',
        'name the thing after {the} .',
    ),
    'count_class': (
        'how many times did you see {a} ?',
        'how often did {a} appear ?',
        'count how many times you saw {a} .',
    ),
    'after_light': (
        'what color was the thing seen after the last {color} light ?',
        'which color did the thing after the last {color} light have ?',
        'name the color of the thing after the last {color} light .',
    ),
}
_SIDE = {'left': 'on the left', 'middle': 'in the middle', 'right': 'on the right', '': ''}


def word(rng: Generator, kind: str, name: str, color: str, place: str) -> str:
    """
    Put a question into words.

    :param kind: kind of question
    :param name: class asked about, or ''
    :param color: color that narrows it down, or ''
    :param place: place that narrows it down, or ''
    """
    wordings = WORDINGS[kind]
    if kind == 'where_two' and place:
        wordings = _COLOR_OF
    return _fill(wordings[int(rng.integers(len(wordings)))], name, color, place)


def examples() -> dict[str, str]:
    """Return one example question of each kind."""
    subject = {
        'color_at': ('car', '', 'left'),
        'where_two': ('car', 'red', ''),
        'exists': ('bus', 'blue', ''),
        'now': ('', '', 'left'),
        'after_light': ('light', 'red', ''),
    }
    return {
        kind: _fill(wordings[0], *subject.get(kind, ('truck', '', '')))
        for kind, wordings in WORDINGS.items()
    }


def _fill(wording: str, name: str, color: str, place: str) -> str:
    noun = 'traffic light' if name == 'light' else name
    described = f'{color} {noun}'.strip()
    article = 'an' if described[:1] in 'aeiou' else 'a'
    filled = wording.format(
        the=f'the {described}', a=f'{article} {described}', color=color, where=_SIDE[place]
    )
    return ' '.join(filled.split())


def vocabulary() -> list[str]:
    """Return every word that a question or an answer can hold, sorted."""
    templates = ' '.join(wording for wordings in WORDINGS.values() for wording in wordings)
    words = {word for word in templates.split() if not word.startswith('{')}
    words |= {word for side in _SIDE.values() for word in side.split()}
    answers = {answer for choices in CHOICES.values() for answer in choices}
    return sorted(words | answers | set(CLASSES) | {'a', 'an', 'the', 'traffic'})
