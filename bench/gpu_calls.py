# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the host waits for a GPU, and what its kernels and its vision tower do."""

from __future__ import annotations

import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from statistics import median
from typing import Any

import torch
from transformers import LlavaOnevisionConfig, LlavaOnevisionModel, SiglipVisionConfig

from livevlm_bench.gpu_layers import Layers, Row, new_memory, put_frame, wait
from livevlm_bench.gpu_stream import Stream, see
from livevlm_bench.kernel_cases import cases, difference
from livevlm_bench.shapes import Shape
from livevlm_ros.model.families.llava_onevision import frame_features

KERNEL_ROUNDS = 20

WAITS = 'called a synchronizing CUDA operation'
"""What torch says of a call that waits, in its debug mode."""


def waits(*, device: str, frames: int, steps: int = 4) -> dict[str, Any]:
    """Count the calls that wait for the device, by what runs and where in the code they are."""
    with closing(Stream(preset='balanced', device=device, dtype='auto', frames=frames)) as stream:
        stream.watch(frames)
        model, memory = stream.model, stream.memory
        text = stream.questions(1)[0].question
        stream.ask(text)
        found: dict[str, Any] = {'steps': steps}
        images = [stream.world.image(float(second)) for second in range(steps)]
        with _waits(found, 'steps, encoding included'):
            for number, image in enumerate(images):
                see(model, memory, image, second=frames + number)
        memory.settle()
        prompt = model.question(text)
        with torch.inference_mode(), _waits(found, 'probe'):
            probe = memory.probe(tokens=prompt.tokens)
            assert probe is not None
            model.read(prompt.embeds, probe)
        with torch.inference_mode(), _waits(found, 'choice of pages'):
            view = memory.question(extra_tokens=prompt.tokens + 2, probe=probe)
        with torch.inference_mode(), _waits(found, 'read of the question'):
            hidden = model.read(prompt.embeds, view)
        with torch.inference_mode():
            token = model.logits(hidden).argmax()
            with _waits(found, 'token that is decoded'):
                embeds = model.embed(token[None])
                int(model.logits(model.read(embeds, view)).argmax())
        with _waits(found, 'evidence'):
            view.evidence()
    return found


@contextmanager
def _waits(found: dict[str, Any], name: str) -> Iterator[None]:
    """Note what waits in a block, by place, this thread's and others' apart."""
    here, mine, others = threading.get_ident(), Counter[str](), Counter[str]()

    def note(message: Any, *rest: Any, **more: Any) -> None:
        if WAITS in str(message):
            (mine if threading.get_ident() == here else others)[_place()] += 1

    torch.cuda.synchronize()
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode('warn')
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode('default')
    found[name] = {
        'waits': sum(mine.values()),
        'places': dict(mine.most_common()),
        'other_threads': dict(others.most_common()),
    }


def _place() -> str:
    """Return the innermost line of the product on the stack."""
    for frame in reversed(traceback.extract_stack()):
        _, product, path = frame.filename.rpartition('livevlm_ros/')
        if product and 'bench' not in frame.filename:
            return f'{path}:{frame.lineno}'
    return 'elsewhere'


def kernels(*, device: str) -> dict[str, Any]:
    """Compare the Triton kernels with their twins, in value and in time."""
    found: dict[str, Any] = {}
    for entered in cases(device):
        with entered as case:
            assert case.triton is not None
            found.setdefault(case.kernel, []).append(
                {
                    'what': case.what,
                    'differs_by': difference(case.kernel, case.triton(), case.twin()),
                    'triton_ms': _ms(case.triton, KERNEL_ROUNDS),
                    'torch_ms': _ms(case.twin, KERNEL_ROUNDS),
                }
            )
    return found


def tower(shape: Shape, config: SiglipVisionConfig, *, device: str, rounds: int) -> dict[str, Any]:
    """Time a vision tower with random weights, by batch, and the step that follows it."""
    torch.manual_seed(0)
    whole = LlavaOnevisionConfig(vision_config=config, text_config=shape.config)
    with torch.device(device):
        model = LlavaOnevisionModel._from_config(whole, dtype=torch.bfloat16).eval()
    layers = Layers(shape, device=device, model=model.language_model)
    side = (3, config.image_size, config.image_size)
    found: dict[str, Any] = {}
    with torch.inference_mode():
        blank = torch.zeros(1, *side, device=device, dtype=torch.bfloat16)
        found['tokens_per_frame'] = frame_features(model, blank).shape[1]
        for batch in (1, 8):
            pixels = torch.randn(batch, *side, device=device, dtype=torch.bfloat16)
            took_ms = _ms(partial(frame_features, model, pixels), rounds)
            found[f'batch {batch}'] = {'ms': took_ms, 'frames_per_s': batch * 1e3 / took_ms}
        found['step'] = _encoded_steps(model, layers, pixels[:1], rounds)
    return found


def _encoded_steps(
    model: LlavaOnevisionModel, layers: Layers, pixels: torch.Tensor, rounds: int
) -> dict[str, float]:
    """Time frames that are encoded and kept under `balanced`, as fast as they come."""
    with closing(new_memory(layers, Row('balanced', 64, named=True))) as memory:
        began = 0.0
        for second in range(rounds + 40):
            if second == 40:  # short-term and long-term are full
                memory.settle()
                wait(layers.device)
                began = time.perf_counter()
            features = frame_features(model, pixels)
            put_frame(layers, memory, features[0], second)
        memory.settle()
        wait(layers.device)
        took_s = time.perf_counter() - began
    return {'ms': took_s * 1e3 / rounds, 'frames_per_s': rounds / took_s}


def _ms(run: Callable[[], object], rounds: int) -> float:
    """Return the median time of a call, in milliseconds."""
    device, took = torch.device('cuda' if torch.cuda.is_available() else 'cpu'), []
    for number in range(-3, rounds):
        wait(device)
        began = time.perf_counter()
        run()
        wait(device)
        if number >= 0:
            took.append((time.perf_counter() - began) * 1e3)
    return median(took)
