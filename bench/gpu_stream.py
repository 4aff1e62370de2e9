# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The embedded model on a filmed stream, on any device: its answers, and that it stays flat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from livevlm_bench.one_camera import CAMERA, frame
from livevlm_ros.memory import (
    EvidenceHeads,
    Memory,
    MemoryConfig,
    QuestionView,
    RetrievalSettings,
)
from livevlm_ros.model import ModelConfig, VideoLanguageModel, load_model
from livevlm_ros.world import AskedQuestion, World, score

SEED = 29
MOST_TOKENS = 8

LONG_TERM_FRAMES = {'livevlm': 16}
"""Where a preset's own budget would let no bucketing come within a short stream."""

SETTLE_EVERY = 16
"""Frames after which the archive's thread is waited for, so that it loses none."""


class Answered(NamedTuple):
    """An answer, the scores of its first token, and whether its pages were chosen ahead."""

    text: str
    logits: Tensor
    speculated: bool


class Stream:
    """
    A model, a memory and a world that is filmed once a second.

    :param dtype: as `ModelConfig` has it
    """

    def __init__(self, *, preset: str, device: str, dtype: str, frames: int) -> None:
        self.model: VideoLanguageModel = load_model(ModelConfig(dtype=dtype, device=device))
        self.world, self.frames = World(SEED, frames + 1), frames
        config = MemoryConfig(preset, long_term_frames=LONG_TERM_FRAMES.get(preset, -1))
        self.memory = stream_memory(self.model, config)
        self._seen = 0

    def close(self) -> None:
        """End the memory's threads; nothing may follow."""
        self.memory.close()

    def watch(self, frames: int) -> None:
        """Take the next frames in."""
        for _ in range(frames):
            see(self.model, self.memory, self.world.image(float(self._seen)), second=self._seen)
            self._seen += 1
            if not self._seen % SETTLE_EVERY:
                self.memory.settle()
        self.memory.settle()

    def questions(self, count: int) -> list[AskedQuestion]:
        """Return questions that may be asked when all frames have been seen."""
        last = self.frames - 1.0
        return self.world.questions(count=count, at=(last, last))

    def ask(self, text: str, *, standing: bool = False) -> Answered:
        """
        Answer a question.

        :param standing: whether it comes back: then its pages are chosen ahead
        """
        return answer(self.model, self.memory, text, key=text if standing else None)


def stream_memory(model: VideoLanguageModel, config: MemoryConfig) -> Memory:
    """Build a memory on the model's device that holds its prefix and no frame."""
    retrieval = RetrievalSettings.from_settings(model.memory_settings, model.shape)
    evidence = EvidenceHeads.from_settings(model.memory_settings, model.shape, retrieval.heads)
    memory = Memory(config, model.shape, (CAMERA,), model.device, model.dtype, evidence, retrieval)
    with torch.inference_mode(), memory.write_prefix() as view:
        model.read(model.prefix(), view)
    return memory


def see(model: VideoLanguageModel, memory: Memory, image: Any, *, second: int) -> None:
    """Take one image in, uint8 [height, width, 3]."""
    with torch.inference_mode():
        view = memory.step([frame(second)])
        model.read(model.encode_frames([image]), view)
        view.commit()


@torch.inference_mode()
def answer(
    model: VideoLanguageModel, memory: Memory, text: str, *, key: str | None = None
) -> Answered:
    """Read a question over all views that it asks for, decode greedily, look at its evidence."""
    prompt = model.question(text)
    speculated, view = False, None
    for view in memory.readings(
        tokens=prompt.tokens, extra_tokens=prompt.tokens + MOST_TOKENS, key=key
    ):
        hidden = model.read(prompt.embeds, view)
        speculated |= view.speculated
    assert isinstance(view, QuestionView)
    logits = model.logits(hidden).float().cpu()
    tokens = model.answer_tokens(hidden, view, temperature=0.0)
    ids = [token.id for _, token in zip(range(MOST_TOKENS), tokens, strict=False)]
    view.evidence()
    view.frames()
    return Answered(model.text(ids).strip(), logits, speculated)


def smoke(*, device: str, frames: int, questions: int) -> dict[str, Any]:
    """Answer questions under `balanced`, each twice, the second time with pages chosen ahead."""
    with closing(Stream(preset='balanced', device=device, dtype='auto', frames=frames)) as stream:
        began = time.perf_counter()
        stream.watch(frames)
        watched_s = time.perf_counter() - began
        rows = []
        for asked in stream.questions(questions):
            first = stream.ask(asked.question, standing=True)
            again = stream.ask(asked.question, standing=True)
            rows.append(
                {
                    'question': asked.question,
                    'answer': first.text,
                    'expected': list(asked.answer),
                    'right': score(first.text, asked.answer),
                    'again': again.text,
                    'again_speculated': again.speculated,
                }
            )
        sizes = stream.memory.sizes()
    return {
        'frames': frames,
        'watched_s': watched_s,
        'dtype': str(stream.model.dtype).removeprefix('torch.'),
        'questions': questions,
        'right': sum(row['right'] for row in rows),
        'speculated': sum(row['again_speculated'] for row in rows),
        'same_again': sum(row['again'] == row['answer'] for row in rows),
        'recall_failed': sizes.recall.failed,
        'archive_lost': sizes.archive_lost,
        'answers': rows,
    }


def parity(*, device: str, preset: str, frames: int, questions: int) -> dict[str, Any]:
    """Compare answers of a device with those of the CPU in float32, question by question."""
    with _precise():
        asked, expected = _answers(preset, 'cpu', 'float32', frames, questions)
        found: dict[str, Any] = {'frames': frames, 'questions': questions, 'asked': asked}
        found['expected'] = [each.text for each in expected]
        for dtype in ('float32', 'bfloat16'):
            _, given = _answers(preset, device, dtype, frames, questions)
            pairs = list(zip(expected, given, strict=True))
            found[dtype] = {
                'equal': sum(cpu.text == there.text for cpu, there in pairs),
                'largest_logit_difference': max(
                    float((cpu.logits - there.logits).abs().max()) for cpu, there in pairs
                ),
                'answers': [each.text for each in given],
            }
    return found


def _answers(
    preset: str, device: str, dtype: str, frames: int, questions: int
) -> tuple[list[str], list[Answered]]:
    with closing(Stream(preset=preset, device=device, dtype=dtype, frames=frames)) as stream:
        stream.watch(frames)
        texts = [asked.question for asked in stream.questions(questions)]
        return texts, [stream.ask(text) for text in texts]


@contextmanager
def _precise() -> Iterator[None]:
    """Keep a GPU from multiplying float32 in fewer digits."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('highest')
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def flat(
    *, device: str, steps: int, early: int, in_time: Callable[[], bool] = lambda: True
) -> dict[str, Any]:
    """
    Take frames in as fast as they can be, and compare the device's bytes early and late.

    :param early: steps after which they are counted first
    :param in_time: whether there is time for more steps
    """
    with closing(Stream(preset='balanced', device=device, dtype='auto', frames=64)) as stream:
        images = [stream.world.image(float(second)) for second in range(64)]
        took, counted = 0, {}
        began = time.perf_counter()
        for number in range(steps):
            see(stream.model, stream.memory, images[number % len(images)], second=number)
            took = number + 1
            if took == early:
                stream.memory.settle()
                counted['early'] = _allocated(device)
            if not took % early and not in_time():
                break
        stream.memory.settle()
        took_s = time.perf_counter() - began
        counted['late'] = _allocated(device)
        sizes = stream.memory.sizes()
    return {
        'steps': took,
        'early_steps': early,
        'frames_per_s': took / took_s,
        'allocated_early_bytes': counted.get('early'),
        'allocated_late_bytes': counted['late'],
        'device_bytes': sizes.device_bytes,
        'read_bytes': sizes.read_bytes,
        'archived_frames': sizes.archive_tokens // stream.model.shape.tokens_per_frame,
        'archive_lost': sizes.archive_lost,
    }


def _allocated(device: str) -> int:
    """Return bytes of the device's live tensors; on a CPU nobody counts them."""
    if device == 'cpu':
        return 0
    torch.cuda.synchronize(device)
    return torch.cuda.memory_allocated(device)
