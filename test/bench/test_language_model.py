# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import torch

from livevlm_bench.language_model import LanguageModel


def test_prefix_stream_and_question_are_the_chat_cut_in_three(text_model: LanguageModel) -> None:
    assert text_model.text(text_model.prefix_ids) == '<|im_start|>user\nRead these notes.\n\n'
    assert text_model.text(text_model.question_ids('Who {it} is?')) == (
        '\n\nQuestion: Who {it} is?<|im_end|>\n<|im_start|>assistant\n'
    )


def test_places_are_the_tokens_that_hold_a_part(text_model: LanguageModel) -> None:
    text = 'The code of the gate is 4817.'
    ids, places = text_model.tokens(text, begin=24, end=28)
    assert text_model.text(ids) == text
    assert text_model.text([ids[place] for place in places]).strip() == '4817'


def test_a_blank_token_is_nothing_but_space(text_model: LanguageModel) -> None:
    assert text_model.is_blank(text_model.ids(' ')[0])
    assert not text_model.is_blank(text_model.ids('a')[0])


def test_log_shares_are_those_of_the_head(text_model: LanguageModel) -> None:
    states = torch.randn(3, text_model.hf.config.hidden_size)
    shares = text_model.log_shares(states)
    assert torch.allclose(shares.exp().sum(dim=-1), torch.ones(3))
    assert torch.equal(shares.argmax(dim=-1), text_model.hf.lm_head(states).argmax(dim=-1))
