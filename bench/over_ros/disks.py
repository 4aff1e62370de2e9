# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the disk: full, read-only or gone while the memory is saved, and snapshots damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from livevlm_bench.over_ros.fault import DIAGNOSTICS, REPLY, FaultClass, Untold
from livevlm_bench.over_ros.process import short_files
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.stages import NOT_SAVED
from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_ros.node.diagnostics import ERROR

READ_ONLY = Path('/sys')  # not even root may write there
BEGINS_EMPTY = 'begins empty'
LIFECYCLE_S = 180.0


def disk_faults() -> list[FaultClass]:
    """Return the classes of disks and of what lies on them."""
    return [
        FaultClass('disk-full', 8, _full),
        FaultClass('disk-gone', 8, _gone),
        FaultClass('snapshot-loaded', 40, _load),
        FaultClass('snapshot-restored', 4, _restore),
    ]


def _full(rig: Rig, draw: Random) -> str:
    largest = max((file.stat().st_size for file in rig.snapshots.glob('*.safetensors')), default=0)
    with short_files(rig.node.pid, max(4096, largest // 4)):
        rig.until(lambda: NOT_SAVED in rig.message('memory'), 'a full disk is told')
    return _saved_again(rig)


def _gone(rig: Rig, draw: Random) -> str:
    with _elsewhere(rig.snapshots, read_only=draw.random() < 0.5):
        rig.until(lambda: NOT_SAVED in rig.message('memory'), 'a folder that is gone is told')
    return _saved_again(rig)


def _saved_again(rig: Rig) -> str:
    rig.until(lambda: NOT_SAVED not in rig.message('memory'), 'the memory is saved again')
    return DIAGNOSTICS


@contextmanager
def _elsewhere(folder: Path, *, read_only: bool) -> Iterator[None]:
    """Take a folder away as long as a block; something read-only may be in its place."""
    aside = folder.with_suffix('.aside')
    folder.rename(aside)
    if read_only:
        folder.symlink_to(READ_ONLY)
    try:
        yield
    finally:
        if read_only:
            folder.unlink()
        aside.rename(folder)


def _load(rig: Rig, draw: Random) -> str:
    """Load a damaged snapshot: it must be refused, or bring back a whole memory."""
    whole, damaged = rig.snapshots / 'whole', rig.snapshots / 'damaged'
    if not whole.exists():
        saved = rig.client.send_goal(SaveMemory, 'save_memory', _named(SaveMemory, whole), _ignore)
        if not saved.success:
            raise Untold(f'the memory could not be saved: {saved.message}')
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(whole, damaged)
    done = _damage(damaged, draw)
    loaded = rig.client.send_goal(LoadMemory, 'load_memory', _named(LoadMemory, damaged), _ignore)
    if loaded.success:
        raise Untold(f'a snapshot with {done} was loaded')
    if not loaded.message:
        raise Untold(f'a snapshot with {done} was refused without a word')
    return REPLY


def _restore(rig: Rig, draw: Random) -> str:
    """Configure the node over a damaged snapshot: it begins empty, or says why it cannot."""
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        _change(rig, transition)
    before, done = rig.client.status('memory'), _damage(rig.snapshots, draw)
    if not _change(rig, Transition.TRANSITION_CONFIGURE):
        rig.until(lambda: rig.level('model') == ERROR, 'a snapshot that cannot be read is told')
        _remove(rig.snapshots.iterdir())
        _change(rig, Transition.TRANSITION_CONFIGURE)
        before = None
    _change(rig, Transition.TRANSITION_ACTIVATE)
    rig.until(lambda: rig.client.status('memory') is not before, 'there is a memory again')
    if before is not None and BEGINS_EMPTY not in rig.message('memory'):
        raise Untold(f'a snapshot with {done}: not told that it was not restored')
    rig.until(lambda: rig.number('memory', 'frames') > 0, 'frames are seen again')
    _remove(rig.snapshots.glob('*.refused*'))
    return DIAGNOSTICS


def _damage(folder: Path, draw: Random) -> str:
    """Damage a file of a snapshot, not of its journal; return what was done."""
    files = [*folder.glob('*.json'), *folder.glob('*.safetensors')]  # one each: names are random
    file = draw.choice(files)
    whole = file.read_bytes()
    damaged = whole
    while damaged == whole:
        damaged = draw.choice(DAMAGES)(whole, draw.randrange(len(whole)))
    file.write_bytes(damaged)
    return f'{file.name} damaged: {len(damaged)} bytes of {len(whole)}'


DAMAGES: tuple[Callable[[bytes, int], bytes], ...] = (
    lambda whole, at: whole[:at],
    lambda whole, at: whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :],
    lambda whole, at: whole[:at] + bytes(len(whole) - at),
    lambda whole, at: whole[:at] + whole[: len(whole) - at],
    lambda whole, at: b'',
    lambda whole, at: whole + whole[at:],
)
"""Ways to damage a file, given its bytes and a place in it."""


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        if file.is_file():
            file.unlink()


def _change(rig: Rig, transition: int) -> bool:
    request = ChangeState.Request()
    request.transition.id = transition
    return bool(rig.client.call(ChangeState, 'change_state', request, LIFECYCLE_S).success)


def _named(kind: Any, folder: Path) -> Any:
    return kind.Goal(name=folder.name)


def _ignore(phase: str, share: float) -> None:
    """Hear nothing of how far it is."""
