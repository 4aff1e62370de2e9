# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What leaves short-term is written by another thread, and no step waits for it."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from livevlm_ros.memory import FrameRef, ReadFilter
from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.writer import MOST_WAITING, ArchiveWriter
from livevlm_ros.memory.tiers import FORGET_EVERY


@pytest.fixture
def written() -> threading.Semaphore:
    """Count the frames that the writer says it has written."""
    return threading.Semaphore(0)


@pytest.fixture
def archive(make_archive: Callable) -> Archive:
    return make_archive(host=100)


@pytest.fixture
def writer(archive: Archive, written: threading.Semaphore) -> Iterator[ArchiveWriter]:
    writer = ArchiveWriter(archive, written=written.release)
    yield writer
    writer.close()


class Stuck:
    """A disk that does not answer until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def hold(self, put: Callable) -> Callable:
        def held(*given: object) -> None:
            self.reached.set()
            assert self.go_on.wait(60)
            put(*given)

        return held


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    stuck = Stuck()
    monkeypatch.setattr(Archive, 'put', stuck.hold(Archive.put))
    yield stuck
    stuck.go_on.set()


def test_frames_are_written_in_order_and_each_is_told(
    writer: ArchiveWriter, archive: Archive, written, frame, check_whole
) -> None:
    for stamp in range(0, 30, 3):
        frames = [frame(stamp + n) for n in range(3)]
        writer.commit(writer.stage(frames))
    assert writer.settle()
    assert archive.frames.tolist() == [2 * stamp for stamp in range(30)]
    assert all(written.acquire(blocking=False) for _ in range(30))
    assert writer.counts.lost == 0
    check_whole(archive)


def test_staged_frames_are_copies(writer: ArchiveWriter, archive, frame, check_whole) -> None:
    new = frame(7)
    staged = writer.stage([new])
    new.keys.zero_()
    new.values.zero_()
    writer.commit(staged)
    writer.settle()
    check_whole(archive)


def test_a_frame_that_cannot_be_archived_is_counted_and_the_thread_goes_on(
    writer: ArchiveWriter, archive: Archive, written, frame, monkeypatch, caplog
) -> None:
    put = archive.put

    def fail_at_three(new) -> None:
        if new.ids[0] == frame(3).ids[0]:
            raise OSError('Input/output error')
        put(new)

    monkeypatch.setattr(archive, 'put', fail_at_three)
    writer.commit(writer.stage([frame(stamp) for stamp in range(6)]))
    assert writer.settle()
    assert (writer.counts.failed, writer.counts.overrun, writer.counts.lost) == (1, 0, 1)
    assert archive.frames.tolist() == [0, 2, 4, 8, 10]
    assert sum(written.acquire(blocking=False) for _ in range(6)) == 5
    assert 'a frame could not be archived' in caplog.text


def test_frames_that_fail_alike_are_told_of_once(
    writer: ArchiveWriter, archive: Archive, frame, monkeypatch, caplog
) -> None:
    for error in (MemoryError('full'), OSError('Input/output error')):

        def fail(new, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(archive, 'put', fail)
        writer.commit(writer.stage([frame(stamp) for stamp in range(3)]))
        assert writer.settle()
    assert writer.counts.failed == 6
    assert caplog.text.count('a frame could not be archived') == 2


def test_of_more_than_may_wait_those_that_come_are_counted(
    writer: ArchiveWriter, archive: Archive, frame, stuck: Stuck
) -> None:
    for stamp in range(MOST_WAITING + 9):
        writer.commit(writer.stage([frame(stamp)]))
    assert (writer.counts.overrun, writer.counts.failed) == (9, 0)
    assert not writer.settle(0.0)
    stuck.go_on.set()
    assert writer.settle()
    assert len(archive) == MOST_WAITING
    writer.commit(writer.stage([frame(900)]))  # there is room again
    writer.settle()
    assert 1800 in archive.frames.tolist() and writer.counts.lost == 9


def test_a_step_of_more_frames_than_may_wait_has_the_first_written(
    writer: ArchiveWriter, archive: Archive, frame
) -> None:
    frames = [frame(stamp) for stamp in range(MOST_WAITING + 3)]
    writer.commit(writer.stage(frames))
    writer.settle()
    assert archive.frames.tolist() == [2 * stamp for stamp in range(MOST_WAITING)]
    assert writer.counts.lost == 3


def test_what_is_to_be_written_goes_before_the_next_piece_of_what_can_wait(
    writer: ArchiveWriter, archive: Archive, frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, put, begun, go_on = [], archive.put, threading.Event(), threading.Event()

    def piece() -> bool:
        done.append('piece')
        begun.set()
        assert go_on.wait(60)
        return done.count('piece') < 5

    monkeypatch.setattr(archive, 'tend', piece)
    monkeypatch.setattr(archive, 'put', lambda new: done.append('frame') or put(new))
    writer.commit(writer.stage([frame(0)]))
    assert begun.wait(60)
    writer.commit(writer.stage([frame(1), frame(2)]))
    go_on.set()
    writer.rest()
    assert done[:5] == ['frame', 'piece', 'frame', 'frame', 'piece']
    assert done.count('piece') >= 5


def test_what_waits_is_not_written_when_the_archive_is_cleared(
    writer: ArchiveWriter, archive: Archive, frame, stuck: Stuck
) -> None:
    writer.commit(writer.stage([frame(stamp) for stamp in range(9)]))
    assert stuck.reached.wait(60)
    threading.Timer(0.05, stuck.go_on.set).start()
    writer.clear()
    assert len(archive) == 0 and writer.waiting() == []
    writer.commit(writer.stage([frame(20)]))
    assert writer.settle() and archive.frames.tolist() == [40]


def test_no_step_and_no_question_fails_for_want_of_a_thread(
    small: Callable, watch: Callable, ask: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = small('balanced', 'front')

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, 'start', fail)
    watch(memory, range(9))
    assert memory.sizes().archive_tokens == 5 * 4
    for _ in range(2):
        _, views = ask(memory, key='what')
    assert views[0].speculated


@pytest.mark.parametrize('preset', ['rekv', 'balanced'])
def test_no_step_waits_for_a_disk_that_does_not_answer(
    small: Callable, see: Callable, stuck: Stuck, preset: str
) -> None:
    """Not even those that look for references to forget; what is lost is counted."""
    memory = small(preset, 'front')
    for stamp in range(FORGET_EVERY + 50):
        see(memory, FrameRef('front', stamp))
    assert stuck.reached.wait(60)
    sizes = memory.sizes()
    assert (sizes.archive_tokens, sizes.short_term_frames) == (0, 4)
    assert sizes.archive_lost == FORGET_EVERY + 50 - 4 - MOST_WAITING
    stuck.go_on.set()
    memory.settle()
    assert memory.sizes().archive_tokens == 4 * MOST_WAITING
    see(memory, FrameRef('front', 1000))
    assert memory.frame_count < FORGET_EVERY  # it looks again as soon as nothing waits


def test_a_question_without_patience_reads_what_is_there_and_is_told(
    small: Callable, watch: Callable, see: Callable, ask: Callable, monkeypatch
) -> None:
    memory, stuck = small('balanced', 'front'), Stuck()
    watch(memory, range(20))
    _, before = ask(memory)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, 'put', stuck.hold(Archive.put))
        see(memory, FrameRef('front', 20), needle=5.0)
        _, views = ask(memory, patience_s=0.0)
        assert not views[-1].complete and before[-1].complete
        assert FrameRef('front', 16) not in views[-1].frames()
        stuck.go_on.set()
        _, views = ask(memory, patience_s=60.0)
        assert views[-1].complete
    assert torch.equal(views[-1].ids(0), ask(memory)[1][-1].ids(0))


@pytest.mark.parametrize('preset', ['rekv', 'balanced'])
def test_references_stay_bounded_though_the_disk_is_always_behind(
    small, see, stuck: Stuck, preset: str
) -> None:
    memory = small(preset, 'front')
    for stamp in range(MOST_WAITING + 4 * FORGET_EVERY):
        see(memory, FrameRef('front', stamp))
    assert memory.frame_count < 2 * FORGET_EVERY + MOST_WAITING
    assert memory.refs()[0] == FrameRef('front', 0)  # it waits to be written
    stuck.go_on.set()
    memory.settle()
    assert FrameRef('front', 0) in memory.refs()


def test_a_question_that_reads_no_archive_does_not_wait_for_it(small, see, stuck: Stuck) -> None:
    memory = small('balanced', 'front')
    for stamp in range(20):
        see(memory, FrameRef('front', stamp))
    assert stuck.reached.wait(60)
    reading = ReadFilter(long_term=False)
    (view,) = memory.readings(tokens=2, extra_tokens=2, reading=reading)
    assert view.complete and view.waited_s < 1.0
    views = list(memory.readings(tokens=2, extra_tokens=2, patience_s=0.1))
    assert not views[-1].complete and views[-1].waited_s >= 0.1
