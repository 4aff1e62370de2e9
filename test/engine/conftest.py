# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model that takes as long as it is told to, over the real memory."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from livevlm_ros.engine import Answer, Engine, EngineConfig, Frame, Latency, Question
from livevlm_ros.memory import CacheShape, Memory, MemoryConfig, View
from livevlm_ros.model import Absence, AnswerToken, Familiarity, ModelConfig, UnknownWords

SHAPE = CacheShape(
    layers=1,
    q_heads=2,
    kv_heads=1,
    head_dim=4,
    tokens_per_frame=2,
    rope_theta=1e4,
    max_positions=8192,
)
HIDDEN = SHAPE.q_heads * SHAPE.head_dim
PREFIX, PROMPT = (
    3,
    5,
)  # tokens; frames have an even number, a decoded token is one: `read` tells them apart
ANSWER = 'a red truck drove by and then a blue bus stopped at the old gate'
WORDS = ANSWER.split()
EXAMPLES = {'color_of': 'what color is the truck ?', 'exists': 'is there a bus ?'}


@dataclass
class FakePrompt:
    embeds: Tensor
    tokens: int = PROMPT


class FakeModel:
    """Answers WORDS, and takes as long for it as `step_s`, `prefill_s` and `token_s` say."""

    model_id, device, dtype, shape = 'fake', torch.device('cpu'), torch.float32, SHAPE
    memory_settings: dict = {}
    familiarity: Familiarity | None = None
    image = slice(0, SHAPE.tokens_per_frame)
    types, parameters, weight_bytes = 'float32', 0, 0

    def __init__(self) -> None:
        self.step_s = self.prefill_s = self.token_s = 0.0
        self.words, self.share = len(WORDS), 0.9
        self.absence: Absence | None = None
        self.nearness = 0.0  # doubt of what is said
        self.encoded: list[int] = []  # the brightness of each frame encoded
        self.questions: list[str] = []
        self.on_token: Callable[[int], None] = lambda index: None
        self.on_encode: Callable[[Sequence[np.ndarray]], None] = lambda images: None

    def encode_frames(
        self, images: Sequence[np.ndarray], seconds: Sequence[float] | None = None
    ) -> Tensor:
        time.sleep(self.step_s)
        self.on_encode(images)
        self.encoded += [int(image[0, 0, 0]) for image in images]
        means = torch.tensor([float(image.mean()) / 255 for image in images])
        return means[:, None, None].expand(-1, SHAPE.tokens_per_frame, HIDDEN)

    def prefix(self) -> Tensor:
        return torch.ones(PREFIX, HIDDEN)

    def question(self, text: str) -> FakePrompt:
        if 'zebra' in text:
            raise UnknownWords(['zebra'], EXAMPLES)
        self.questions.append(text)
        return FakePrompt(torch.full((PROMPT, HIDDEN), 0.5))

    def read(self, embeds: Tensor, view: View) -> Tensor:
        time.sleep({1: self.token_s, PROMPT: self.prefill_s}.get(len(embeds), 0.0))
        q = embeds.view(-1, SHAPE.q_heads, SHAPE.head_dim).transpose(0, 1)
        k = embeds[:, None, : SHAPE.head_dim].transpose(0, 1)
        attended = view.attend(0, q, k, k)
        return embeds[-1] if attended is None else attended[-1]

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden

    def answer_tokens(
        self,
        hidden: Tensor,
        view: View,
        *,
        temperature: float,
        generator: torch.Generator | None,
    ) -> Iterator[AnswerToken]:
        for index in range(self.words):
            self.on_token(index)
            doubt = 0.0 if index else self.nearness
            yield AnswerToken(index % len(WORDS), math.log(self.share), hidden, doubt)
            self.read(hidden[None], view)

    def option(self, text: str) -> list[int]:
        if 'zebra' in text:
            raise UnknownWords(['zebra'], EXAMPLES)
        return list(range(len(text.split())))

    def option_log_shares(
        self, hidden: Tensor, view: View, options: Sequence[Sequence[int]]
    ) -> Iterator[float]:
        for number, ids in enumerate(options):
            self.on_token(number)
            time.sleep(self.token_s * (len(ids) - 1))
            yield -0.5 * len(ids)  # the shorter, the likelier

    def text(self, ids: Sequence[int]) -> str:
        return ' '.join(WORDS[index] for index in ids)


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def make_engine(model: FakeModel) -> Iterator[Callable[..., Engine]]:
    """Build engines over the fake model; they are cleaned up after the test."""
    engines = []

    def make(**settings) -> Engine:
        config = EngineConfig(
            model=ModelConfig(), memory=settings.pop('memory', MemoryConfig()), **settings
        )
        engines.append(Engine(config, load=lambda config: model))
        return engines[-1]

    yield make
    model.step_s = model.prefill_s = model.token_s = 0.0
    for engine in engines:
        engine.cleanup()


def _frame(second: float, *, camera: str = 'camera', grey: int = 100) -> Frame:
    return Frame(camera, round(second * 1e9), np.full((48, 64, 3), grey, np.uint8), 'optical')


def _until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, 'it did not happen in time'
        time.sleep(0.002)


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """Make a grey frame of a camera at a second."""
    return _frame


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something another thread does."""
    return _until


@pytest.fixture
def show() -> Callable[..., None]:
    """Let a running engine see frames, one after the other, a second apart."""
    seconds = itertools.count(1)

    def show(engine: Engine, count: int = 1) -> None:
        for _ in range(count):
            used = engine.stats().frames_used
            engine.see(_frame(next(seconds)))
            _until(lambda used=used: engine.stats().frames_used > used)

    return show


@pytest.fixture
def film() -> Callable[..., AbstractContextManager[None]]:
    """Let an engine see a frame every so many seconds while a block runs."""

    @contextmanager
    def film(engine: Engine, every_s: float) -> Iterator[None]:
        stop = threading.Event()

        def see() -> None:
            number = 0
            while not stop.wait(every_s):
                number += 1
                engine.see(_frame(100 + number * every_s))

        filming = threading.Thread(target=see)
        filming.start()
        try:
            yield
        finally:
            stop.set()
            filming.join()

    return film


@pytest.fixture
def make_saving(make_engine, tmp_path: Path) -> Callable[..., Engine]:
    """Build engines that save what they remember in one folder."""

    def make(**settings) -> Engine:
        memory = {'preset': 'balanced', 'short_term_frames': 4, 'long_term_frames': 8}
        given = {**memory, 'path': str(tmp_path), **settings.pop('memory', {})}
        return make_engine(
            **{'memory': MemoryConfig(**given), 'snapshot': True, 'target_fps': 1000.0, **settings}
        )

    return make


@pytest.fixture
def watch() -> Callable[..., None]:
    """Load an engine and let it see frames that differ, turned by hand."""

    def watch(engine: Engine, seconds: range) -> None:
        engine.load()
        for second in seconds:
            engine.see(_frame(second, grey=second % 250))
            assert engine.turn()

    return watch


@pytest.fixture
def closed(monkeypatch) -> list[Memory]:
    """Note the memories that are closed."""
    closed, close = [], Memory.close
    monkeypatch.setattr(Memory, 'close', lambda memory: closed.append(memory) or close(memory))
    return closed


@pytest.fixture
def running(make_engine, show):
    """Give an engine that runs and has seen a frame."""
    engine = make_engine(target_fps=1000.0)
    engine.load()
    engine.start()
    show(engine)
    return engine


class Two:
    """Engines with two cameras and the embedded model, whose archive lies on disk mostly."""

    ASKED = 'what color was the truck ?'

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.engines: list[Engine] = []

    def make(self, *, preset: str = 'balanced', path: Path | None = None, **settings) -> Engine:
        small = {'short_term_frames': 4, 'long_term_frames': 4, 'retrieval_frames': 6}
        kept = {'archive_host_bytes': 400_000, 'archive_disk_bytes': 2**21}
        folder = str(path or self._folder)
        memory = MemoryConfig(preset, **small, **kept, path=folder)
        config = {'cameras': ('left', 'right'), 'memory': memory, 'target_fps': 1000.0, **settings}
        self.engines.append(Engine(EngineConfig(**config)))
        self.engines[-1].load()
        return self.engines[-1]

    @staticmethod
    def image(camera: str, second: int) -> Frame:
        random = np.random.default_rng((second, camera == 'left'))
        noise = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        pixels = noise.repeat(20, 0).repeat(20, 1)
        return Frame(camera, second * 10**9, pixels, f'{camera}_optical')

    def watch(self, engine: Engine, seconds: range) -> None:
        """Let an engine see a picture of each camera every second, turned by hand."""
        for second in seconds:
            for camera in ('left', 'right'):
                engine.see(self.image(camera, second))
            assert engine.turn()

    def said(self, engine: Engine, **fields) -> Answer:
        """Ask; leave out what differs between two that say the same."""
        answer = engine.ask_now(Question(self.ASKED, max_tokens=4, max_evidence=50, **fields))
        return replace(answer, latency=Latency(), request_id='', confidence=0.0)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    """Give a maker of engines with two cameras, and what they see and are asked."""
    two = Two(tmp_path)
    yield two
    for engine in two.engines:
        engine.cleanup()
