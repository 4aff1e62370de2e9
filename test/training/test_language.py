# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The batched forward pass: the same answers as transformers' own, and it learns."""

import numpy as np
import pytest
import torch

from livevlm_ros.training.checkpoint import build_model, build_tokenizer
from livevlm_ros.training.compose import Composer, start_tokens
from livevlm_ros.training.language import RecallHeads, read_batch


@pytest.fixture
def parts(bank):
    tokenizer = build_tokenizer()
    model = build_model(0)
    generator = torch.Generator().manual_seed(1)
    features = 0.5 * torch.randn(len(bank.images), 4, 9, 256, generator=generator)
    batch = Composer(bank, np.arange(len(bank.images)), tokenizer).batch(
        np.random.default_rng(2), 5
    )
    return model, RecallHeads(256), batch, features, start_tokens(tokenizer)


@torch.no_grad()
def test_the_answers_are_those_of_transformers(parts):
    model, heads, batch, features, start = parts
    reading = read_batch(model, heads, batch, features, start)
    embed = model.model.language_model.embed_tokens
    for question in range(batch.words.shape[1]):
        visible, last = int(batch.visible[0, question]), int(batch.last[0, question])
        frames = features[batch.frames[0, :, 0], batch.frames[0, :, 1]].flatten(0, 1)
        asked = embed(batch.words[0, question, :last])
        newline = model.model.image_newline[None]
        states = model.model.language_model(
            inputs_embeds=torch.cat([embed(start), frames[: visible - 3], newline, asked])[None],
            position_ids=torch.cat(
                [batch.positions[0, :visible], batch.word_positions[0, question, : last + 1]]
            )[None],
        ).last_hidden_state[0, -1]
        logits = model.lm_head(states)
        assert torch.allclose(reading.logits[0, question], logits, atol=1e-4)


def test_what_is_not_yet_seen_does_not_change_an_answer(parts):
    model, heads, batch, features, start = parts
    with torch.no_grad():
        before = read_batch(model, heads, batch, features, start).logits
        unseen = (batch.visible == batch.visible.min()).nonzero()[0].tolist()
        first_unseen = (int(batch.visible.min()) - 3) // 9
        assert first_unseen < batch.frames.shape[1]
        batch.frames[unseen[0], first_unseen:] = 0
        after = read_batch(model, heads, batch, features, start).logits
    assert torch.equal(before[tuple(unseen)], after[tuple(unseen)])


@pytest.mark.parametrize('evidence_loss', [True, False])
def test_a_few_steps_lower_the_loss(parts, evidence_loss):
    model, heads, batch, features, start = parts
    optimizer = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=1e-3)
    losses = []
    for _ in range(8):
        reading = read_batch(model, heads, batch, features, start, evidence_loss=evidence_loss)
        optimizer.zero_grad()
        reading.loss.backward()
        optimizer.step()
        losses.append(reading.answer_loss.item())
    assert losses[-1] < 0.8 * losses[0]
