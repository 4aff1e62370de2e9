# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The chat around a video: the prefix before it, the question after it, the words it may use.

The checkpoint's own template is rendered once, with one video and words that stand for a question.
Each question takes their place, and the whole is tokenized and cut at the token of its frames, so
each part has the tokens it has in the whole. A template is a program, and what it does with one
text says nothing of the next: it never sees a question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from livevlm_ros.memory import RESERVED_POSITIONS
from livevlm_ros.model.family import VideoText
from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.template_trial import try_template
from livevlm_ros.weights import EMBEDDED

NAMED_WORDS = 10
"""Unknown words an error names at most."""
NAMED_EXAMPLES = 6
"""Questions that the model knows, at most, in an error."""
NAMED_LETTERS = 40
"""Letters of an unknown word an error shows at most."""

_PLACE = 'Is "A" <b> & \'c\' at 2\\3?'
"""Stands for a question; whatever changes letters or escapes signs changes it."""
_EDGE = '\t\v\t'
"""Space around it that no template writes, but that one may trim."""


class BadQuestion(ValueError):
    """A question the model cannot be asked: says why."""


class UnknownWords(BadQuestion):
    """
    Words a model with a closed vocabulary does not know.

    :param words: the unknown words in their order
    :param examples: kind of question -> an example the model knows
    """

    def __init__(self, words: Sequence[str], examples: Mapping[str, str]) -> None:
        self.words, self.examples = list(words), dict(examples)
        named = ', '.join(repr(word[:NAMED_LETTERS]) for word in self.words[:NAMED_WORDS])
        more = f' and {len(words) - NAMED_WORDS} more' if len(words) > NAMED_WORDS else ''
        known = ', '.join(f'"{each}"' for each in list(self.examples.values())[:NAMED_EXAMPLES])
        super().__init__(
            f'the model does not know {named}{more}; it knows questions such as {known}'
        )


@dataclass(frozen=True, slots=True)
class QuestionPrompt:
    """
    A question, ready to be read after the frames.

    :param embeds: what closes the video and the rest of the chat, [tokens, hidden]
    """

    embeds: Tensor

    @property
    def tokens(self) -> int:
        """Tokens of the prompt."""
        return len(self.embeds)


@dataclass(frozen=True, slots=True)
class _Around:
    """
    A rendered chat without its question.

    :param trims: whether the template takes space off the question's start, and its end
    """

    before: str
    after: str
    trims: tuple[bool, bool]

    @classmethod
    def of(cls, rendered: str) -> _Around:
        """
        Cut a chat that has `_PLACE` with `_EDGE` on both sides.

        :raises ValueError: if it has not, or more than once
        """
        if rendered.count(_PLACE) != 1:
            raise ValueError(
                f'it has the question {rendered.count(_PLACE)} times as it is asked, expected once'
            )
        before, _, after = rendered.partition(_PLACE)
        return cls(
            before.removesuffix(_EDGE),
            after.removeprefix(_EDGE),
            (not before.endswith(_EDGE), not after.startswith(_EDGE)),
        )

    def put(self, text: str) -> str:
        """Return the chat with a question."""
        start, end = self.trims
        text = text.lstrip() if start else text
        return self.before + (text.rstrip() if end else text) + self.after


class Chat:
    """
    A checkpoint's template and vocabulary.

    :param tokenizer: with a chat template
    :param video: how the chat holds a video
    :param vocabulary: parsed `vocabulary.yaml`; {} means any word may be asked
    :raises CheckpointError: if the template has no place for a video, no text before it, or does
        not write the question as it is asked
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        video: VideoText,
        vocabulary: Mapping[str, Any],
    ) -> None:
        self._tokenizer, self._video = tokenizer, video
        self._closed = bool(vocabulary.get('closed'))
        self._examples: Mapping[str, str] = vocabulary.get('examples') or {}
        if not isinstance(self._examples, Mapping):
            raise CheckpointError(
                f'{tokenizer.name_or_path}: vocabulary.yaml has examples that are a '
                f'{type(self._examples).__name__}, expected a question for each kind'
            )
        self._markers = [token for token in tokenizer.get_added_vocab() if token.strip()]
        self._markers += [video.marker] if video.marker else []
        try:
            self._around = _Around.of(self._render())
            ids = self._ids('?')
        except Exception as error:  # a template can compute anything, and fail in any way
            raise CheckpointError(
                f'{tokenizer.name_or_path}: the chat template does not render ({error})'
            ) from error
        if ids.count(video.token) != 1 or ids[0] == video.token:
            raise CheckpointError(
                f'{tokenizer.name_or_path}: the chat template renders {ids.count(video.token)} '
                f'video tokens (id {video.token}) for one video, expected one, with text before it'
            )
        self.prefix_ids = ids[: ids.index(video.token)]

    def question_ids(self, text: str) -> list[int]:
        """
        Tokens after the video for a question.

        :raises UnknownWords: if the vocabulary is closed and the question leaves it
        :raises BadQuestion: for text that is not Unicode, holds a marker of the chat, or is too
            long
        """
        self._check_text(text, 'the question')
        ids = self._ids(text)
        question = ids[len(self.prefix_ids) + 1 :]
        limit = RESERVED_POSITIONS - len(self.prefix_ids) - 2  # newline and one answer token
        if len(question) > limit:
            raise BadQuestion(
                f'the question has {len(question)} tokens, at most {limit} fit: shorten it'
            )
        if self._closed:
            self._check_words(text)
        return question

    def option_ids(self, text: str) -> list[int]:
        """
        Tokens of an answer that may be chosen, as they follow the question.

        :raises UnknownWords: if the vocabulary is closed and the option leaves it
        :raises BadQuestion: for text that is not Unicode, holds a marker of the chat, or is empty
        """
        self._check_text(text, f'{text!r}')
        if self._closed:
            self._check_words(text)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        if not ids:
            raise BadQuestion(f'{text!r} has no tokens')
        return ids

    def _check_text(self, text: str, name: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadQuestion(f'{name} is not valid Unicode text ({error.reason})') from error
        for marker in self._markers:
            if marker in text:
                raise BadQuestion(f'{name} holds {marker!r}, a marker of the chat')

    def _render(self) -> str:
        """Render the template around `_PLACE`, refusing one that fails or does not end."""
        asked = {'type': 'text', 'text': f'{_EDGE}{_PLACE}{_EDGE}'}
        messages = [{'role': 'user', 'content': [{'type': 'video'}, asked]}]
        if Path(self._tokenizer.name_or_path) != EMBEDDED:  # ours ends
            template = self._tokenizer.get_chat_template()
            try_template(template, messages, self._tokenizer.special_tokens_map)
        rendered: str = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        if self._video.marker:
            rendered = rendered.replace(self._video.marker, self._video.text, 1)
        return rendered

    def _ids(self, text: str) -> list[int]:
        whole = self._around.put(text)
        ids: list[int] = self._tokenizer(whole, add_special_tokens=False, verbose=False).input_ids
        return ids

    def _check_words(self, text: str) -> None:
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        unknown = [
            text[start:end]
            for token, (start, end) in zip(encoded.input_ids, encoded.offset_mapping, strict=True)
            if token == self._tokenizer.unk_token_id
        ]
        if unknown:
            raise UnknownWords(list(dict.fromkeys(unknown)), self._examples)

    def text(self, ids: Sequence[int]) -> str:
        """Answer tokens as text, markers left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True).strip()
