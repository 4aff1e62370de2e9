# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""SmolVLM2 read as a stream says what transformers says of the whole video at once."""

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    LlamaConfig,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.smolvlm import processing_smolvlm as theirs
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig

from livevlm_ros.model import BadQuestion, CheckpointError, ModelConfig, load_model
from livevlm_ros.model.families import open_family

QUESTION = 'what color was the car'
TOLERANCE = 1e-4
MARKERS = ['<|im_start|>', '<image>', '<fake_token_around_image>', '<global-img>']
# As the hub's checkpoints have it: with no place for a video.
IMAGE_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}: "
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
VISION = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'num_hidden_layers': 3,
    'num_attention_heads': 4,
    'image_size': 32,
    'patch_size': 4,
}
TEXT = {
    'hidden_size': 48,
    'intermediate_size': 80,
    'num_hidden_layers': 3,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
    'max_position_embeddings': 4096,
    'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e5},
    'initializer_range': 0.15,
    'vocab_size': 320,
}
WIDE = {
    'hidden_size': 128,
    'intermediate_size': 192,
    'num_attention_heads': 8,
    'num_key_value_heads': 4,
}


def _tokenizer(folder: Path, *, digits: bool = True) -> PreTrainedTokenizerFast:
    """Save a byte-level BPE that splits as SmolLM2's, with the markers of SmolVLM."""
    pieces = Tokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [*split, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    spoken = ['User Assistant Frame from 00 00 00', '\n\n video.\n\n', QUESTION]
    pieces.train_from_iterator(spoken, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        eos_token='<end_of_utterance>',
        pad_token='<|im_end|>',
        additional_special_tokens=MARKERS,
    )
    tokenizer.chat_template = IMAGE_TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def _save(
    folder: Path, vision: dict, text: dict, *, scale: int, dtype: torch.dtype = torch.float32
) -> Path:
    tokenizer = _tokenizer(folder)
    torch.manual_seed(4)
    network = SmolVLMForConditionalGeneration(
        SmolVLMConfig(
            vision_config=SmolVLMVisionConfig(**vision),
            text_config=LlamaConfig(**text, eos_token_id=tokenizer.eos_token_id, pad_token_id=0),
            scale_factor=scale,
            image_token_id=tokenizer.convert_tokens_to_ids('<image>'),
        )
    )
    for name, parameter in network.named_parameters():  # biases and norms are far from trivial
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=float('norm' in name), std=0.2)
    network.to(dtype).save_pretrained(folder)
    side = vision['image_size']
    settings = {
        'do_resize': True,
        'do_image_splitting': True,
        'size': {'longest_edge': 4 * side},
        'max_image_size': {'longest_edge': side},
        'video_sampling': {'fps': 1, 'max_frames': 64, 'video_size': {'longest_edge': side}},
        'resample': 1,
        'do_rescale': True,
        'rescale_factor': 1 / 255,
        'do_normalize': True,
        'image_mean': [0.5, 0.5, 0.5],
        'image_std': [0.5, 0.5, 0.5],
    }
    (folder / 'preprocessor_config.json').write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp('smolvlm'), VISION, TEXT, scale=2)


class Reference:
    """transformers' own model over a whole video, put together as its processor does."""

    def __init__(self, folder: Path) -> None:
        self.hf = SmolVLMForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.hf.eval()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    def inputs(self, images: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Ids of the chat about a video of a frame a second, and pixels of the tower's size."""
        video = 'You are provided the following series of frames from a video.\n'
        for second in range(len(images)):
            video += theirs.FRAME_TIMESTAMP_MESSAGE.format(timestamp=f'00:{second:02d}')
            video += theirs._prompt_single_image(
                self.hf.model.image_seq_len,
                image_token='<image>',
                fake_token_around_image='<fake_token_around_image>',
                global_image_token='<global-img>',
            )
        video += theirs.DEFAULT_MEDIA_OUTTRO
        content = [{'type': 'video'}, {'type': 'text', 'text': QUESTION}]
        rendered = self.tokenizer.apply_chat_template(
            [{'role': 'user', 'content': content}],
            chat_template=theirs.DEFAULT_CHAT_TEMPLATE,
            add_generation_prompt=True,
            tokenize=False,
        )
        whole = rendered.replace('<video>', video)
        ids = self.tokenizer(whole, add_special_tokens=False, return_tensors='pt').input_ids
        pixels = (np.stack(images) / 255 - 0.5) / 0.5
        return {
            'input_ids': ids,
            'pixel_values': torch.from_numpy(pixels).permute(0, 3, 1, 2).float()[None],
        }

    @torch.inference_mode()
    def logits(self, images: Sequence[np.ndarray]) -> Tensor:
        """Scores of the first answer token, [vocabulary]."""
        logits: Tensor = self.hf(**self.inputs(images)).logits[0, -1]
        return logits


@pytest.mark.parametrize('preset', ['full', 'recent'])
@pytest.mark.parametrize('steps', [[1] * 8, [3, 1, 4], [8]])
def test_logits_equal_transformers_own(
    checkpoint: Path,
    preset: str,
    steps: list[int],
    images: Callable,
    watch: Callable,
    ask: Callable,
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint))), images(8, height=32, width=32)
    logits, _ = ask(model, watch(model, frames, steps, preset=preset), QUESTION)
    expected = Reference(checkpoint).logits(frames)
    assert expected.std() > 0.1  # the checkpoint says something
    assert (logits - expected).abs().max() < TOLERANCE


def test_greedy_answers_equal_generate(
    checkpoint: Path, images: Callable, watch: Callable
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint))), images(8, height=32, width=32)
    memory = watch(model, frames, [1] * 8, preset='full')
    prompt = model.question(QUESTION)
    view = memory.question(extra_tokens=prompt.tokens + 16)
    tokens = model.answer_tokens(model.read(prompt.embeds, view), view, temperature=0.0)
    ours = [token.id for token in islice(tokens, 16)]
    reference = Reference(checkpoint)
    inputs = reference.inputs(frames)
    whole = reference.hf.generate(**inputs, do_sample=False, max_new_tokens=16)[0]
    assert ours == whole[inputs['input_ids'].shape[1] :].tolist()
    assert len(set(ours)) > 1


@torch.inference_mode()
def test_features_are_those_of_get_image_features(checkpoint: Path) -> None:
    family, network = open_family(checkpoint), Reference(checkpoint).hf
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = network.model.get_image_features(pixels[None]).pooler_output[0]
    assert torch.equal(family.features(network, pixels).flatten(0, 1), whole)


def test_text_and_image_are_one_frame_of_the_memory(checkpoint: Path, images: Callable) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    before = len(model._family.frame_text(0.0).before)
    assert model.shape.tokens_per_frame == before + 16 + 1
    assert model.shape.text_tokens == before + 1
    assert model.image == slice(before, before + 16)
    frames = model.encode_frames(images(2), [5.0, 65.9])
    assert frames.shape == (2, model.shape.tokens_per_frame, 48)
    said = [model._family.tokenizer.decode(model._family.frame_text(s).before) for s in (5, 65.9)]
    ends = ':<fake_token_around_image><global-img>'
    assert said == [f'\nFrame from 00:05{ends}', f'\nFrame from 01:05{ends}']


@pytest.mark.parametrize('preset', ['livevlm', 'balanced', 'rekv'])
def test_a_question_that_looks_back_reads_whole_frames(
    checkpoint: Path, images: Callable, watch: Callable, preset: str
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint))), images(24, height=32, width=32)
    long = {} if preset == 'rekv' else {'long_term_frames': 3}
    memory = watch(
        model, frames, [1] * 24, preset=preset, short_term_frames=4, retrieval_frames=3, **long
    )
    memory.settle()
    prompt = model.question(QUESTION)
    for view in memory.readings(tokens=prompt.tokens, extra_tokens=prompt.tokens):
        hidden = model.read(prompt.embeds, view)
    assert torch.isfinite(model.logits(hidden)).all()
    for layer in range(3):
        _, counts = memory.ids.frames(view.ids(layer)).unique(return_counts=True)
        assert counts.tolist() == [model.shape.tokens_per_frame] * 7
    memory.close()


@pytest.mark.parametrize('bits', [8, 4])
def test_fewer_bits_say_what_the_same_weights_say(
    tmp_path: Path, lowered: Callable, images: Callable, bits: int
) -> None:
    folder = _save(tmp_path, VISION, TEXT | WIDE, scale=2)
    same, own = lowered(folder, images(8, height=32, width=32), QUESTION, bits)
    assert same.largest < 0.1 and same.equal > 0.8
    assert own.typical < {8: 0.05, 4: 0.7}[bits]


def test_the_plan_is_what_is_loaded(checkpoint: Path, planned: Callable) -> None:
    planned(checkpoint)


@pytest.mark.parametrize(('hours', 'said'), [(1, '60:00'), (1.5, '90:00'), (2, '20:00')])
def test_a_frame_has_as_many_tokens_after_hours(checkpoint: Path, hours: float, said: str) -> None:
    family = open_family(checkpoint)
    late = family.frame_text(hours * 3600)
    assert said in family.tokenizer.decode(late.before)
    assert len(late.before) == len(family.frame_text(0.0).before)


def test_the_chat_is_the_checkpoints_where_it_has_a_place_for_a_video(
    checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'own'))
    own = IMAGE_TEMPLATE.replace(
        '{% endif %}{% endfor %}<end',
        "{% elif line['type'] == 'video' %}<video>{% endif %}{% endfor %}<end",
    )
    (folder / 'chat_template.jinja').write_text('Be brief. ' + own)
    model = load_model(ModelConfig(str(folder)))
    prefix = model._family.tokenizer.decode(model._chat.prefix_ids)
    assert prefix.startswith('Be brief. <|im_start|>User: You are provided the following series')


def test_a_question_that_holds_the_place_of_the_video_is_refused(checkpoint: Path) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    with pytest.raises(BadQuestion, match="'<video>', a marker of the chat"):
        model.question('what is <video> ?')


@pytest.mark.parametrize(('height', 'width'), [(480, 640), (33, 97), (64, 40)])
def test_pixels_are_those_of_pil_resized_to_the_longest_edge_and_then_squared(
    checkpoint: Path, images: Callable, height: int, width: int
) -> None:
    (image,) = images(1, height=height, width=width)
    edge = 32 / max(height, width)
    first = [int(side * edge) + int(side * edge) % 2 for side in (width, height)]
    resized = Image.fromarray(image)
    for size in (first, (32, 32)):
        resized = resized.resize(size, Image.Resampling.LANCZOS)
    expected = np.asarray(resized) / 255 * 2 - 1
    pixels = open_family(checkpoint).preprocess([image])[0].permute(1, 2, 0)
    assert np.allclose(pixels, expected, atol=1e-6)


def test_a_tokenizer_with_more_tokens_for_some_times_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'merged'))
    _tokenizer(folder, digits=False)
    with pytest.raises(CheckpointError, match='more tokens for some times than for others'):
        open_family(folder)


@pytest.mark.parametrize(
    ('name', 'changes', 'said'),
    [
        ('config', {'scale_factor': 3}, '8 by 8 patches, scale_factor = 3 does not divide'),
        ('config', {'text_config': {'model_type': 'qwen2'}}, "'qwen2', expected 'llama'"),
        ('preprocessor_config', {'max_image_size': None}, 'max_image_size is None'),
        ('preprocessor_config', {'video_sampling': None, 'size': 7}, 'size of a video is 7'),
    ],
)
def test_what_other_files_say_is_refused_in_a_line(
    checkpoint: Path, tmp_path: Path, name: str, changes: dict, said: str
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'bad'))
    settings = json.loads((folder / f'{name}.json').read_text())
    (folder / f'{name}.json').write_text(json.dumps({**settings, **changes}))
    with pytest.raises(CheckpointError, match=said) as refused:
        open_family(folder)
    assert '\n' not in str(refused.value)


@pytest.mark.slow
@pytest.mark.timeout(900)  # a gigabyte is written and read
def test_the_half_billion_configuration_has_parity(
    tmp_path: Path, images: Callable, watch: Callable, ask: Callable
) -> None:
    """Build SmolVLM2-500M-Video-Instruct's configuration at random, with 2 of 12 tower layers."""
    vision = {
        'hidden_size': 768,
        'intermediate_size': 3072,
        'num_hidden_layers': 2,
        'num_attention_heads': 12,
        'image_size': 512,
        'patch_size': 16,
    }
    text = {
        'hidden_size': 960,
        'intermediate_size': 2560,
        'num_hidden_layers': 8,
        'num_attention_heads': 15,
        'num_key_value_heads': 5,
        'vocab_size': 49280,
        'max_position_embeddings': 8192,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e5},
    }
    _save(tmp_path, vision, text, scale=4, dtype=torch.float16)
    frames = images(8, height=512, width=512)
    expected = Reference(tmp_path).logits(frames)
    model = load_model(ModelConfig(str(tmp_path)))
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 64
    logits, view = ask(model, watch(model, frames, [1] * 8, preset='full'), QUESTION)
    assert torch.isfinite(logits).all()
    assert (logits - expected).abs().max() < TOLERANCE
    assert sum(share for _, share in view.evidence()) == pytest.approx(1.0, abs=1e-6)
