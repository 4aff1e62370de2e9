# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from livevlm_ros.memory import FrameRef
from livevlm_ros.model import ModelConfig, UnknownWords, load_model

QUESTION = 'what color was the car'


def test_the_shape_is_what_config_json_says(word_checkpoint: Path) -> None:
    shape = load_model(ModelConfig(str(word_checkpoint))).shape
    assert (shape.layers, shape.q_heads, shape.kv_heads, shape.head_dim) == (3, 6, 2, 8)
    assert (shape.rope_theta, shape.max_positions) == (1e6, 4096)


def test_weights_are_float32_on_a_cpu_unless_asked_otherwise(word_checkpoint: Path) -> None:
    assert load_model(ModelConfig(str(word_checkpoint))).dtype == torch.float32
    narrow = load_model(ModelConfig(str(word_checkpoint), dtype='bfloat16'))
    assert {parameter.dtype for parameter in narrow.hf.parameters()} == {torch.bfloat16}


def test_bfloat16_answers_nearly_like_float32(
    word_checkpoint: Path, images: Callable, watch: Callable
) -> None:
    scores = []
    for dtype in ('float32', 'bfloat16'):
        model = load_model(ModelConfig(str(word_checkpoint), dtype=dtype))
        memory = watch(model, images(4), [2, 2])
        prompt = model.question(QUESTION)
        view = memory.question(extra_tokens=prompt.tokens)
        scores.append(model.logits(model.read(prompt.embeds, view)).float())
    similarity = torch.cosine_similarity(*scores, dim=0)
    assert similarity > 0.99


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_a_gpu_this_machine_lacks_is_refused_by_name(word_checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="device 'cuda:0': torch .* set device to cpu"):
        load_model(ModelConfig(str(word_checkpoint), device='cuda:0'))


def test_an_answer_ends_before_its_end_marker(
    word_checkpoint: Path, images: Callable, watch: Callable
) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    memory = watch(model, images(2), [2])

    def answer(limit: int) -> list[int]:
        prompt = model.question(QUESTION)
        view = memory.question(extra_tokens=prompt.tokens + limit)
        tokens = model.answer_tokens(model.read(prompt.embeds, view), view, temperature=0.0)
        return [token.id for token in islice(tokens, limit)]

    said = answer(5)
    end = 2 if said[2] not in said[:2] else said.index(said[2])
    model._eos = frozenset([said[2]])
    assert answer(5) == said[:end]


def test_drawn_answers_repeat_with_their_seed(
    word_checkpoint: Path, images: Callable, watch: Callable
) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    memory = watch(model, images(2), [2])

    def answer(seed: int) -> list[int]:
        prompt = model.question(QUESTION)
        view = memory.question(extra_tokens=prompt.tokens + 8)
        source = torch.Generator().manual_seed(seed)
        tokens = model.answer_tokens(
            model.read(prompt.embeds, view), view, temperature=2.0, generator=source
        )
        return [token.id for token in islice(tokens, 8)]

    assert answer(1) == answer(1)
    assert any(answer(1) != answer(seed) for seed in (2, 3, 4))


def test_an_option_is_as_likely_as_if_it_had_been_read_alone(
    word_checkpoint: Path, images: Callable, watch: Callable
) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    memory = watch(model, images(2), [2])
    prompt = model.question(QUESTION)
    options = [model.option(text) for text in ('red car', 'red', 'was the car')]
    view = memory.question(extra_tokens=prompt.tokens + 3)
    shares = list(model.option_log_shares(model.read(prompt.embeds, view), view, options))
    for ids, share in zip(options, shares, strict=True):
        alone = []
        for number, id_ in enumerate(ids):
            said = model._embed(ids[:number])
            fresh = memory.question(extra_tokens=prompt.tokens + number)
            scores = model.logits(model.read(torch.cat((prompt.embeds, said)), fresh))
            alone.append(float(scores.log_softmax(0)[id_]))
        assert share == pytest.approx(sum(alone) / len(alone), abs=1e-5)


def test_doubt_is_read_off_the_first_token_at_the_checkpoints_temperature(
    word_checkpoint: Path, tmp_path: Path, images: Callable, watch: Callable
) -> None:
    folder = Path(shutil.copytree(word_checkpoint, tmp_path / 'sure'))
    settings = 'confidence: {temperature: 2}\nabsence: {red: 0.1, was the: 0.5}\n'
    (folder / 'memory.yaml').write_text(settings)
    doubts = []
    for path in (folder, word_checkpoint):
        model = load_model(ModelConfig(str(path)))
        memory = watch(model, images(2), [2])
        prompt = model.question(QUESTION)
        view = memory.question(extra_tokens=prompt.tokens + 3)
        hidden = model.read(prompt.embeds, view)
        shares = (model.logits(hidden) / 2).softmax(0)
        red, was = (float(shares[model.option(word)[0]]) for word in ('red', 'was'))
        tokens = islice(model.answer_tokens(hidden, view, temperature=0.0), 3)
        doubts.append([token.doubt for token in tokens])
    assert doubts[0] == pytest.approx([max(red / 0.1, was / 0.5), 0.0, 0.0], rel=1e-4)
    assert doubts[1] == [0.0] * 3


def test_an_answer_token_says_how_likely_it_was(
    word_checkpoint: Path, tmp_path: Path, images: Callable, watch: Callable
) -> None:
    folder = Path(shutil.copytree(word_checkpoint, tmp_path / 'soft'))
    (folder / 'memory.yaml').write_text('confidence: {temperature: 2}\n')
    for path, temperature in ((word_checkpoint, 1.0), (folder, 2.0)):
        model = load_model(ModelConfig(str(path)))
        view = watch(model, images(2), [2]).question(extra_tokens=20)
        hidden = model.read(model.question(QUESTION).embeds, view)
        token = next(model.answer_tokens(hidden, view, temperature=0.0))
        shares = (model.logits(hidden) / temperature).log_softmax(0)
        assert token.log_share == pytest.approx(float(shares[token.id]), abs=1e-5)
        assert token.id == int(shares.argmax())


def test_asking_twice_gives_the_same_scores_to_the_bit(
    word_checkpoint: Path, images: Callable, watch: Callable, ask: Callable
) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    memory = watch(model, images(20), [1] * 20)
    first, view = ask(model, memory, QUESTION)
    evidence = view.evidence()
    again, view = ask(model, memory, QUESTION)
    assert torch.equal(first, again)
    assert view.evidence() == evidence


def test_the_question_begins_with_the_newline(word_checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    prompt = model.question(QUESTION)
    assert prompt.tokens == len(prompt.embeds)
    assert torch.equal(prompt.embeds[0], model.hf.model.image_newline)


def test_a_read_of_frames_takes_them_as_encoded(
    word_checkpoint: Path, images: Callable, watch: Callable
) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    memory = watch(model, [], [])
    features = model.encode_frames(images(2))
    refs = [FrameRef('front', 1), FrameRef('front', 2)]
    by_frame = model.read(features, memory.step(refs))
    flat = model.read(features.flatten(0, 1), memory.step(refs))
    assert torch.equal(by_frame, flat)


def test_a_closed_vocabulary_and_settings_lie_beside_the_weights(
    word_checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(word_checkpoint, tmp_path / 'closed'))
    (folder / 'vocabulary.yaml').write_text('closed: true\nexamples: {now: what is it}\n')
    (folder / 'memory.yaml').write_text('evidence: {layers: [2], heads: [0, 1]}\n')
    model = load_model(ModelConfig(str(folder)))
    assert model.memory_settings == {'evidence': {'layers': [2], 'heads': [0, 1]}}
    with pytest.raises(UnknownWords, match='\'giraffe\'.*such as "what is it"'):
        model.question('what color was the giraffe')
    assert load_model(ModelConfig(str(word_checkpoint))).memory_settings == {}


def test_answers_are_text_without_markers(word_checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    ids = model._chat._tokenizer('red car', add_special_tokens=False).input_ids
    assert model.text([*ids, 3]) == 'red car'
    assert model.text([]) == ''


def test_an_image_of_a_wrong_type_is_refused(word_checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(word_checkpoint)))
    with pytest.raises(ValueError, match='uint8'):
        model.encode_frames([np.zeros((4, 4, 3), np.float32)])
