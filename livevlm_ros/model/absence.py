# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether an answer claims to have seen what was not there.

Asked about something that it never saw, a model often names what resembles it, and is as sure of
that as of a miscount. But it also gives some probability to `never` or `no`, which it does not
where it saw what it is asked for. So it is that probability, not the answer's own, which tells a
false memory. How much of it is too much differs from word to word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from livevlm_ros.model.folder import CheckpointError


@dataclass(frozen=True, slots=True)
class Absence:
    """
    How a checkpoint says that something was not there.

    :param limits: by answer that says so, the probability of it from which on another answer is
        not to be believed
    """

    limits: Mapping[str, float]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Absence | None:
        """
        Read `absence: {'never': 0.02, 'no': 0.3}` of a `memory.yaml`.

        :param settings: the whole file; without the entry nothing is known of absences: None
        :raises CheckpointError: for an entry that is no such thing
        """
        entry = settings.get('absence')
        if entry is None:
            return None
        if (
            not isinstance(entry, Mapping)
            or not entry
            or not all(isinstance(word, str) and word.strip() for word in entry)
            or not all(isinstance(at, int | float) and 0 < at <= 1 for at in entry.values())
        ):
            raise CheckpointError(
                "memory.yaml: absence takes answers, such as 'never' and 'no' in quotes, each "
                'with a probability above 0, at most 1, as livevlm calibrate writes it, got '
                f'{entry!r}'
            )
        return cls({word.strip().casefold(): float(at) for word, at in entry.items()})

    def says(self, text: str) -> bool:
        """
        Tell whether an answer says that something was not there.

        It does if it begins with one of the absences, word by word: `No, I did not.` says `no`.
        """
        said = _words(text)
        return any(said[: len(words)] == words for words in map(_words, self.limits))

    def doubt(self, shares: Mapping[str, float]) -> float:
        """
        Say how near a model came to saying that something was not there: 1 is at its limit.

        :param shares: probabilities of answers; those that are no absence do not count
        """
        found = {text.strip().casefold(): share for text, share in shares.items()}
        return max(found.get(word, 0.0) / limit for word, limit in self.limits.items())


def _words(text: str) -> list[str]:
    """Return the words of a text without case, and without the punctuation around each."""
    return [re.sub(r'^\W+|\W+$', '', word) or word for word in text.casefold().split()]
