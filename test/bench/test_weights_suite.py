# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers import Qwen2Config

from livevlm_bench.language_model import LanguageModel
from livevlm_bench.shapes import Shape
from livevlm_bench.weights_suite import BITS, WORK, Words, lower, measure
from livevlm_bench.weights_table import print_weights
from livevlm_ros.model.low_bits import LowBitsLinear
from livevlm_ros.replay.table import report_console

WIDTHS = {
    'hidden_size': 128,
    'intermediate_size': 192,
    'num_attention_heads': 8,
    'num_key_value_heads': 4,
}
CONFIG = Qwen2Config(
    **WIDTHS,
    vocab_size=64,
    num_hidden_layers=2,
    rope_parameters={'rope_type': 'default', 'rope_theta': 1e6},
)


def test_every_kind_of_weights_is_timed_and_reads_text(
    text_parts: Callable, capsys: pytest.CaptureFixture
) -> None:
    model = LanguageModel(*text_parts(**WIDTHS), name='wide')
    shape = Shape('small', CONFIG, 4, (0, 1))
    found = measure(lambda: model, rounds=2, shape=shape, windows=1)
    assert found['times'].keys() == BITS.keys()
    assert all(by_work.keys() == WORK.keys() for by_work in found['times'].values())
    assert found['times']['float32']['token']['times_as_fast']['p50'] == 1.0
    words = found['words']
    assert words['float32']['apart'] == 0 and words['float32']['equal'] == 1
    for way in ('', ', one by one'):
        assert 0 < words[f'int8{way}']['apart'] < words[f'int4{way}']['apart'] < 1
    assert words['int4']['divergence'] > words['int8']['divergence'] >= 0
    assert json.loads(json.dumps(found)) == found
    print_weights(found, report_console())
    out = capsys.readouterr().out
    assert 'same next token' in out and 'int4, one by one' in out


def test_words_that_nobody_expects_are_perplexing() -> None:
    ids = torch.zeros(1, 3, dtype=torch.long)
    even = torch.zeros(1, 3, 8)
    assert Words.of(even, even, ids).perplexity == pytest.approx(8)
    sure = even.clone()
    sure[..., 0] = 3
    told = Words.of(even, sure, ids)
    assert told.divergence > 0.5
    assert Words.of(sure, sure, ids).perplexity < 2


def test_all_linear_layers_are_lowered_and_nothing_else() -> None:
    parts = {'norm': nn.LayerNorm(64), 'v_proj': nn.Linear(64, 64), 'up_proj': nn.Linear(64, 128)}
    layer = nn.ModuleDict({'inner': nn.ModuleDict(parts)})
    lower(layer, 4)
    lowered = layer['inner']['up_proj']
    assert isinstance(lowered, LowBitsLinear) and isinstance(layer['inner']['norm'], nn.LayerNorm)
    assert lowered.bias is parts['up_proj'].bias and lowered.numbers == 64 * 128
    assert layer['inner']['v_proj'].give_up().codes.dtype == torch.int8
    assert lowered.give_up().codes.shape == (128, 32)
    assert not list(lowered.parameters(recurse=False))[1:]  # but for the bias
