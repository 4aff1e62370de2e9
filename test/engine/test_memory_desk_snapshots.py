# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory saved and loaded by name while the engine works; embedded model."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from livevlm_ros.engine import Question
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.memory import Memory, SnapshotError
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.snapshot import TENSORS, has_snapshot, read_snapshot

SECOND = 10**9


def test_a_memory_is_saved_and_loaded_under_load(two, tmp_path, until):
    engine, stop, told = two.make(), threading.Event(), []
    engine.start()

    def film() -> None:
        second = 0
        while not stop.wait(0.002):
            second += 1
            for camera in ('left', 'right'):
                engine.see(two.image(camera, second))
            engine.ask(Question(two.ASKED, max_tokens=1, budget_s=30.0))

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
        engine.see(two.image('left', second))
        until(lambda: not engine._ingest.waits)
    until(lambda: engine.stats().frames_used > used)
    assert engine.ask(Question(two.ASKED, budget_s=30.0)).newest_stamp_ns >= 4000 * SECOND


def test_what_was_saved_says_the_same_when_it_is_loaded(two):
    engine = two.make()
    two.watch(engine, range(1, 41))
    said, listed = two.said(engine), engine.memory.timeline(attach_images=True)
    engine.memory.save('a', overwrite=False)
    two.watch(engine, range(41, 60))
    other = two.said(engine)
    engine.memory.load('a')
    assert two.said(engine) == said != other
    assert engine.memory.timeline(attach_images=True) == listed


def test_a_failed_load_leaves_the_memory_as_it_was(two, tmp_path, monkeypatch):
    engine = two.make()
    two.watch(engine, range(1, 41))
    engine.memory.save('a', overwrite=False)
    two.watch(engine, range(41, 60))
    said, stats = two.said(engine), engine.stats()
    closed, close = [], Memory.close
    monkeypatch.setattr(Memory, 'close', lambda memory: closed.append(memory) or close(memory))

    def check(match: str) -> None:
        with pytest.raises(ValueError, match=match):
            engine.memory.load('a')
        assert two.said(engine) == said
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
    assert two.said(engine) != said


NAMES = ['../a', 'a/b', '/etc', '.', '..', '.hidden', 'a' * 65, 'a\0b', 'a\nb', 'a b', 'é', '-rf']


@pytest.mark.parametrize('name', NAMES)
def test_names_that_are_not_plain_are_refused(two, tmp_path, name):
    engine = two.make()
    two.watch(engine, range(1, 3))
    before = sorted(tmp_path.parent.rglob('*'))
    for call in (
        lambda: engine.memory.save(name, overwrite=True),
        lambda: engine.memory.load(name),
    ):
        with pytest.raises(ValueError, match='name: got'):
            call()
    assert sorted(tmp_path.parent.rglob('*')) == before


def test_links_are_not_followed(two, tmp_path, tmp_path_factory):
    engine, outside = two.make(), tmp_path_factory.mktemp('outside')
    two.watch(engine, range(1, 3))
    (tmp_path / 'away').symlink_to(outside)
    (tmp_path / 'inside').mkdir()
    (tmp_path / 'inside' / 'memory.json.tmp').symlink_to(outside / 'stolen')
    for name in ('away', 'inside'):
        with pytest.raises(ValueError, match='is a link'):
            engine.memory.save(name, overwrite=True)
    assert not any(outside.iterdir())


def test_a_snapshot_is_not_replaced_unasked_and_one_is_written_at_a_time(
    two, tmp_path, monkeypatch
):
    engine = two.make()
    two.watch(engine, range(1, 3))
    engine.memory.save('a', overwrite=False)
    with pytest.raises(NotDone, match='set overwrite'):
        engine.memory.save('a', overwrite=False)
    two.watch(engine, range(3, 5))
    assert engine.memory.save('a', overwrite=True).frames == 8

    def meanwhile(phase: str, share: float) -> None:
        with pytest.raises(NotDone, match='wait for it'):
            engine.memory.load('a')

    engine.memory.save('b', overwrite=False, progress=meanwhile)

    def forget(phase: str, share: float) -> None:
        if (phase, share) == ('writing', 1.0):  # all is read, and about to take its place
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
    two, tmp_path, until
):
    engine = two.make(snapshot=True)
    two.watch(engine, range(1, 5))
    engine.start()
    engine.stop()
    engine.start()
    engine.memory.forget(['left'])

    def cameras() -> set[str]:
        try:
            refs = read_refs(read_snapshot(tmp_path).part('memory').tensors['frames'])
        except SnapshotError:  # one takes the place of the other just now
            return set()
        return {ref.camera for ref in refs}

    until(lambda: cameras() == {'right'}, 60.0)


@pytest.mark.parametrize('started', [True, False], ids=['stopped', 'never started'])
def test_what_is_forgotten_while_nothing_runs_does_not_come_back(two, started):
    engine = two.make(snapshot=True)
    two.watch(engine, range(1, 21))
    if started:
        engine.start()
    engine.stop()
    freed = engine.memory.forget(['left'])
    assert freed.frames == 20
    engine._loop.parts.folder.release()  # as after a loss of power
    restored = two.make(snapshot=True)
    assert {frame.camera for frame in restored.memory.timeline()[0]} == {'right'}
    assert set(restored.newest_pictures()) == set(engine.newest_pictures()) == {'right'}
