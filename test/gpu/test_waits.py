# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
No layer waits for a GPU, unless it chooses pages for itself: counted over a stand-in for one.

What the stand-in cannot see is listed in `conftest.py`. Where there is a GPU, `make gpu-check`
counts again, with torch's own debug mode.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2Model

from livevlm_ros.engine import Engine, EngineConfig, Frame, Question, Status
from livevlm_ros.memory import (
    PRESETS,
    CacheShape,
    FrameRef,
    Memory,
    MemoryConfig,
    ReadFilter,
    RetrievalSettings,
)
from livevlm_ros.model import ModelConfig
from livevlm_ros.model.language import LanguageLayers

CAMERAS = ('left', 'right')
FRAMES = 18
LAYERS = (3, 6)
EMBEDDED_LAYERS, EMBEDDED_FRAME = 6, 9  # of the model that an engine loads; tokens
PREFIX, FRAME, QUESTION = 3, 4, 5  # tokens
ONE_CAMERA = ReadFilter(cameras=frozenset(('left',)))

SMALL: dict[str, dict[str, Any]] = {  # tiers that overflow soon
    'recent': {'short_term_frames': 4},
    'full': {'full_max_tokens': 80},
    'rekv': {'short_term_frames': 4, 'retrieval_frames': 3},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 8, 'retrieval_frames': 3},
    'balanced': {'short_term_frames': 4, 'long_term_frames': 8, 'retrieval_frames': 3},
}

BUCKETING = 'StepView.commit: download'  # of scores: what stays is decided beside the ids
PAGES = 'best_pages: download'  # their numbers: the addresses of records are on the host
SKETCH = 'KeySketch.frame_scores: download'  # of its centroids: every key's code is on the host
MOVED = 'Recall.moved: download'  # of cosines: do the pages chosen ahead suffice?
EVIDENCE = 'frame_shares: download'  # of attention: the reply names frames
SPOKEN = 'VideoLanguageModel.answer_tokens: download'  # is it the last token, how likely is it?
WORDS = 'VideoLanguageModel._embed: upload'  # of the question, before there is work
PIXELS = 'VideoLanguageModel.encode_frames: upload'  # of the step, before there is work
STEP_ENDS = 'see_frames: synchronize'  # or the next answer would be charged with the step
STRANGE = 'see_frames: download'  # are the frames like those that the checkpoint knows?
STATIC = '_distances: download'  # of a step: how many tokens are to be read?


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small are not worth the threads that torch would wake for each operation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Told(NamedTuple):
    """
    What layers made of a question, what they read, and where they waited.

    :param waits: in steps, the question, the question asked again, a token, and the evidence
    """

    states: Tensor
    tokens_read: list[int]
    frames: list[FrameRef]
    disk_bytes: int
    waits: dict[str, Counter[str]]


@torch.inference_mode()
def tell(
    layers: int,
    device: torch.device | str = 'cpu',
    *,
    taken: Callable[[], Counter[str]] = Counter,
    reading: ReadFilter | None = None,
    heads: Sequence[int] = (),
    **settings: Any,
) -> Told:
    """
    See frames of two cameras and ask about them, with random language layers.

    :param taken: gives the waits since it was last called
    :param heads: that choose pages, in all layers but the first; none: those chosen by default
    """
    model, words = _model(layers, device)
    shape = CacheShape(layers, 6, 2, 8, FRAME, rope_theta=10000.0, max_positions=2048)
    choosing = {layer: tuple(heads) for layer in range(1, layers)} if heads else {}
    config, retrieval = MemoryConfig(**settings), RetrievalSettings(2, choosing)
    waits: dict[str, Counter[str]] = {}
    with closing(Memory(config, shape, CAMERAS, device, retrieval=retrieval)) as memory:
        with memory.write_prefix() as prefix:
            model.read(words[:PREFIX], prefix)
        frames = words[PREFIX:-QUESTION].split(FRAME)
        taken()
        for number, frame in enumerate(frames):
            step = memory.step([FrameRef(CAMERAS[number % 2], number)])
            model.read(frame, step)
            step.commit()
            memory.settle()
        waits['steps'] = taken()
        for asked in ('question', 'again'):
            views = memory.readings(
                tokens=QUESTION, extra_tokens=QUESTION + 1, reading=reading, key='key'
            )
            for view in views:
                states = model.read_states(words[-QUESTION:], view, last=QUESTION)
            waits[asked] = taken()
            memory.settle()
        model.read(words[:1], view)
        waits['token'] = taken()
        evidence = view.evidence()
        waits['evidence'] = taken()
        frames_seen = [ref for ref, _ in evidence]
        disk_bytes = memory.sizes().disk_bytes
        return Told(states.cpu(), view.tokens_read, frames_seen, disk_bytes, waits)


def _model(layers: int, device: torch.device | str) -> tuple[LanguageLayers, Tensor]:
    """Return random layers, and embeddings of prefix, frames and question."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=32,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=2,
        initializer_range=0.15,
    )
    words = torch.randn(PREFIX + FRAMES * FRAME + QUESTION, 48)
    return LanguageLayers(Qwen2Model(config).eval().to(device)), words.to(device)


def _chosen(preset: str, layers: int) -> Counter[str]:
    """Return the waits of a choice of pages: one, unless layers choose for themselves."""
    return Counter({'recent': 0, 'full': 0, 'rekv': layers}.get(preset, 1) * [PAGES])


@pytest.mark.parametrize('reading', [None, ONE_CAMERA], ids=['all', 'one camera'])
@pytest.mark.parametrize('preset', PRESETS)
def test_what_waits_is_the_same_for_any_number_of_layers(
    gpu, preset: str, reading: ReadFilter | None
) -> None:
    """Of `rekv` each layer chooses for itself, as its paper has it, and waits once for that."""
    asked: dict[str, Any] = {'preset': preset, 'reading': reading, **SMALL[preset]}
    buckets, bucketings = preset in ('livevlm', 'balanced'), set()
    for layers in LAYERS:
        with gpu:
            told = tell(layers, gpu.device, taken=gpu.taken, **asked)
        chosen = _chosen(preset, layers)
        again = Counter([MOVED]) if preset == 'balanced' else chosen
        waits = {'question': chosen, 'again': again, 'token': Counter()}
        steps = told.waits.pop('steps')
        assert told.waits == {**waits, 'evidence': Counter([EVIDENCE])}
        assert steps.keys() == ({BUCKETING} if buckets else set())
        bucketings.add(steps[BUCKETING])
        _as_on_the_host(told, tell(layers, **asked))
    assert len(bucketings) == 1


def _as_on_the_host(told: Told, expected: Told) -> None:
    assert told.tokens_read == expected.tokens_read
    assert told.frames == expected.frames
    torch.testing.assert_close(told.states, expected.states, rtol=0, atol=1e-5)


@pytest.mark.parametrize('gpu', [True, False], indirect=True, ids=['Triton', 'no Triton'])
@pytest.mark.parametrize('where', ['heads', 'disk', 'sketch'])
def test_heads_disk_and_sketch_wait_in_no_layer(
    gpu, monkeypatch, tmp_path: Path, where: str
) -> None:
    asked: dict[str, Any] = {'preset': 'balanced', **SMALL['balanced']}
    if where == 'heads':
        asked |= {'heads': (0, 4)}
    elif where == 'disk':
        asked |= {'archive_disk_bytes': 2**20, 'path': str(tmp_path)}
    else:
        monkeypatch.setattr('livevlm_ros.memory.archive.sketch.FIRST_FIT', 1)
        for room in ('archive.sketch', 'retrieval'):
            monkeypatch.setattr(f'livevlm_ros.memory.{room}.RANKED_FRAMES', 6)
    for layers in LAYERS:
        asked['archive_host_bytes'] = 2600 * layers + 5000 if where == 'disk' else 2**20
        with gpu:
            told = tell(layers, gpu.device, taken=gpu.taken, **asked)
        assert bool(told.disk_bytes) == (where == 'disk')
        assert told.waits['question'] == Counter([PAGES, *([SKETCH] if where == 'sketch' else [])])
        assert told.waits['again'] == Counter([MOVED])
        assert told.waits['evidence'] == Counter([EVIDENCE])
        _as_on_the_host(told, tell(layers, **asked))


@pytest.mark.parametrize('reading', [None, ONE_CAMERA], ids=['all', 'one camera'])
def test_layers_that_choose_from_long_term_wait_once_each(gpu, reading: ReadFilter | None) -> None:
    asked: dict[str, Any] = {'preset': 'livevlm', 'retrieval': 'means', **SMALL['livevlm']}
    with gpu:
        told = tell(3, gpu.device, taken=gpu.taken, reading=reading, **asked)
    assert told.waits['question'] == told.waits['again'] == Counter(3 * [PAGES])
    _as_on_the_host(told, tell(3, reading=reading, **asked))


def _token_by_token(out: Tensor) -> Tensor:
    return out.transpose(1, 2).contiguous().transpose(1, 2)


def _spread(out: Tensor) -> Tensor:
    return torch.stack((out, torch.full_like(out, torch.nan)), dim=-1)[..., 0]


def _reversed(out: Tensor) -> Tensor:
    return out.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)


@pytest.mark.parametrize('laid_out', [_token_by_token, _spread, _reversed])
@pytest.mark.parametrize('preset', ['full', 'balanced'])
def test_layers_take_what_attention_on_a_gpu_leaves_in_any_layout(
    gpu, preset: str, laid_out: Callable[[Tensor], Tensor]
) -> None:
    """[1, q_heads, tokens, head_dim], which a GPU's kernels leave in orders of their own."""
    gpu.laid_out = laid_out
    with gpu:
        told = tell(3, gpu.device, preset=preset, **SMALL[preset])
    _as_on_the_host(told, tell(3, preset=preset, **SMALL[preset]))


class Said(NamedTuple):
    """What an engine said, with the frames it looked at, and where it waited."""

    text: str
    frames: list[str]
    waits: Counter[str]


def say(
    preset: str, device: str = 'cpu', *, taken: Callable[[], Counter[str]] = Counter
) -> tuple[list[Counter[str]], list[Said]]:
    """Show noise to an engine and ask it; return the waits of its steps, and what it said."""
    engine, draw = _engine(preset, device), np.random.default_rng(0)
    steps, said = [], []
    engine.load()
    taken()
    for number in range(1, FRAMES):
        pixels = draw.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        engine.see(Frame('camera', number * 10**9, pixels))
        assert engine.turn()
        steps.append(taken())
    for text in ('what color was the truck ?', 'what color was the truck ?', 'is there a bus ?'):
        answer = engine.ask_now(Question(text, max_tokens=4, max_evidence=9))
        assert answer.status == Status.OK, answer.message
        said.append(Said(answer.text, [seen.frame_key for seen in answer.evidence], taken()))
    engine.cleanup()
    return steps, said


def _engine(preset: str, device: str, **settings: Any) -> Engine:
    config = EngineConfig(
        model=ModelConfig(device=device, dtype='float32'),
        memory=MemoryConfig(preset, **SMALL[preset]),
        threads=1,
        min_confidence=0.0,  # noise is nothing that the model knows
        **settings,
    )
    return Engine(config)


@pytest.mark.parametrize('preset', PRESETS)
def test_a_whole_engine_answers_from_a_gpu_and_waits_where_it_must(gpu, preset: str) -> None:
    with gpu:
        steps, said = say(preset, str(gpu.device), taken=gpu.taken)
    for waits in steps:
        assert waits - Counter([BUCKETING]) == Counter([PIXELS, STEP_ENDS, STRANGE])
    expected = say(preset)[1]
    for number, (mine, theirs) in enumerate(zip(said, expected, strict=True)):
        assert (mine.text, mine.frames) == (theirs.text, theirs.frames)
        again = preset == 'balanced' and number == 1
        chosen = Counter([MOVED]) if again else _chosen(preset, EMBEDDED_LAYERS)
        spoken = mine.waits.pop(SPOKEN)
        assert spoken == len(mine.text.split()) + 1
        assert mine.waits == chosen + Counter([WORDS, EVIDENCE])


def read_what_is_new(
    device: str = 'cpu', *, taken: Callable[[], Counter[str]] = Counter
) -> tuple[list[Counter[str]], list[int]]:
    """
    Show an engine two cameras that stand still, and in the one a thing that comes now and then.

    :returns: the waits of its steps, and how many tokens each of them read
    """
    engine = _engine('recent', device, cameras=CAMERAS, skip_static='tokens')
    draw, steps, read = np.random.default_rng(0), [], [0]
    scenes = [draw.integers(0, 256, (96, 96, 3), dtype=np.uint8) for _ in CAMERAS]
    engine.load()
    taken()
    for number in range(1, FRAMES):
        if number % 3 == 0:
            scenes[0] = scenes[0].copy()
            scenes[0][:16, :16] = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        for camera, pixels in zip(CAMERAS, scenes, strict=True):
            engine.see(Frame(camera, number * 10**9, pixels))
        assert engine.turn()
        steps.append(taken())
        read.append(engine.stats().tokens.read)
    engine.cleanup()
    return steps, np.diff(read).tolist()


def test_to_know_what_is_new_a_step_waits_once_for_all_cameras(gpu) -> None:
    with gpu:
        steps, read = read_what_is_new(str(gpu.device), taken=gpu.taken)
    assert 0 in read and any(0 < tokens < EMBEDDED_FRAME for tokens in read)
    assert read == read_what_is_new()[1]
    written = Counter([STEP_ENDS, STRANGE])
    assert steps[0] == Counter([PIXELS]) + written
    for waits, tokens in zip(steps[1:], read[1:], strict=True):
        assert waits == Counter([PIXELS, STATIC]) + (written if tokens else Counter())
