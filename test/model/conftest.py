# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small random checkpoints, saved by transformers, and what transformers makes of them."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    AutoTokenizer,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from livevlm_kernels.low_bits import dequantise, quantise
from livevlm_ros.memory import FrameRef, Memory, MemoryConfig, QuestionView
from livevlm_ros.model import ModelConfig, VideoLanguageModel, load_model
from livevlm_ros.model.low_bits import EIGHT_AT_LEAST
from livevlm_ros.model.plan import ModelPlan

WORD_TEMPLATE = (
    '{{ bos_token }}{% for message in messages %}{{ message.role }} :'
    "{% for part in message.content if part.type == 'video' %} <video>{% endfor %}"
    "{% for part in message.content if part.type == 'text' %} {{ part.text }}{% endfor %} "
    '{% endfor %}{% if add_generation_prompt %}assistant :{% endif %}'
)
HUB_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}"
    "{{ '<video>' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ '\n' + part['text'] }}{% endfor %}{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT_ONLY_TEMPLATE = "{% for message in messages %}{{ message['content'] | string }}{% endfor %}"
WORDS = ['user', 'assistant', ':', '?', 'what', 'color', 'was', 'the', 'red', 'blue', 'car', 'dog']
WORDS += ['left', 'right', 'it', 'is', 'yes', 'no']


def _preprocessor(folder: Path, name: str, side: int) -> None:
    settings = {
        'do_rescale': True,
        'do_normalize': True,
        'do_resize': True,
        'image_mean': [0.5, 0.4, 0.3],
        'image_std': [0.5, 0.25, 0.2],
        'resample': 3,
        'rescale_factor': 1 / 255,
        'size': {'height': side, 'width': side},
    }
    (folder / name).write_text(json.dumps(settings))


def _edit_json(file: Path, **entries: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


@pytest.fixture(scope='session')
def edit_json() -> Callable[..., None]:
    return _edit_json


def _network(vision: dict, text: dict, seed: int, **config: object) -> torch.nn.Module:
    torch.manual_seed(seed)
    network = LlavaOnevisionForConditionalGeneration(
        LlavaOnevisionConfig(
            vision_config=SiglipVisionConfig(vision_use_head=False, **vision),
            text_config=Qwen2Config(**text),
            **config,
        )
    ).eval()
    for name, parameter in network.named_parameters():  # biases and norms are far from trivial
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=float('norm' in name), std=0.2)
    return network


@pytest.fixture(scope='session')
def network() -> Callable[..., torch.nn.Module]:
    return _network


TINY_VISION = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'num_hidden_layers': 3,
    'num_attention_heads': 4,
    'image_size': 40,
    'patch_size': 8,
}
TINY_TEXT = {
    'hidden_size': 48,
    'intermediate_size': 80,
    'num_hidden_layers': 3,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
    'max_position_embeddings': 4096,
    'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e6},
    'initializer_range': 0.15,
}


@pytest.fixture(scope='session')
def word_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a word-level tokenizer, files as transformers 5 writes them, untied head."""
    folder = tmp_path_factory.mktemp('word')
    special = ['<pad>', '<unk>', '<bos>', '<eos>', '<image>', '<video>']
    ids = {word: index for index, word in enumerate(special + WORDS)}
    words = Tokenizer(models.WordLevel(ids, unk_token='<unk>'))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token='<pad>',
        unk_token='<unk>',
        bos_token='<bos>',
        eos_token='<eos>',
        additional_special_tokens=['<image>', '<video>'],
    )
    tokenizer.chat_template = WORD_TEMPLATE
    tokenizer.save_pretrained(folder)
    network = _network(
        TINY_VISION,
        {**TINY_TEXT, 'vocab_size': 32, 'eos_token_id': 3, 'tie_word_embeddings': False},
        seed=1,
        image_token_id=4,
        video_token_id=5,
    )
    network.save_pretrained(folder)
    _preprocessor(folder, 'preprocessor_config.json', side=40)
    return folder


def _byte_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Save a byte-level BPE with the markers of Qwen2 and LLaVA-OneVision."""
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    pieces.train_from_iterator(['user assistant what color was the car on the left'], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        eos_token='<|im_end|>',
        pad_token='<|endoftext|>',
        additional_special_tokens=['<|im_start|>', '<image>', '<video>'],
    )
    tokenizer.chat_template = TEXT_ONLY_TEMPLATE
    tokenizer.save_pretrained(folder)
    (folder / 'chat_template.jinja').unlink()
    _edit_json(folder / 'tokenizer_config.json', chat_template=TEXT_ONLY_TEMPLATE)
    (folder / 'chat_template.json').write_text(json.dumps({'chat_template': HUB_TEMPLATE}))
    return tokenizer


@pytest.fixture(scope='session')
def save_hub_form() -> Callable[..., Path]:
    """Save a random checkpoint in the form of the hub's: byte tokenizer, older config, tied."""

    def save(
        folder: Path,
        vision: dict,
        text: dict,
        *,
        dtype: torch.dtype = torch.float32,
        **saving: object,
    ) -> Path:
        tokenizer = _byte_tokenizer(folder)
        image, video = tokenizer.convert_tokens_to_ids(['<image>', '<video>'])
        text = {**text, 'eos_token_id': tokenizer.eos_token_id, 'tie_word_embeddings': True}
        network = _network(vision, text, seed=2, image_token_id=image, video_token_id=video)
        network.to(dtype).save_pretrained(folder, **saving)
        written = json.loads((folder / 'config.json').read_text())
        theta = written['text_config'].pop('rope_parameters')['rope_theta']
        _edit_json(
            folder / 'config.json',
            tie_word_embeddings=False,
            text_config={**written['text_config'], 'rope_theta': theta},
        )
        _preprocessor(folder, 'preprocessor_config.json', side=7)  # for images, not for frames
        _preprocessor(folder, 'video_preprocessor_config.json', side=vision['image_size'])
        return folder

    return save


@pytest.fixture(scope='session')
def hub_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, save_hub_form: Callable[..., Path]
) -> Path:
    folder = tmp_path_factory.mktemp('hub')
    return save_hub_form(folder, TINY_VISION, {**TINY_TEXT, 'vocab_size': 320})


@pytest.fixture(params=['word', 'hub'])
def checkpoint(request: pytest.FixtureRequest) -> Path:
    """Each small checkpoint in turn."""
    folder: Path = request.getfixturevalue(f'{request.param}_checkpoint')
    return folder


@dataclass
class Reference:
    """transformers' own model over a whole video and a question."""

    folder: Path

    def __post_init__(self) -> None:
        self.hf = LlavaOnevisionForConditionalGeneration.from_pretrained(
            self.folder, dtype=torch.float32
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        legacy = self.folder / 'chat_template.json'
        if legacy.is_file():
            self.tokenizer.chat_template = json.loads(legacy.read_text())['chat_template']
        name = 'video_preprocessor_config.json'
        if not (self.folder / name).is_file():
            name = 'preprocessor_config.json'
        self.settings = json.loads((self.folder / name).read_text())

    def inputs(self, images: Sequence[np.ndarray], question: str) -> dict[str, Tensor]:
        """Ids of the rendered chat, one video token a feature, and pixels by plain numpy."""
        content = [{'type': 'video'}, {'type': 'text', 'text': question}]
        rendered = self.tokenizer.apply_chat_template(
            [{'role': 'user', 'content': content}], add_generation_prompt=True, tokenize=False
        )
        ids = self.tokenizer(rendered, add_special_tokens=False).input_ids
        video = self.hf.config.video_token_id
        side = self.hf.config.vision_config.image_size // self.hf.config.vision_config.patch_size
        places = len(images) * ((side + 1) // 2) ** 2 + 1  # and image_newline
        at = ids.index(video)
        mean, std = (np.array(self.settings[key]) for key in ('image_mean', 'image_std'))
        pixels = (np.stack(images) / 255 - mean) / std
        return {
            'input_ids': torch.tensor([ids[:at] + [video] * places + ids[at + 1 :]]),
            'pixel_values_videos': torch.from_numpy(pixels).permute(0, 3, 1, 2).float()[None],
        }

    @torch.inference_mode()
    def logits(self, images: Sequence[np.ndarray], question: str) -> Tensor:
        """Scores of the first answer token, [vocabulary]."""
        logits: Tensor = self.hf(**self.inputs(images, question)).logits[0, -1]
        return logits

    def answer(self, images: Sequence[np.ndarray], question: str, tokens: int) -> list[int]:
        """Greedy answer."""
        inputs = self.inputs(images, question)
        ids = self.hf.generate(**inputs, do_sample=False, max_new_tokens=tokens)
        answer: list[int] = ids[0, inputs['input_ids'].shape[1] :].tolist()
        return answer


@pytest.fixture(scope='session')
def reference() -> type[Reference]:
    return Reference


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[Path], None]:
    """Hold a plan of a folder, with its weights and without, against what is loaded of it."""

    def planned(folder: Path) -> None:
        with_weights = ModelPlan.of(folder)
        bare = Path(
            shutil.copytree(folder, tmp_path / 'bare', ignore=shutil.ignore_patterns('*.saf*'))
        )
        without = ModelPlan.of(bare)
        model = load_model(ModelConfig(str(folder)))
        assert with_weights.shape == without.shape == model.shape
        assert with_weights.numbers == without.numbers == model.parameters
        assert with_weights.stored == without.stored == 'float32'
        assert (with_weights.counted, without.counted) == (True, False)
        of_layers = [
            module
            for name, module in model.hf.named_modules()
            if isinstance(module, torch.nn.Linear) and re.search(r'(language|text)_model', name)
        ]
        numbers = sum(each.numel() for module in of_layers for each in module.parameters())
        assert with_weights.layer_numbers == without.layer_numbers == numbers

    return planned


class Apart(NamedTuple):
    """
    How far the scores of a question and of tokens after it are from those of other weights.

    :param largest: difference, relative to the standard deviation of the scores
    :param typical: difference, the root of its mean square, relative likewise
    :param equal: share of the likeliest next tokens
    """

    largest: float
    typical: float
    equal: float

    @classmethod
    def of(cls, scores: Tensor, others: Tensor) -> 'Apart':
        apart, spread = scores - others, others.std()
        equal = (scores.argmax(-1) == others.argmax(-1)).float().mean()
        return cls(
            float(apart.abs().max() / spread),
            float(apart.square().mean().sqrt() / spread),
            float(equal),
        )


@pytest.fixture
def lowered(watch: Callable[..., Memory]) -> Callable[..., tuple[Apart, Apart]]:
    """Hold a model in few bits against one with the same weights in float32, and with its own."""

    @torch.inference_mode()
    def scores(model: VideoLanguageModel, frames: Sequence[np.ndarray], text: str) -> Tensor:
        memory = watch(model, frames, [2, len(frames) - 2], preset='full')
        prompt = model.question(text)
        view = memory.question(extra_tokens=prompt.tokens + 16)
        hidden = [model.read(prompt.embeds, view)]
        for token in range(16):  # one by one, as they are when an answer is spoken
            hidden.append(model.read(model.embed(torch.tensor([7 * token + 9])), view))
        return torch.stack([model.logits(each) for each in hidden])

    def lowered(
        folder: Path, frames: Sequence[np.ndarray], text: str, bits: int
    ) -> tuple[Apart, Apart]:
        found = scores(load_model(ModelConfig(str(folder), weights=f'int{bits}')), frames, text)
        model = load_model(ModelConfig(str(folder)))
        own = scores(model, frames, text)
        for name, module in model.hf.named_modules():
            if isinstance(module, torch.nn.Linear) and re.search(r'(age|text)_model.layers', name):
                low = quantise(module.weight, 8 if name.endswith(EIGHT_AT_LEAST) else bits)
                module.weight.copy_(dequantise(low, torch.float32))
        return Apart.of(found, scores(model, frames, text)), Apart.of(found, own)

    return lowered


@pytest.fixture
def images() -> Callable[..., list[np.ndarray]]:
    """Random images; those of the tower's own size need no resize."""

    def images(count: int, *, height: int = 40, width: int = 40) -> list[np.ndarray]:
        source = np.random.default_rng(0)
        shape = (height, width, 3)
        return [source.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]

    return images


@pytest.fixture
def watch() -> Callable[..., Memory]:
    """Show images to a model, in steps of the given sizes."""

    def watch(
        model: VideoLanguageModel,
        images: Sequence[np.ndarray],
        steps: Sequence[int],
        **settings: object,
    ) -> Memory:
        memory = Memory(
            MemoryConfig(**settings), model.shape, ('front',), model.device, model.dtype
        )
        with memory.write_prefix() as view:
            model.read(model.prefix(), view)
        seen = 0
        for count in steps:
            step = memory.step([FrameRef('front', stamp) for stamp in range(seen, seen + count)])
            seconds = range(seen, seen + count)
            model.read(model.encode_frames(images[seen : seen + count], seconds), step)
            step.commit()
            seen += count
        assert seen == len(images)
        return memory

    return watch


@pytest.fixture
def ask() -> Callable[..., tuple[Tensor, QuestionView]]:
    """Read a question; returns scores of the first answer token and the view."""

    def ask(
        model: VideoLanguageModel, memory: Memory, question: str
    ) -> tuple[Tensor, QuestionView]:
        prompt = model.question(question)
        view = memory.question(extra_tokens=prompt.tokens)
        return model.logits(model.read(prompt.embeds, view)), view

    return ask
