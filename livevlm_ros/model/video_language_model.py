# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video language model behind the few calls a stream needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from livevlm_ros.memory import View
from livevlm_ros.model import language
from livevlm_ros.model.absence import Absence
from livevlm_ros.model.chat import BadQuestion, Chat, QuestionPrompt
from livevlm_ros.model.checkpoint import check_weights, open_weights
from livevlm_ros.model.config import ModelConfig
from livevlm_ros.model.device import check_room, find_device
from livevlm_ros.model.familiarity import Familiarity
from livevlm_ros.model.families import open_family
from livevlm_ros.model.folder import CheckpointError, checkpoint_folder, read_yaml
from livevlm_ros.model.likelihood import AnswerToken, likelihood_temperature, log_shares
from livevlm_ros.model.low_bits import count_weights


class VideoLanguageModel:
    """
    A loaded checkpoint; owned by one thread.

    Made by `load_model`. `shape` is what the memory is built for, `memory_settings` the
    checkpoint's parsed `memory.yaml`, `familiarity` and `absence` what it says of pictures and of
    what was not there, None if nothing, `image` which tokens of a frame are its image's, the
    others text, `types` those of the weights in words, and `hf` the transformers model underneath.
    """

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        self.device = find_device(config.device)
        self.dtype: torch.dtype = getattr(torch, config.number)
        self.types = config.types
        local = Path(config.path).expanduser()
        self.model_id = local.resolve().name if local.is_dir() else config.path
        self._family = open_family(folder, config.image_tokens)
        check_weights(folder)
        saved_bytes = self._family.form.saved_bytes(self.dtype.itemsize, config.layer_bits)
        check_room(folder, dtype=self.dtype, device=self.device, saved_bytes=saved_bytes)
        self._chat = Chat(
            self._family.tokenizer,
            video=self._family.video,
            vocabulary=read_yaml(folder / 'vocabulary.yaml'),
        )
        self.memory_settings = read_yaml(folder / 'memory.yaml')
        self.familiarity = Familiarity.from_settings(self.memory_settings, self.device)
        self._temperature = likelihood_temperature(self.memory_settings)
        self.absence = Absence.from_settings(self.memory_settings)
        self._absences = self._first_tokens(self.absence.limits if self.absence else ())
        self.shape = self._family.shape()
        before = len(self._family.frame_text(0.0).before)
        self.image = slice(before, before + self._family.form.image_tokens)
        self.hf = open_weights(
            folder, self._family.network, dtype=self.dtype, layer_bits=config.layer_bits
        ).to(self.device)
        self.weight_bytes = sum(each.nbytes for each in self.hf.parameters())
        self._decoder = self._family.decoder(self.hf)
        self._layers = language.LanguageLayers(self._decoder)
        self.parameters = count_weights(self.hf)
        self._eos = _eos_ids(self.hf, self._family.tokenizer.eos_token_id)

    @torch.inference_mode()
    def encode_frames(
        self, images: Sequence[np.ndarray], seconds: Sequence[float] | None = None
    ) -> Tensor:
        """
        Encode camera images as one batch.

        :param images: uint8 RGB, each [height, width, 3], of any sizes
        :param seconds: when each was taken since the start of the stream, which the text around it
            may say; None: at the start
        :returns: [frames, tokens_per_frame, hidden], or wider, for `read`
        :raises ValueError: for an image of another type or shape
        """
        pixels = self._family.preprocess(images).to(self.device, self.dtype)
        features = self._family.features(self.hf, pixels)  # [frames, image_tokens, hidden]
        if not self.shape.text_tokens:
            return features
        texts = [self._family.frame_text(each) for each in seconds or [0.0] * len(images)]
        before = self._embed([text.before for text in texts])  # [frames, tokens, hidden]
        after = self._embed([text.after for text in texts])
        wider = (0, features.shape[2] - before.shape[2])  # to text nothing is added
        return torch.cat((pad(before, wider), features, pad(after, wider)), dim=1)

    def prefix(self) -> Tensor:
        """Embeddings of the text before the video, [tokens, hidden]."""
        return self._embed(self._chat.prefix_ids)

    @torch.inference_mode()
    def question(self, text: str) -> QuestionPrompt:
        """
        Make the prompt that follows the frames: what closes the video, then the rest of the chat.

        :raises UnknownWords: if the vocabulary is closed and the question leaves it
        :raises BadQuestion: if it cannot be asked for another reason
        """
        closing = self._family.before_question(self.hf)  # [tokens, hidden]
        words = self._embed(self._chat.question_ids(text))
        return QuestionPrompt(words if closing is None else torch.cat((closing, words)))

    @torch.inference_mode()
    def read(self, embeds: Tensor, view: View) -> Tensor:
        """
        Send tokens through all language layers over a view.

        :param embeds: [tokens, hidden], or [frames, tokens_per_frame, hidden] as `encode_frames`
            gives them
        :returns: the last token's hidden state, [hidden]
        """
        return self._layers.read(embeds.flatten(0, -2), view)

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every next token, [vocabulary], from a hidden state, [hidden]."""
        return torch.mv(self.hf.lm_head.weight, hidden)

    @torch.inference_mode()
    def answer_tokens(
        self,
        hidden: Tensor,
        view: View,
        *,
        temperature: float,
        generator: torch.Generator | None = None,
    ) -> Iterator[AnswerToken]:
        """
        Yield answer tokens one by one until the model ends; the caller may stop any time.

        :param hidden: what `read` returned for the question over `view`
        :param view: has room for the tokens that will be drawn
        :param temperature: 0 is greedy
        :param generator: source of chance for a temperature above 0, on the model's device
        """
        absences = self._absences
        while True:
            scores = self.logits(hidden)
            chosen = language.next_token(scores, temperature=temperature, generator=generator)
            ids = torch.cat((chosen[None], absences))
            shares = log_shares(scores.expand(len(ids), -1), ids, self._temperature)
            token, log_share, *absent = torch.cat((ids[:1].double(), shares.double())).tolist()
            if token in self._eos:
                return
            yield AnswerToken(int(token), log_share, scores, self._doubt(absent))
            hidden = self.read(self.embed(chosen[None]), view)
            absences = absences[:0]

    def option(self, text: str) -> list[int]:
        """
        Tokens of an answer that may be chosen.

        :raises BadQuestion: as `question`
        """
        return self._chat.option_ids(text)

    @torch.inference_mode()
    def option_log_shares(
        self, hidden: Tensor, view: View, options: Sequence[Sequence[int]]
    ) -> Iterator[float]:
        """
        Yield the log probability of each option as the answer, the mean over its tokens.

        What was read for the question is shared: an option of one token costs no read.

        :param hidden: what `read` returned for the question over `view`
        :param view: has room for the longest option; it is as before after each
        :param options: tokens of each, at least one
        """
        first = self.logits(hidden)[None]  # [1, vocabulary]
        for ids in options:
            scores = first
            if said := ids[:-1]:
                states = self._layers.read_states(self._embed(said), view, last=len(said))
                view.take_back(len(said))
                scores = torch.cat((first, states @ self.hf.lm_head.weight.t()))
            chosen = torch.tensor(ids, device=self.device)
            yield float(log_shares(scores, chosen, self._temperature).mean())

    def text(self, ids: Sequence[int]) -> str:
        """Answer tokens as text."""
        return self._chat.text(ids)

    @torch.inference_mode()
    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings of tokens, [..., hidden], by their ids, [...], on the device."""
        return self._decoder.embed_tokens(tokens)

    def _first_tokens(self, answers: Iterable[str]) -> Tensor:
        """Return the tokens that absences begin with, int64 [answers] on the device."""
        try:
            first = [self.option(answer)[0] for answer in answers]
        except BadQuestion as error:
            raise CheckpointError(f'memory.yaml: absence: {error}') from error
        return torch.tensor(first, dtype=torch.long, device=self.device)

    def _doubt(self, absent: Sequence[float]) -> float:
        """Return the doubt of an answer by the log probabilities of absences in its place."""
        if self.absence is None or not absent:
            return 0.0
        shares = map(math.exp, absent)
        return self.absence.doubt(dict(zip(self.absence.limits, shares, strict=True)))

    def _embed(self, ids: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return self.embed(torch.tensor(ids, dtype=torch.long, device=self.device))


def load_model(config: ModelConfig) -> VideoLanguageModel:
    """
    Load a checkpoint of a known family: safetensors only, no remote code, HF_HUB_OFFLINE honoured.

    :raises CheckpointError: saying what is wrong with the checkpoint, by the name of the file
    :raises ValueError: for a device this machine does not have, or without room for the weights
    """
    return VideoLanguageModel(checkpoint_folder(config.path), config)


def _eos_ids(hf: PreTrainedModel, tokenizer_eos: int | None) -> frozenset[int]:
    """Tokens that end an answer: of the generation config, text config or tokenizer."""
    generation, text = hf.generation_config, hf.config.text_config
    for ids in (generation.eos_token_id, text.eos_token_id, tokenizer_eos):
        if ids is not None:
            return frozenset(ids if isinstance(ids, list) else [ids])
    raise CheckpointError(
        f'{hf.name_or_path}: no end-of-answer token in generation_config.json or the tokenizer'
    )
