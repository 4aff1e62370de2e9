# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import os
import weakref
from pathlib import Path

import pytest

from livevlm_ros.engine.album import Album
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.memory import PRESETS, FrameRef, Memory, MemoryConfig
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.folder_lock import LOCK, FolderInUse
from livevlm_ros.memory.snapshot import MANIFEST, UnreadableSnapshot, read_snapshot


def _saved(folder: Path) -> list[FrameRef]:
    """Return the frames of the snapshot in a folder."""
    return read_refs(read_snapshot(folder).part('memory').tensors['frames'])


@pytest.mark.parametrize('preset', PRESETS)
def test_the_memory_of_the_warm_up_is_gone_when_the_real_one_is_built(
    make_engine, monkeypatch, preset
):
    built: list[weakref.ref[Memory]] = []
    build = Memory.__init__

    def noted(memory, *given, **named):
        assert [each() for each in built] == [None] * len(built)
        built.append(weakref.ref(memory))
        build(memory, *given, **named)

    monkeypatch.setattr(Memory, '__init__', noted)
    make_engine(memory=MemoryConfig(preset)).load()
    assert len(built) == 2


@pytest.mark.parametrize(
    'error',
    [
        *(KeyError('bytes'), RuntimeError('shape'), ValueError('span'), TypeError('none')),
        *(AttributeError('items'), AssertionError('ends'), OverflowError('int')),
    ],
    ids=repr,
)
def test_what_fails_half_restored_is_refused_and_makes_room_for_an_empty_memory(
    make_saving, watch, tmp_path, caplog, monkeypatch, closed, error
):
    watch(first := make_saving(), range(1, 60))
    first.cleanup()
    closed.clear()

    def fail(*args) -> None:
        raise error

    monkeypatch.setattr(Album, 'restore', fail)
    watch(second := make_saving(), range(1, 4))
    assert second.stats().memory.frames == 3
    assert repr(error) in caplog.text and 'begins empty' in caplog.text
    _, half = closed  # the first was for the warm-up
    assert half.frame_count > 3 and half is not second._loop.parts.memory
    second.cleanup()
    assert len(_saved(tmp_path)) == 3


@pytest.mark.parametrize('episodes', [None, 5, [1], [['1', 0, 0]], [[1]]], ids=str)
def test_a_time_that_is_none_makes_a_snapshot_of_no_use(
    make_saving, watch, monkeypatch, caplog, episodes
):
    watch(first := make_saving(), range(1, 9))
    with monkeypatch.context() as patch:
        patch.setattr(Timeline, 'facts', lambda timeline: episodes)
        first.cleanup()
    watch(second := make_saving(), range(1, 4))
    assert second.stats().memory.frames == 3
    assert 'begins empty' in caplog.text


def test_a_snapshot_that_cannot_be_read_now_is_left_as_it_is(
    make_saving, watch, tmp_path, monkeypatch
):
    watch(first := make_saving(), range(1, 9))
    first.cleanup()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    second = make_saving()

    def fail(*args, **named) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'read_text', fail)
        with pytest.raises(UnreadableSnapshot, match=MANIFEST):
            second.load()
    second.cleanup()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    second.load()
    assert second.stats().memory.frames == 8


@pytest.mark.parametrize('missing', ['nowhere', MANIFEST])
def test_a_folder_that_is_none_is_refused_before_weights_are_loaded(
    make_saving, tmp_path, missing, model
):
    (tmp_path / MANIFEST).write_text('')
    engine = make_saving(memory={'path': str(tmp_path / missing)})
    with pytest.raises(ValueError, match='expected a folder that can be written, for snapshots'):
        engine.load()
    assert model.encoded == [] and engine.stats().state == 'unloaded'


@pytest.mark.parametrize(('mode', 'warned'), [(0o777, True), (0o700, False)])
def test_a_folder_that_everybody_may_write_to_is_told(make_saving, tmp_path, caplog, mode, warned):
    tmp_path.chmod(mode)
    make_saving().load()
    assert ('everybody may write there' in caplog.text) == warned


def test_a_folder_that_another_engine_uses_is_refused_before_weights_are_loaded(
    make_saving, tmp_path, model
):
    (first := make_saving()).load()
    model.encoded.clear()
    for snapshot in (True, False):  # who has a path may save there by name
        with pytest.raises(FolderInUse, match=f'{tmp_path} is in use by process {os.getpid()}:'):
            make_saving(snapshot=snapshot).load()
    assert model.encoded == []
    first.cleanup()
    make_saving().load()


def test_a_cleanup_that_fails_leaves_the_folder_free(make_saving, monkeypatch):
    engine = make_saving()
    engine.load()
    memory = engine._loop.parts.memory
    close = memory.close

    def fail():
        close()
        raise OSError('the disk is gone')

    monkeypatch.setattr(memory, 'close', fail)
    with pytest.raises(OSError, match='the disk is gone'):
        engine.cleanup()
    assert engine.stats().state == 'unloaded'
    make_saving().load()


def test_a_load_that_fails_leaves_the_folder_free(make_saving, monkeypatch, model):
    def fail(images):
        raise RuntimeError('no weights')

    engine = make_saving()
    with monkeypatch.context() as patch:
        patch.setattr(model, 'on_encode', fail)
        with pytest.raises(RuntimeError, match='no weights'):
            engine.load()
    make_saving().load()


def test_a_snapshot_in_a_folder_that_cannot_be_written_is_read(
    make_saving, watch, tmp_path, monkeypatch
):
    watch(first := make_saving(), range(1, 9))
    first.memory.save('kitchen', overwrite=False)
    first.cleanup()
    (tmp_path / LOCK).unlink()
    monkeypatch.setattr(os, 'access', lambda path, mode: mode != os.W_OK | os.X_OK)
    second, third = make_saving(snapshot=False), make_saving(snapshot=False)
    second.load()
    assert second.memory.load('kitchen').frames == 8
    third.load()
    assert not (tmp_path / LOCK).exists()
