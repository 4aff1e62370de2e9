# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import SnapshotError, State
from livevlm_ros.memory.archive.frozen import Forgotten
from livevlm_ros.memory.snapshot import (
    MANIFEST,
    TENSORS,
    UnreadableSnapshot,
    _signed,
    has_snapshot,
    read_snapshot,
    set_aside,
    write_snapshot,
)
from livevlm_ros.memory.state import Rows


def _state(seed: int = 1) -> State:
    source = torch.Generator().manual_seed(seed)
    halves = torch.randn(3, 5, generator=source)
    tensors = {'half': halves.half(), 'brain': halves.bfloat16(), 'none': torch.empty(0, 4)}
    numbers = {'big': torch.tensor([2**62, -1]), 'fine': torch.randn(4, generator=source).double()}
    return State(tensors | numbers, {'seed': seed, 'frames': [['camera', 2**60, 'é', '"']]})


def _check_same(one: State, other: State) -> None:
    assert one.facts == other.facts
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert tensor.dtype == other.tensors[name].dtype
        assert torch.equal(tensor, other.tensors[name])


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    write_snapshot(tmp_path, _state())
    return tmp_path


def _tensors(folder: Path) -> Path:
    (file,) = folder.glob(TENSORS)
    return file


def test_what_was_written_is_read(saved: Path) -> None:
    assert has_snapshot(saved)
    _check_same(read_snapshot(saved), _state())


def test_a_snapshot_takes_the_place_of_the_one_before(saved: Path) -> None:
    write_snapshot(saved, _state(2))
    _check_same(read_snapshot(saved), _state(2))
    assert _names(saved) == {MANIFEST, _tensors(saved).name}


def test_the_same_can_be_saved_again(saved: Path) -> None:
    before = _names(saved)
    write_snapshot(saved, _state())
    assert _names(saved) == before
    _check_same(read_snapshot(saved), _state())


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _flip(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b'\x55')


def _edit(file: Path) -> None:
    file.write_text(file.read_text().replace('"seed": 1', '"seed": 3'))


def _sign(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text())['content']
    file.write_text(_signed({**content, **changes}))


def _age(file: Path, version: int) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), 'version': version}))


BAD = {
    'a missing manifest': (lambda manifest, tensors: manifest.unlink(), 'cannot be read'),
    'a truncated manifest': (lambda manifest, tensors: _cut(manifest), 'not JSON'),
    'an empty manifest': (lambda manifest, tensors: manifest.write_text(''), 'not JSON'),
    'bytes that are no text': (
        lambda manifest, tensors: manifest.write_bytes(b'\xff'),
        'not JSON',
    ),
    'an edited manifest': (lambda manifest, tensors: _edit(manifest), 'damaged or edited'),
    'a manifest of others': (lambda manifest, tensors: manifest.write_text('{}'), 'got None'),
    'a list of others': (lambda manifest, tensors: manifest.write_text('[1]'), 'got None'),
    'no name of tensors': (
        lambda manifest, tensors: _sign(manifest, tensors_checksum=None),
        'does not say which tensors',
    ),
    'tensors in another folder': (
        lambda manifest, tensors: _sign(manifest, tensors_checksum='/../../elsewhere'),
        'does not say which tensors',
    ),
    'no list of rows': (
        lambda manifest, tensors: _sign(manifest, rows=None),
        'does not say which tensors',
    ),
    'rows that are not there': (
        lambda manifest, tensors: _sign(manifest, rows=['nope']),
        'does not hold what',
    ),
    'a deep manifest': (lambda manifest, tensors: manifest.write_text('[' * 10**5), 'not JSON'),
    'missing tensors': (lambda manifest, tensors: tensors.unlink(), 'No such file'),
    'truncated tensors': (lambda manifest, tensors: _cut(tensors), 'truncated or grown'),
    'damaged tensors': (lambda manifest, tensors: _flip(tensors), 'damaged'),
    'foreign tensors': (lambda manifest, tensors: tensors.write_text('PK'), 'it has 2 bytes'),
}


@pytest.mark.parametrize(('spoil', 'complaint'), BAD.values(), ids=BAD.keys())
def test_a_snapshot_of_no_use_is_refused_naming_the_file_and_what_to_do(
    saved: Path, spoil: Callable[[Path, Path], object], complaint: str
) -> None:
    spoil(saved / MANIFEST, _tensors(saved))
    with pytest.raises(SnapshotError, match=complaint) as error:
        read_snapshot(saved)
    assert str(saved) in str(error.value)
    assert any(todo in str(error.value) for todo in ('remove', 'save one'))


@pytest.mark.parametrize('version', [1, 99])
def test_a_snapshot_of_another_release_may_well_be_good_and_stays(
    saved: Path, version: int
) -> None:
    _age(saved / MANIFEST, version)
    with pytest.raises(UnreadableSnapshot, match=f'version {version}.*nothing was touched'):
        read_snapshot(saved)


def _fail(*args: object, **named: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize('call', ['stat', 'read_text', 'open'])
def test_what_the_system_does_not_let_be_read_is_not_taken_for_bad(
    saved: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, call, _fail)
        with pytest.raises(UnreadableSnapshot, match='Input/output error.*nothing was touched'):
            assert has_snapshot(saved)
            read_snapshot(saved)
    assert not issubclass(UnreadableSnapshot, SnapshotError)
    _check_same(read_snapshot(saved), _state())


def _full(*args: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _full_at(count: int) -> Callable[[int], None]:
    """Return an fsync that finds the disk full at some call."""
    calls = iter(range(1, 100))
    return lambda descriptor: _full() if next(calls) == count else None


@pytest.mark.parametrize('call', [1, 2, 3])
def test_a_full_disk_leaves_the_snapshot_before_and_nothing_else(
    saved: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    before = _names(saved)
    monkeypatch.setattr('os.fsync', _full_at(call))
    with pytest.raises(SnapshotError, match='No space left.*the one before is as it was'):
        write_snapshot(saved, _state(2))
    assert _names(saved) == before
    _check_same(read_snapshot(saved), _state())


def test_a_full_disk_does_not_remove_tensors_that_the_snapshot_needs(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('os.fsync', _full_at(3))
    with pytest.raises(SnapshotError):
        write_snapshot(saved, _state())  # the same tensors, by the same name
    _check_same(read_snapshot(saved), _state())


def test_whatever_ends_the_writing_nothing_of_it_is_left(saved: Path) -> None:
    def forget(first: int, last: int) -> torch.Tensor:
        raise Forgotten

    before = _names(saved)
    with pytest.raises(Forgotten):
        write_snapshot(saved, State(rows={'frames': Rows((3, 2), torch.uint8, forget)}))
    assert _names(saved) == before
    _check_same(read_snapshot(saved), _state())


def test_a_write_that_the_system_refuses_is_told_and_leaves_nothing(saved: Path) -> None:
    """Let a process that may write no file above 4 kB save one of 4 MB."""
    before = _names(saved)
    code = f"""
import resource, torch
from pathlib import Path
from livevlm_ros.memory.snapshot import SnapshotError, State, write_snapshot
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_snapshot(Path({str(saved)!r}), State({{'large': torch.zeros(2**20)}}))
except SnapshotError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    assert 'File too large' in ran.stdout
    assert _names(saved) == before
    _check_same(read_snapshot(saved), _state())


@pytest.mark.parametrize('make', [lambda path: path.write_text(''), lambda path: None])
def test_a_folder_that_is_none_is_told(tmp_path: Path, make: Callable[[Path], object]) -> None:
    folder = tmp_path / 'folder'
    make(folder)
    with pytest.raises(SnapshotError, match='expected a folder that can be written'):
        write_snapshot(folder, _state())
    assert not has_snapshot(folder)


CRASHES = [
    *(('os.fsync', call) for call in (1, 2, 3, 4)),
    *(('pathlib.Path.replace', call) for call in (1, 2)),
    ('os.open', 2),  # of the manifest
    ('pathlib.Path.unlink', 1),
]


@pytest.mark.parametrize(('moment', 'call'), CRASHES)
def test_whenever_the_process_ends_there_is_a_whole_snapshot(
    saved: Path, monkeypatch: pytest.MonkeyPatch, moment: str, call: int
) -> None:
    """Let it end, as if killed, before some call to the system, and then save once more."""

    class Killed(BaseException):
        pass

    calls = iter(range(1, 100))
    module, name = moment.rsplit('.', 1)
    real = getattr(os if module == 'os' else Path, name)

    def die(*args: object, **named: object) -> object:
        if next(calls) == call:
            raise Killed
        return real(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(moment, die)
        with pytest.raises(Killed):
            write_snapshot(saved, _state(2))
    renamed = (moment, call) in (('os.fsync', 4), ('pathlib.Path.unlink', 1))
    _check_same(read_snapshot(saved), _state(2 if renamed else 1))
    write_snapshot(saved, _state(3))
    _check_same(read_snapshot(saved), _state(3))
    assert _names(saved) == {MANIFEST, _tensors(saved).name}


def test_the_newest_snapshot_set_aside_is_kept_and_not_in_the_way(saved: Path) -> None:
    for seed in (1, 2):
        write_snapshot(saved, _state(seed))
        held = {f'{file.name}.refused': file.read_bytes() for file in saved.glob('*[ns]')}
        assert set_aside(saved) == saved / f'{MANIFEST}.refused'
        assert {file.name: file.read_bytes() for file in saved.iterdir()} == held
        assert not has_snapshot(saved)
    write_snapshot(saved, _state(3))
    assert len(_names(saved)) == 4
    _check_same(read_snapshot(saved), _state(3))


def test_a_snapshot_that_cannot_be_set_aside_is_told(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('pathlib.Path.rename', _full)
    with pytest.raises(SnapshotError, match='move it out of the way'):
        set_aside(saved)


def test_a_disk_that_does_not_confirm_what_took_its_place_is_told_as_that(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('os.fsync', _full_at(4))
    with pytest.raises(SnapshotError, match='new snapshot is in its place') as error:
        write_snapshot(saved, _state(2))
    assert 'as it was' not in str(error.value)
    _check_same(read_snapshot(saved), _state(2))


def test_old_tensors_that_cannot_be_removed_do_not_undo_a_snapshot(
    saved: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, 'unlink', _fail)
        write_snapshot(saved, _state(2))
    assert 'cannot be removed' in caplog.text
    _check_same(read_snapshot(saved), _state(2))


def test_nobody_else_reads_a_snapshot(saved: Path) -> None:
    assert {file.stat().st_mode & 0o777 for file in saved.iterdir()} == {0o600}


@pytest.mark.parametrize('name', ['memory.safetensors.tmp', f'{MANIFEST}.tmp'])
def test_a_link_where_a_snapshot_is_written_is_not_followed(saved: Path, name: str) -> None:
    victim = saved / 'victim'
    victim.write_text('mine')
    (saved / name).symlink_to(victim)
    with pytest.raises(SnapshotError, match=f'symbolic links.*{name}'):
        write_snapshot(saved, _state(2))
    assert victim.read_text() == 'mine'
    write_snapshot(saved, _state(2))
    assert victim.read_text() == 'mine'
    _check_same(read_snapshot(saved), _state(2))


def test_the_next_save_leaves_nothing_of_one_that_was_killed(saved: Path) -> None:
    for name in ('memory.safetensors.tmp', f'{MANIFEST}.tmp'):
        (saved / name).write_text('half')
    write_snapshot(saved, _state(2))
    assert {file.suffix for file in saved.iterdir()} == {'.json', '.safetensors'}
    assert len(list(saved.iterdir())) == 2


@pytest.mark.timeout(10)
def test_a_pipe_is_no_snapshot_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST)
    with pytest.raises(UnreadableSnapshot, match=f'{MANIFEST}: not a regular file'):
        has_snapshot(tmp_path)


def test_files_of_others_stay(saved: Path) -> None:
    others = saved / 'memory-of-yesterday.safetensors'
    others.write_text('mine')
    write_snapshot(saved, _state(2))
    set_aside(saved)
    assert others.read_text() == 'mine'


def test_what_may_not_take_its_place_leaves_the_one_before(saved: Path) -> None:
    @contextmanager
    def refused() -> Iterator[None]:
        raise Forgotten
        yield

    before = _names(saved)
    with pytest.raises(Forgotten):
        write_snapshot(saved, _state(2), placing=refused())
    assert _names(saved) == before
    _check_same(read_snapshot(saved), _state())


def test_shares_rise_to_one_and_bytes_are_those_of_both_files(saved: Path) -> None:
    shares: list[float] = []
    written = write_snapshot(saved, _state(2), progress=shares.append)
    assert written == sum(file.stat().st_size for file in saved.iterdir())
    assert shares == sorted(shares) and shares[-1] == 1.0
    shares.clear()
    read_snapshot(saved, shares.append)
    assert shares[-1] == 1.0
