# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `weights`: language layers in eight and four bits against float32, in time and in words.

Time is that of LLaVA-OneVision 0.5B's layers with random weights. Words are those that a language
model nobody here taught expects in running text, in windows of it that know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import Qwen2Model

from livevlm_bench.filler import built_in_filler
from livevlm_bench.language_model import LanguageModel
from livevlm_bench.one_camera import CAMERA
from livevlm_bench.report_head import head
from livevlm_bench.rounds import Contender, in_rounds, quotients
from livevlm_bench.shapes import HALF_BILLION, QUESTION_TOKENS, Shape, cache_shape
from livevlm_bench.threads import one_thread
from livevlm_ros.memory import CacheShape, Memory, MemoryConfig
from livevlm_ros.model.language import LanguageLayers
from livevlm_ros.model.low_bits import LowBitsLinear
from livevlm_ros.replay.evaluate import Progress

FLOAT = 'float32'
BITS = {FLOAT: None, 'int8': 8, 'int4': 4}
WORK = {'frame': HALF_BILLION.tokens_per_frame, 'question': QUESTION_TOKENS, 'token': 1}
"""What is timed, by the tokens that are read at once."""

DONE = 'done'
WARM_UP = 2
SEED = 0
WINDOW_TOKENS, WINDOWS, QUICK_WINDOWS = 256, 8, 1


class Words(NamedTuple):
    """
    What is expected of running text, and how far that is from what float32 expects.

    :param perplexity: of the next token
    :param equal: share of places where the likeliest next token is the same
    :param apart: difference of the scores, the root of its mean square over their deviation
    :param divergence: Kullback-Leibler, in nats a token
    """

    perplexity: float
    equal: float
    apart: float
    divergence: float

    @classmethod
    def of(cls, scores: Tensor, others: Tensor, ids: Tensor) -> Words:
        """
        Compare scores of next tokens, [windows, tokens, vocabulary].

        :param others: those of float32
        :param ids: what the text has, [windows, tokens]
        """
        shares, expected = scores.log_softmax(-1), others.log_softmax(-1)
        losses = -shares[:, :-1].gather(-1, ids[:, 1:, None])
        spread = (others - others.mean(-1, keepdim=True)).norm()
        return cls(
            float(losses.mean().exp()),
            float((scores.argmax(-1) == others.argmax(-1)).float().mean()),
            float((scores - others).norm() / spread),
            float((expected.exp() * (expected - shares)).sum(-1).mean()),
        )


@torch.inference_mode()
def measure(
    load: Callable[[], LanguageModel],
    *,
    rounds: int,
    shape: Shape = HALF_BILLION,
    windows: int = WINDOWS,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Time the layers in turn, and let the language model read text with each kind of weights.

    :param load: of the language model
    :param rounds: that count, after `WARM_UP` others
    :param shape: of the layers that are timed
    :param windows: of text
    """
    with one_thread():
        times = _times(shape, rounds, lambda share: progress('time', share / 2))
        model = load()
        words = _words(model, windows, lambda share: progress('words', (1 + share) / 2))
    return {
        **head('weights', seed=SEED, threads=1),
        'shape': shape.name,
        'rounds': rounds,
        'warm_up': WARM_UP,
        'window_tokens': WINDOW_TOKENS,
        'windows': windows,
        'times': times,
        'model': model.name,
        'words': words,
    }


def lower(layers: nn.Module, bits: int) -> None:
    """Replace all linear layers, one after another."""
    for name, module in list(layers.named_modules()):
        if isinstance(module, nn.Linear):
            lowered = LowBitsLinear(name, module, module.weight.detach(), bits)
            layers.set_submodule(name, lowered)


def _times(shape: Shape, rounds: int, progress: Callable[[float], None]) -> dict[str, Any]:
    """Return what each kind of work takes, by the kind of weights."""
    contenders = {}
    for weights, bits in BITS.items():
        torch.manual_seed(SEED)
        model = Qwen2Model._from_config(shape.config, dtype=torch.float32).eval()
        if bits is not None:
            lower(model.layers, bits)
        layers, kept = LanguageLayers(model), cache_shape(shape.config, tokens_per_frame=1)
        for work, tokens in WORK.items():
            embeds = torch.randn(tokens, shape.config.hidden_size)
            contenders[weights, work] = Contender(partial(_read, layers, kept, embeds), _rest)
    laps = in_rounds(contenders, rounds=rounds, warm_up=WARM_UP, progress=progress)
    return {
        weights: {
            work: {
                **laps[weights, work][DONE].report(),
                'times_as_fast': quotients(
                    laps[FLOAT, work][DONE], laps[weights, work][DONE]
                )._asdict(),
            }
            for work in WORK
        }
        for weights in BITS
    }


def _read(layers: LanguageLayers, shape: CacheShape, embeds: Tensor, number: int) -> Iterator[str]:
    """Read tokens of which nothing is remembered."""
    layers.read(embeds, _empty(shape).question(extra_tokens=len(embeds)))
    yield DONE


def _rest() -> None:
    pass


def _empty(shape: CacheShape) -> Memory:
    return Memory(MemoryConfig('recent', short_term_frames=1), shape, (CAMERA,))


def _words(
    model: LanguageModel, windows: int, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Return what is expected of text, by the kind of weights, read at once and one by one."""
    text = '\n\n'.join(' '.join(paragraph) for paragraph in built_in_filler('table'))
    whole = torch.tensor(model.ids(text)[: windows * WINDOW_TOKENS])
    ids = whole.view(windows, WINDOW_TOKENS)
    expected = _scores(model, model.layers, ids, at_once=WINDOW_TOKENS)
    found = {FLOAT: Words.of(expected, expected, ids)._asdict()}
    for number, (weights, bits) in enumerate(BITS.items()):
        if bits is None:
            continue
        lowered = deepcopy(model.hf.model)
        lower(lowered.layers, bits)
        layers = LanguageLayers(lowered)
        for name, at_once in ((weights, WINDOW_TOKENS), (f'{weights}, one by one', 1)):
            scores = _scores(model, layers, ids, at_once=at_once)
            found[name] = Words.of(scores, expected, ids)._asdict()
        progress(number / (len(BITS) - 1))
    return found


def _scores(model: LanguageModel, layers: LanguageLayers, ids: Tensor, *, at_once: int) -> Tensor:
    """Return scores of next tokens, [windows, tokens, vocabulary]."""
    found = []
    for window in ids:
        view = _empty(model.shape).question(extra_tokens=len(window))
        parts = model.hf.model.embed_tokens(window).split(at_once)
        states = [layers.read_states(part, view, last=len(part)) for part in parts]
        found.append(model.hf.lm_head(torch.cat(states)))
    return torch.stack(found)
