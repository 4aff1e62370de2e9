# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livevlm_ros.engine import Engine, EngineConfig, Frame, MemoryConfig, ModelConfig
from livevlm_ros.engine.plan import Machine, Plan, make_plan
from livevlm_ros.memory import PRESETS
from livevlm_ros.weights import EMBEDDED

ROOM = Machine(ram_bytes=16 * 10**9)


def _plan(*presets: str, machine: Machine = ROOM, hours: float = 8, **settings: Any) -> Plan:
    base = EngineConfig(**settings)
    configs = [
        replace(base, memory=MemoryConfig(preset, archive_host_bytes=-1)) for preset in presets
    ]
    return make_plan(configs, EMBEDDED, machine, hours=hours)


def test_every_preset_of_the_embedded_model_fits_a_usual_machine() -> None:
    plan = _plan(*PRESETS)
    assert [each.preset for each in plan.presets] == list(PRESETS)
    assert (plan.frames, plan.token_bytes, plan.warnings) == (28800, 6144, ())
    assert not any(each.lines for each in plan.presets)


def test_an_archive_that_keeps_minutes_names_the_parameter_and_a_number_that_suffices() -> None:
    tight = Machine(ram_bytes=100 * 10**6)
    (short,) = _plan('balanced', machine=tight, target_fps=2.0, cameras=('a', 'b')).presets
    (line,) = short.lines
    assert line.startswith('everything seen is kept for ') and ' of 8 h,' in line
    assert f'set memory.archive_host_bytes to {short.needed_bytes} (' in line
    enough = MemoryConfig('balanced', archive_host_bytes=short.needed_bytes)
    config = EngineConfig(memory=enough, target_fps=2.0, cameras=('a', 'b'))
    (longer,) = make_plan([config], EMBEDDED, ROOM, hours=8).presets
    assert not longer.lines
    assert longer.horizon is not None and longer.horizon.seconds >= 8 * 3600


def test_what_does_not_fit_is_said_with_what_to_lower() -> None:
    small = Machine(ram_bytes=10**9, gpu_bytes=50 * 10**6)
    on_gpu = ModelConfig(device='cuda')
    recent, full = _plan('recent', 'full', machine=small, model=on_gpu).presets
    assert not recent.lines
    assert recent.ram_bytes == 0 and recent.gpu_bytes > 2 * 4 * 10**6
    (line,) = full.lines
    assert 'of GPU memory, 50 MB are free: lower memory.full_max_tokens' in line


def test_weights_that_cannot_be_loaded_are_said_with_the_type_that_needs_least() -> None:
    (line,) = _plan('recent', machine=Machine(ram_bytes=2 * 10**7)).warnings
    assert 'loading takes up to 26 MB of RAM, 20 MB are free: set model.dtype to float16' in line


def test_weights_of_few_bits_need_less_and_are_named_where_they_would_do() -> None:
    small = Machine(ram_bytes=10**6)
    for weights, said in (
        ('auto', 'set model.dtype to float16, in which the weights are stored, or set model.wei'),
        ('int8', 'are free: set model.weights to int4, or take a smaller model'),
        ('int4', 'are free: take a smaller model'),
    ):
        (line,) = _plan('recent', machine=small, model=ModelConfig(weights=weights)).warnings
        assert said in line
    whole, eight, four = (
        _plan('recent', model=ModelConfig(weights=weights)).presets[0].ram_bytes
        for weights in ('auto', 'int8', 'int4')
    )
    assert whole > eight > four


def test_a_preset_that_the_model_has_no_room_for_says_why(tmp_path: Path) -> None:
    text = (EMBEDDED / 'config.json').read_text()
    shorter = text.replace('"max_position_embeddings": 32768', '"max_position_embeddings": 1300')
    (tmp_path / 'config.json').write_text(shorter)
    configs = [EngineConfig(memory=MemoryConfig(preset)) for preset in ('recent', 'rekv')]
    recent, rekv = make_plan(configs, tmp_path, ROOM, hours=1).presets
    assert recent.memory is not None and rekv.memory is None
    assert rekv.lines == (rekv.refused,) and 'the model has 1300 positions' in rekv.refused


@pytest.mark.parametrize('hours', [0, 1 / 3600])
def test_no_time_at_all_needs_no_archive(hours: float) -> None:
    (plan,) = _plan('balanced', hours=hours).presets
    assert plan.needed_bytes == 0 and not plan.lines


def test_what_cameras_showed_last_is_on_the_device_and_in_the_plan() -> None:
    cameras = ('left', 'right')
    (whole,), (plan,) = (
        _plan('recent', cameras=cameras, skip_static=skips).presets for skips in ('none', 'tokens')
    )
    assert plan.ram_bytes == whole.ram_bytes + plan.static_bytes and not whole.static_bytes
    engine = Engine(
        EngineConfig(memory=MemoryConfig('recent'), cameras=cameras, skip_static='tokens')
    )
    engine.load()
    for camera in cameras:
        engine.see(Frame(camera, 10**9, np.zeros((48, 64, 3), np.uint8)))
    assert engine.turn()
    assert engine._loop.parts.static.nbytes == plan.static_bytes
    engine.cleanup()
