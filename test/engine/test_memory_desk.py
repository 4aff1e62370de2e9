# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory looked at, forgotten, saved and loaded while the engine works; embedded model."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from livevlm_ros.engine import Answer, Engine, EngineConfig, Frame, Latency, Question, Status
from livevlm_ros.engine.admission import InvalidQuestion
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.memory import PRESETS, Memory, MemoryConfig
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.snapshot import TENSORS, has_snapshot, read_snapshot

ASKED = 'what color was the truck ?'
SECOND = 10**9
SIZES = {'short_term_frames': 4, 'long_term_frames': 4, 'retrieval_frames': 6}
ON_DISK = {'archive_host_bytes': 400_000, 'archive_disk_bytes': 2**21}


@pytest.fixture
def make_two(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Build engines with two cameras, whose archive lies on disk for the most part."""
    engines = []

    def make(**settings) -> Engine:
        memory = {'preset': 'balanced', **SIZES, **ON_DISK, **settings.pop('memory', {})}
        config = EngineConfig(
            cameras=('left', 'right'),
            memory=MemoryConfig(**{**memory, 'path': str(tmp_path)}),
            target_fps=1000.0,
            **settings,
        )
        engines.append(Engine(config))
        engines[-1].load()
        return engines[-1]

    yield make
    for engine in engines:
        engine.cleanup()


def _image(camera: str, second: int) -> Frame:
    random = np.random.default_rng((second, camera == 'left'))
    noise = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Frame(camera, second * SECOND, noise.repeat(20, 0).repeat(20, 1), f'{camera}_optical')


def _watch(engine: Engine, seconds: range) -> None:
    for second in seconds:
        for camera in ('left', 'right'):
            engine.see(_image(camera, second))
        assert engine.turn()


def _said(engine: Engine, **fields) -> Answer:
    answer = engine.ask_now(Question(ASKED, max_tokens=4, max_evidence=50, **fields))
    return replace(answer, latency=Latency(), request_id='', confidence=0.0)


def _file_bytes(memory: Memory) -> bytes:
    """Return what a thief of the disk would read of the archive's file."""
    file = memory.archive_file
    assert file is not None
    os.fsync(file.descriptor)
    return os.pread(file.descriptor, os.fstat(file.descriptor).st_size, 0)


def _records(engine: Engine, camera: str) -> list[bytes]:
    """Return the archived records of a camera that lie on disk."""
    archive = engine._loop.parts.memory._tiers.archive
    lanes = archive._ids.lanes(archive.frames)
    held = archive._addresses[: len(archive)]
    there = held[(lanes == archive._ids.lane(camera)) & (held >= archive._store.host)]
    return [record.numpy().tobytes() for record in archive._store.records(there)]


def _stamps(engine: Engine, **chosen) -> list[int]:
    frames, count = engine.memory.timeline(**chosen)
    assert count == len(frames)
    return sorted({frame.stamp_ns // SECOND for frame in frames})


def test_a_forgotten_camera_is_in_no_answer_no_list_and_no_byte_on_disk(make_two, tmp_path):
    engine = make_two()
    _watch(engine, range(1, 41))
    memory = engine._loop.parts.memory
    memory.settle()
    gone, kept = _records(engine, 'left'), _records(engine, 'right')
    assert len(gone) > 5 and all(record in _file_bytes(memory) for record in gone)
    before, beside = engine.stats().memory, _said(engine, cameras=('right',))
    freed = engine.memory.forget(['left'])
    after, on_disk = engine.stats().memory, _file_bytes(memory)
    assert freed.frames == 40 and freed.disk_bytes == sum(map(len, gone))
    held = (before, memory.sizes())
    tokens = [s.short_term_tokens + s.long_term_tokens + s.archive_tokens for s in held]
    assert freed.tokens == tokens[0] - tokens[1]
    assert after.short_term_frames == 2
    assert not any(record in on_disk for record in gone)
    assert all(record in on_disk for record in kept)
    assert _said(engine, cameras=('right',)) == beside
    assert _said(engine, cameras=('left',)).status is Status.NO_EVIDENCE
    assert {found.camera for found in _said(engine).evidence} == {'right'}
    assert {frame.camera for frame in engine.memory.timeline()[0]} == {'right'}
    with pytest.raises(NotDone, match='no frame of the memory'):
        engine.memory.frame(f'left/{20 * SECOND}')
    engine.memory.save('after', overwrite=False)
    state = read_snapshot(tmp_path / 'after')
    refs = read_refs(state.part('memory').tensors['frames'])
    assert {ref.camera for ref in refs} == {'right'}
    (file,) = (tmp_path / 'after').glob(TENSORS)
    saved = file.read_bytes()
    assert kept[0] in saved and not any(record in saved for record in gone)


def test_a_forgotten_time_is_gone_and_the_stream_goes_on(make_two):
    engine = make_two()
    _watch(engine, range(1, 31))
    chosen = {'time_start_ns': 10 * SECOND, 'time_end_ns': 20 * SECOND}
    assert engine.memory.forget(**chosen).frames == 2 * 11
    assert _stamps(engine) == [*range(1, 10), *range(21, 31)]
    assert _said(engine, **chosen).status is Status.NO_EVIDENCE
    assert engine.memory.forget(**chosen).frames == 0
    _watch(engine, range(31, 60))
    assert _stamps(engine) == [*range(1, 10), *range(21, 60)]
    assert _said(engine).newest_stamp_ns == 59 * SECOND
    assert engine.memory.forget(['right'], time_start_ns=55 * SECOND).frames == 5
    assert max(_stamps(engine, cameras=['right'])) == 54
    assert max(_stamps(engine, cameras=['left'])) == 59


@pytest.mark.parametrize('preset', PRESETS)
def test_every_preset_forgets_and_goes_on(make_two, preset):
    sizes = {} if preset == 'full' else SIZES
    sizes = {'short_term_frames': 4} if preset == 'recent' else sizes
    if preset == 'rekv':
        sizes = {'short_term_frames': 4, 'retrieval_frames': 6}
    config = MemoryConfig(preset, **sizes)
    engine = Engine(EngineConfig(cameras=('left', 'right'), memory=config, target_fps=1000.0))
    engine.load()
    try:
        _watch(engine, range(1, 25))
        freed = engine.memory.forget(['left'], time_end_ns=23 * SECOND)
        assert freed.tokens > 0 and freed.disk_bytes == 0
        assert _stamps(engine, cameras=['left']) == [24]
        found = _said(engine)
        assert {each.stamp_ns for each in found.evidence if each.camera == 'left'} <= {24 * SECOND}
        _watch(engine, range(25, 50))
        assert _said(engine).status in (Status.OK, Status.PARTIAL)
        assert engine.memory.forget().frames > 0
        assert _said(engine).status is Status.NO_EVIDENCE
        assert engine.memory.timeline() == ((), 0)
    finally:
        engine.cleanup()


def test_everything_forgotten_is_overwritten_on_disk_too(make_two, monkeypatch):
    engine = make_two()
    _watch(engine, range(1, 41))
    memory, wiped = engine._loop.parts.memory, []
    memory.settle()
    file, gone = memory.archive_file, _records(engine, 'left')
    close = file.close

    def look_and_close() -> None:
        wiped.append(_file_bytes_of(file))
        close()

    monkeypatch.setattr(file, 'close', look_and_close)
    name = engine.stats().memory_id
    freed = engine.memory.forget()
    assert freed.frames == 80 and freed.disk_bytes >= sum(map(len, gone))
    assert len(wiped) == 1 and not any(wiped[0])
    assert engine.stats().memory_id != name


def _file_bytes_of(file) -> bytes:
    os.fsync(file.descriptor)
    return os.pread(file.descriptor, os.fstat(file.descriptor).st_size, 0)


def test_a_choice_that_says_nothing_is_refused_by_field(make_two):
    engine = make_two()
    with pytest.raises(InvalidQuestion, match='cameras: got'):
        engine.memory.forget(['rear'])
    with pytest.raises(InvalidQuestion, match='time_start: got'):
        engine.memory.timeline(time_start_ns=2, time_end_ns=1)
    engine.cleanup()
    with pytest.raises(NotDone, match='not loaded'):
        engine.memory.forget()


def test_the_timeline_is_spread_evenly_and_says_where_tokens_are(make_two):
    engine = make_two()
    _watch(engine, range(1, 31))
    engine._loop.parts.memory.settle()
    frames, count = engine.memory.timeline(max_frames=10, attach_images=True)
    assert count == 60 and len(frames) == 10
    assert [frame.stamp_ns // SECOND for frame in frames] == list(range(3, 31, 3))
    tokens = 9
    assert (frames[-1].short_term_tokens, frames[-1].archive_tokens) == (tokens, 0)
    assert (frames[0].short_term_tokens, frames[0].archive_tokens) == (0, tokens)
    assert all(frame.thumbnail_jpeg.startswith(b'\xff\xd8') for frame in frames)
    assert engine.memory.frame(frames[0].frame_key) == frames[0]
    assert not engine.memory.timeline()[0][0].thumbnail_jpeg


def test_frames_and_questions_go_on_while_a_camera_is_forgotten_again_and_again(make_two):
    engine, stop = make_two(), threading.Event()
    engine.start()

    def film() -> None:
        second = 0
        while not stop.wait(0.002):
            second += 1
            for camera in ('left', 'right'):
                engine.see(_image(camera, second))

    def ask() -> list[Answer]:
        said = []
        while not stop.is_set():
            said.append(engine.ask(Question(ASKED, max_tokens=2, budget_s=30.0)))
        return said

    with ThreadPoolExecutor(2) as pool:
        filming, asking = pool.submit(film), pool.submit(ask)
        try:
            for _ in range(5):
                used = engine.stats().frames_used
                while engine.stats().frames_used < used + 20:
                    assert not stop.wait(0.01)
                engine.memory.pause(True)
                engine.memory.forget(['left'])
                assert engine.memory.timeline(['left']) == ((), 0)
                answer = engine.ask(Question(ASKED, max_evidence=50, budget_s=30.0))
                assert {found.camera for found in answer.evidence} == {'right'}
                engine.memory.pause(False)
        finally:
            stop.set()
        filming.result(60)
        said = asking.result(60)
    assert said and all(answer.status is not Status.ERROR for answer in said)
    assert engine.stats().memory.archive_lost == 0


def test_a_paused_memory_takes_no_frame_in_and_answers(make_two):
    engine = make_two()
    _watch(engine, range(1, 5))
    engine.see(_image('left', 5))
    engine.memory.pause(True)
    assert engine.stats().paused and not engine.turn()
    engine.see(_image('right', 6))
    assert not engine.turn()
    account = engine.stats()
    assert account.frames_in == account.frames_used + account.dropped.total
    assert account.dropped.paused == 2
    assert _said(engine).newest_stamp_ns == 4 * SECOND
    engine.memory.pause(False)
    _watch(engine, range(3600, 3602))  # it is an hour since, and no frame is lost to the clock
    assert _said(engine).newest_stamp_ns == 3601 * SECOND
    assert not engine.stats().paused


def test_a_memory_is_saved_and_loaded_under_load(make_two, tmp_path, until):
    engine, stop, told = make_two(), threading.Event(), []
    engine.start()

    def film() -> None:
        second = 0
        while not stop.wait(0.002):
            second += 1
            for camera in ('left', 'right'):
                engine.see(_image(camera, second))
            engine.ask(Question(ASKED, max_tokens=1, budget_s=30.0))

    with ThreadPoolExecutor(1) as pool:
        filming = pool.submit(film)
        try:
            until(lambda: engine.stats().frames_used > 60, 60.0)
            saved = engine.memory.save(
                'a', overwrite=False, progress=lambda *step: told.append(step)
            )
            newest = engine.memory.timeline()[0][-1].stamp_ns
            used = engine.stats().frames_used
            until(lambda: engine.stats().frames_used > used + 20, 60.0)
        finally:
            stop.set()
        filming.result(60)
    assert saved.path == tmp_path / 'a' and saved.frames > 30
    files = (tmp_path / 'a').iterdir()
    assert saved.nbytes == sum(file.stat().st_size for file in files)
    assert told[0] == ('copying', 0.0) and told[-1] == ('writing', 1.0)
    before = engine.stats().memory_id
    loaded = engine.memory.load('a', progress=lambda *step: told.append(step))
    assert ('reading', 1.0) in told and told[-1] == ('placing', 1.0)
    assert loaded.frames == saved.frames and loaded.memory_id != before
    assert engine.stats().memory_id == loaded.memory_id
    frames, count = engine.memory.timeline(max_frames=4096)
    assert count == saved.frames and frames[-1].stamp_ns <= newest
    used = engine.stats().frames_used
    for second in range(4000, 4003):
        engine.see(_image('left', second))
        until(lambda: not engine._ingest.waits)
    until(lambda: engine.stats().frames_used > used)
    assert engine.ask(Question(ASKED, budget_s=30.0)).newest_stamp_ns >= 4000 * SECOND


def test_what_was_saved_says_the_same_when_it_is_loaded(make_two):
    engine = make_two()
    _watch(engine, range(1, 41))
    said, listed = _said(engine), engine.memory.timeline(attach_images=True)
    engine.memory.save('a', overwrite=False)
    _watch(engine, range(41, 60))
    other = _said(engine)
    engine.memory.load('a')
    assert _said(engine) == said != other
    assert engine.memory.timeline(attach_images=True) == listed


def test_a_failed_load_leaves_the_memory_as_it_was(make_two, tmp_path, monkeypatch):
    engine = make_two()
    _watch(engine, range(1, 41))
    engine.memory.save('a', overwrite=False)
    _watch(engine, range(41, 60))
    said, stats = _said(engine), engine.stats()
    closed, close = [], Memory.close
    monkeypatch.setattr(Memory, 'close', lambda memory: closed.append(memory) or close(memory))

    def check(match: str) -> None:
        with pytest.raises(ValueError, match=match):
            engine.memory.load('a')
        assert _said(engine) == said
        assert engine.stats().memory_id == stats.memory_id
        assert engine.stats().memory.frames == stats.memory.frames

    with monkeypatch.context() as patch:
        patch.setattr(engine._loop.parts.snapshots.contents.model, 'model_id', 'other')
        check('of model llava|of model')
    (memory,) = closed  # the one that was built beside
    assert memory is not engine._loop.parts.memory
    (file,) = (tmp_path / 'a').glob(TENSORS)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b'\x55')
    check('damaged')
    file.write_bytes(whole)
    with monkeypatch.context() as patch:

        def full(*args) -> None:
            raise OSError(28, 'No space left on device')

        patch.setattr('os.posix_fallocate', full)
        check("for the archive's part")
    engine.memory.load('a')
    assert _said(engine) != said


NAMES = ['../a', 'a/b', '/etc', '.', '..', '.hidden', 'a' * 65, 'a\0b', 'a\nb', 'a b', 'é', '-rf']


@pytest.mark.parametrize('name', NAMES)
def test_names_that_are_not_plain_are_refused(make_two, tmp_path, name):
    engine = make_two()
    _watch(engine, range(1, 3))
    before = sorted(tmp_path.parent.rglob('*'))
    for call in (
        lambda: engine.memory.save(name, overwrite=True),
        lambda: engine.memory.load(name),
    ):
        with pytest.raises(ValueError, match='name: got'):
            call()
    assert sorted(tmp_path.parent.rglob('*')) == before


def test_links_are_not_followed(make_two, tmp_path, tmp_path_factory):
    engine, outside = make_two(), tmp_path_factory.mktemp('outside')
    _watch(engine, range(1, 3))
    (tmp_path / 'away').symlink_to(outside)
    (tmp_path / 'inside').mkdir()
    (tmp_path / 'inside' / 'memory.json.tmp').symlink_to(outside / 'stolen')
    for name in ('away', 'inside'):
        with pytest.raises(ValueError, match='is a link'):
            engine.memory.save(name, overwrite=True)
    assert not any(outside.iterdir())


def test_a_snapshot_is_not_replaced_unasked_and_one_is_written_at_a_time(
    make_two, tmp_path, monkeypatch
):
    engine = make_two()
    _watch(engine, range(1, 3))
    engine.memory.save('a', overwrite=False)
    with pytest.raises(NotDone, match='set overwrite'):
        engine.memory.save('a', overwrite=False)
    _watch(engine, range(3, 5))
    assert engine.memory.save('a', overwrite=True).frames == 8

    def meanwhile(phase: str, share: float) -> None:
        with pytest.raises(NotDone, match='wait for it'):
            engine.memory.load('a')

    engine.memory.save('b', overwrite=False, progress=meanwhile)

    def forget(phase: str, share: float) -> None:
        if phase == 'writing':
            engine.memory.forget(['left'])

    with pytest.raises(NotDone, match='cleared while it was saved'):
        engine.memory.save('c', overwrite=False, progress=forget)
    assert has_snapshot(tmp_path / 'b') and not (tmp_path / 'c').exists()


def test_without_a_folder_nothing_is_saved(make_engine, watch):
    engine = make_engine()
    watch(engine, range(1, 3))
    with pytest.raises(ValueError, match='memory.path is not set'):
        engine.memory.save('a', overwrite=False)


def test_the_snapshot_of_a_running_engine_is_made_anew_once_something_is_forgotten(
    make_two, tmp_path, until
):
    engine = make_two(snapshot=True)
    _watch(engine, range(1, 5))
    engine.start()
    engine.stop()
    engine.start()
    engine.memory.forget(['left'])

    def cameras() -> set[str]:
        refs = read_refs(read_snapshot(tmp_path).part('memory').tensors['frames'])
        return {ref.camera for ref in refs}

    until(lambda: cameras() == {'right'}, 60.0)


def test_recall_gives_the_frames_that_an_answer_rests_on(make_two):
    engine = make_two()
    _watch(engine, range(1, 41))
    answer = _said(engine)
    recalled = engine.ask_now(Question(ASKED, max_tokens=1, max_evidence=50, recalls=True))
    assert recalled.status is Status.OK and recalled.text == ''
    assert recalled.frames_considered == answer.frames_considered
    best = answer.evidence[0].score
    assert [(found.frame_key, found.source) for found in recalled.evidence] == [
        (found.frame_key, found.source) for found in answer.evidence
    ]
    assert [found.score for found in recalled.evidence] == pytest.approx(
        [found.score / best for found in answer.evidence]
    )
    assert recalled.evidence[0].score == 1.0
    assert all(found.short_term_tokens or found.archive_tokens for found in recalled.evidence)
    torch.set_num_threads(1)


def test_recall_keeps_the_budget_and_the_refusals_of_a_question(make_two):
    engine = make_two()
    _watch(engine, range(1, 41))
    engine.start()

    def recall(**fields) -> Answer:
        return engine.ask(Question(ASKED, max_tokens=1, recalls=True, **fields))

    assert recall(budget_s=30.0).status is Status.OK
    assert recall(budget_s=0.001).status is Status.DEADLINE
    assert recall(cameras=('rear',)).status is Status.INVALID
    assert recall(time_start_ns=10**6 * SECOND, budget_s=30.0).status is Status.NO_EVIDENCE
    engine.stop()
    assert recall().status is Status.NOT_ACTIVE
