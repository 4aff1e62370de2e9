# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A device that runs out of memory, at every place where a step or a question asks for some."""

from collections.abc import Callable

import pytest
import torch

from livevlm_ros.engine import Engine, MemoryConfig, Question, Status
from livevlm_ros.engine.events import Events
from livevlm_ros.engine.shortage import ADVICE, Shortages, out_of_memory
from livevlm_ros.memory import PRESETS

SAID = (
    'CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.91 GiB of '
    'which 1.00 MiB is free.\nProcess 1 has 7.90 GiB memory in use. See documentation.'
)
LINE = (
    'CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.91 GiB of '
    f'which 1.00 MiB is free: {ADVICE}'
)
SMALL = {
    'recent': {'short_term_frames': 4},
    'full': {'full_max_tokens': 256},
    'rekv': {'short_term_frames': 4, 'retrieval_frames': 3},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 8, 'retrieval_frames': 3},
    'balanced': {'short_term_frames': 4, 'long_term_frames': 8, 'retrieval_frames': 3},
}


class Held:
    """All that an engine remembers, to be compared."""

    def __init__(self, engine: Engine) -> None:
        parts = engine._loop.parts
        state = parts.memory.state()
        self.tensors, self.told = state.tensors, (state.facts, parts.memory.refs())
        self.thumbnails = len(parts.album)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Held)
            and (self.told, self.thumbnails) == (other.told, other.thumbnails)
            and self.tensors.keys() == other.tensors.keys()
            and all(torch.equal(part, other.tensors[name]) for name, part in self.tensors.items())
        )


@pytest.fixture
def filled(make_engine, frame) -> Callable[..., Engine]:
    """Make an engine that has pushed frames out of every tier on its device, turned by hand."""

    def filled(preset: str, **settings) -> Engine:
        memory = MemoryConfig(preset, **SMALL[preset])
        engine = make_engine(memory=memory, target_fps=1000.0, **settings)
        engine.load()
        for second in range(1, 31):
            engine.see(frame(second, grey=second))
            engine.turn()
        return engine

    return filled


@pytest.mark.parametrize(
    ('preset', 'skips'), [*((preset, 'none') for preset in PRESETS), ('balanced', 'tokens')]
)
def test_a_step_that_runs_out_of_memory_anywhere_costs_its_frame_and_nothing_else(
    filled, frame, runs_out, preset: str, skips: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine, twin = (  # frames a second apart are read whole
        filled(preset, skip_static=skips, gate_heartbeat_s=0.5) for _ in range(2)
    )
    before, lost = Held(engine), 0
    while engine.stats().frames_used == 30:
        engine.see(frame(100 + lost, grey=99))
        with runs_out(lost + 1, torch.OutOfMemoryError(SAID)):
            engine.turn()
        account = engine.stats().cameras['camera']
        if account.frames_used == 30:
            lost += 1
            assert account.dropped.bad == lost
            assert account.last_error.endswith(f'{100 + lost - 1}000000000 ns: {LINE}')
            assert Held(engine) == before
    assert lost >= 3
    assert caplog.messages == [f'a step is lost, which is logged once: {LINE}']
    twin.see(frame(100 + lost, grey=99))
    twin.turn()
    assert Held(engine) == Held(twin)


@pytest.mark.parametrize('preset', PRESETS)
def test_a_question_that_runs_out_of_memory_anywhere_is_lost_and_nothing_else(
    filled, runs_out, preset: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = filled(preset)
    question = Question('what drove by ?', max_tokens=2)
    good, before, lost = engine.ask_now(question), Held(engine), 0
    while True:
        with runs_out(lost + 1, torch.OutOfMemoryError(SAID)):
            answer = engine.ask_now(question)
        assert Held(engine) == before
        if answer.status is not Status.ERROR:
            break
        lost += 1
        assert (answer.message, answer.text) == (LINE, '')
    assert (answer.text, answer.evidence) == (good.text, good.evidence)
    assert lost >= 5
    assert caplog.messages == [f'a question is lost, which is logged once: {LINE}']
    assert engine.stats().ask.served[Status.ERROR] == lost


def test_a_device_without_room_at_load_is_refused_in_one_line(make_engine, model, closed) -> None:
    def fail(images) -> None:
        raise torch.OutOfMemoryError(SAID)

    model.on_encode = fail
    engine = make_engine()
    with pytest.raises(ValueError) as refused:
        engine.load()
    assert str(refused.value) == f"device 'cpu' has no room for model and memory: {LINE}"
    assert engine.stats().state == 'unloaded' and len(closed) == 1


def test_a_snapshot_that_the_device_has_no_room_for_stays_where_it_is(
    make_saving, watch, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(first := make_saving(), range(1, 9))
    first.cleanup()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    second = make_saving()

    def fail(*given: object) -> None:
        raise torch.OutOfMemoryError(SAID)

    with monkeypatch.context() as patch:
        patch.setattr('livevlm_ros.memory.Memory.restore', fail)
        with pytest.raises(ValueError, match='has no room for model and memory'):
            second.load()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    second.load()
    assert second.stats().memory.frames == 8


def test_what_torch_says_becomes_one_line() -> None:
    assert out_of_memory(torch.OutOfMemoryError(SAID)) == LINE
    assert out_of_memory(torch.OutOfMemoryError('no memory left')) == f'no memory left: {ADVICE}'


def test_each_kind_of_loss_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    shortages = Shortages(Events())
    for lost in ('step', 'question', 'step'):
        assert shortages.tell(lost, torch.OutOfMemoryError(SAID)) == LINE
    assert caplog.messages == [
        f'a {lost} is lost, which is logged once: {LINE}' for lost in ('step', 'question')
    ]
