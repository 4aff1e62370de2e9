# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory looked at, forgotten, saved and loaded while the engine works; embedded model."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from livevlm_ros.engine import Answer, Engine, EngineConfig, Question, Status
from livevlm_ros.engine.admission import InvalidQuestion
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.memory import PRESETS, Memory, MemoryConfig
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.snapshot import TENSORS, read_snapshot

SECOND = 10**9
SIZES: dict[str, dict[str, int]] = {
    'recent': {'short_term_frames': 4},
    'full': {},
    'rekv': {'short_term_frames': 4, 'retrieval_frames': 6},
    'livevlm': {'short_term_frames': 4, 'long_term_frames': 4, 'retrieval_frames': 3},
    'balanced': {'short_term_frames': 4, 'long_term_frames': 4, 'retrieval_frames': 6},
}


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


def test_a_forgotten_camera_is_in_no_answer_no_list_and_no_byte_on_disk(two, tmp_path):
    engine = two.make()
    two.watch(engine, range(1, 41))
    memory = engine._loop.parts.memory
    memory.settle()
    gone, kept = _records(engine, 'left'), _records(engine, 'right')
    assert len(gone) > 5 and all(record in _file_bytes(memory) for record in gone)
    before, beside = engine.stats().memory, two.said(engine, cameras=('right',))
    freed = engine.memory.forget(['left'])
    after, on_disk = engine.stats().memory, _file_bytes(memory)
    assert freed.frames == 40 and freed.disk_bytes == sum(map(len, gone))
    held = (before, after)
    tokens = [s.short_term_tokens + s.long_term_tokens + s.archive_tokens for s in held]
    assert freed.tokens == tokens[0] - tokens[1]
    assert after.short_term_frames == 2
    assert not any(record in on_disk for record in gone)
    assert all(record in on_disk for record in kept)
    assert two.said(engine, cameras=('right',)) == beside
    assert two.said(engine, cameras=('left',)).status is Status.NO_EVIDENCE
    assert {found.camera for found in two.said(engine).evidence} == {'right'}
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


def test_a_forgotten_time_is_gone_and_the_stream_goes_on(two):
    engine = two.make()
    two.watch(engine, range(1, 31))
    chosen = {'time_start_ns': 10 * SECOND, 'time_end_ns': 20 * SECOND}
    assert engine.memory.forget(**chosen).frames == 2 * 11
    assert _stamps(engine) == [*range(1, 10), *range(21, 31)]
    assert two.said(engine, **chosen).status is Status.NO_EVIDENCE
    assert engine.memory.forget(**chosen).frames == 0
    two.watch(engine, range(31, 60))
    assert _stamps(engine) == [*range(1, 10), *range(21, 60)]
    assert two.said(engine).newest_stamp_ns == 59 * SECOND
    assert engine.memory.forget(['right'], time_start_ns=55 * SECOND).frames == 5
    assert max(_stamps(engine, cameras=['right'])) == 54
    assert max(_stamps(engine, cameras=['left'])) == 59


@pytest.mark.parametrize('preset', PRESETS)
def test_every_preset_forgets_and_goes_on(two, preset):
    config = MemoryConfig(preset, **SIZES[preset])
    engine = Engine(EngineConfig(cameras=('left', 'right'), memory=config, target_fps=1000.0))
    engine.load()
    try:
        two.watch(engine, range(1, 25))
        freed = engine.memory.forget(['left'], time_end_ns=23 * SECOND)
        assert freed.tokens > 0 and freed.disk_bytes == 0
        assert _stamps(engine, cameras=['left']) == [24]
        found = two.said(engine)
        assert {each.stamp_ns for each in found.evidence if each.camera == 'left'} <= {24 * SECOND}
        two.watch(engine, range(25, 50))
        assert two.said(engine, min_confidence=0.0).status in (Status.OK, Status.PARTIAL)
        assert engine.memory.forget().frames > 0
        assert two.said(engine).status is Status.NO_EVIDENCE
        assert engine.memory.timeline() == ((), 0)
    finally:
        engine.cleanup()


def test_everything_forgotten_is_overwritten_on_disk_too(two, monkeypatch):
    engine = two.make()
    two.watch(engine, range(1, 41))
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


def test_a_memory_has_another_name_when_it_begins_anew(two):
    engine = two.make(on_jump='reset')
    two.watch(engine, range(100, 103))
    names = [engine.stats().memory_id]
    engine.memory.forget(['left'])
    assert engine.stats().memory_id == names[0]  # it is the same memory, with less in it
    engine.clear()
    names.append(engine.stats().memory_id)
    two.watch(engine, range(100, 103))
    for second in (50, 51):
        for camera in ('left', 'right'):
            engine.see(two.image(camera, second))
        engine.turn()
    names.append(engine.stats().memory_id)
    assert engine.stats().time_resets == 1 and len(set(names)) == 3


def test_a_choice_that_says_nothing_is_refused_by_field(two):
    engine = two.make()
    with pytest.raises(InvalidQuestion, match='cameras: got'):
        engine.memory.forget(['rear'])
    with pytest.raises(InvalidQuestion, match='time_start: got'):
        engine.memory.timeline(time_start_ns=2, time_end_ns=1)
    engine.cleanup()
    with pytest.raises(NotDone, match='not loaded'):
        engine.memory.forget()


def test_the_timeline_is_spread_evenly_and_says_where_tokens_are(two):
    engine = two.make()
    two.watch(engine, range(1, 31))
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


def test_frames_and_questions_go_on_while_a_camera_is_forgotten_again_and_again(two):
    engine, stop = two.make(), threading.Event()
    engine.start()

    def film() -> None:
        second = 0
        while not stop.wait(0.002):
            second += 1
            for camera in ('left', 'right'):
                engine.see(two.image(camera, second))

    def ask() -> list[Answer]:
        said = []
        while not stop.is_set():
            said.append(engine.ask(Question(two.ASKED, max_tokens=2, budget_s=30.0)))
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
                answer = engine.ask(Question(two.ASKED, max_evidence=50, budget_s=30.0))
                assert {found.camera for found in answer.evidence} == {'right'}
                engine.memory.pause(False)
        finally:
            stop.set()
        filming.result(60)
        said = asking.result(60)
    assert said and all(answer.status is not Status.ERROR for answer in said)
    assert engine.stats().memory.archive_lost == 0


def test_a_paused_memory_takes_no_frame_in_and_answers(two):
    engine = two.make()
    two.watch(engine, range(1, 5))
    engine.see(two.image('left', 5))
    engine.memory.pause(True)
    assert engine.stats().paused and not engine.turn()
    engine.see(two.image('right', 6))
    assert not engine.turn()
    account = engine.stats()
    assert account.frames_in == account.frames_used + account.dropped.total
    assert account.dropped.paused == 2
    assert two.said(engine).newest_stamp_ns == 4 * SECOND
    engine.memory.pause(False)
    two.watch(engine, range(3600, 3602))  # it is an hour since, and no frame is lost to the clock
    assert two.said(engine).newest_stamp_ns == 3601 * SECOND
    assert not engine.stats().paused


def test_recall_gives_the_frames_that_an_answer_rests_on(two):
    engine = two.make()
    two.watch(engine, range(1, 41))
    answer = two.said(engine)
    recalled = engine.ask_now(Question(two.ASKED, max_tokens=1, max_evidence=50, recalls=True))
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


def test_recall_keeps_the_budget_and_the_refusals_of_a_question(two):
    engine = two.make()
    two.watch(engine, range(1, 41))
    engine.start()

    def recall(**fields) -> Answer:
        return engine.ask(Question(two.ASKED, max_tokens=1, recalls=True, **fields))

    assert recall(budget_s=30.0).status is Status.OK
    assert recall(budget_s=0.001).status is Status.DEADLINE
    assert recall(cameras=('rear',)).status is Status.INVALID
    assert recall(time_start_ns=10**6 * SECOND, budget_s=30.0).status is Status.NO_EVIDENCE
    engine.stop()
    assert recall().status is Status.NOT_ACTIVE
