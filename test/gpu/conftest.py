# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A stand-in for a GPU: its tensors say that they lie there, and have their numbers on the host.

What it cannot see:

- Time. Each operation is done when it returns, so nothing is read too early: a missing event, or
  pinned memory that is used again too soon, is not found out.
- Which kernels a GPU would take, what they round, and what they refuse. Their outputs lie in
  memory as the CPU leaves them, but for those of attention, which `StandIn.laid_out` lays out.
- Waits inside of the driver, the allocator, Triton or a library, and in operations of torch that
  wait although neither their tags nor `_run` say so.

It counts more than torch's own debug mode: a copy from memory that is not pinned waits, too.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

import livevlm_ros
from livevlm_kernels import gather_runs as runs

DEVICE = torch.device('cuda', 1)  # so that what takes the current GPU in its place is found out
CPU = torch.device('cpu')
PRODUCT = str(Path(livevlm_ros.__file__).parent)

aten = torch.ops.aten
PARTS = torch._C.DispatchKey.CompositeImplicitAutograd
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
WAITING = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
"""Tags of operations whose result the host must see before it goes on."""

_thread = threading.local()  # with the stand-in that is entered


@pytest.fixture
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """
    Give a stand-in, to be entered; threads of pools enter one of their own.

    A parameter says whether there is Triton; without one there is.
    """
    submit = ThreadPoolExecutor.submit

    def submit_inside(pool: ThreadPoolExecutor, work: Callable, *args: Any) -> Future:
        def inside() -> Any:
            with StandIn():
                return work(*args)

        return submit(pool, inside)

    monkeypatch.setattr(ThreadPoolExecutor, 'submit', submit_inside)
    for name, replacement in CUDA.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    monkeypatch.setattr(torch.backends.cuda, 'is_built', lambda: True)
    monkeypatch.setattr(runs, '_HAS_TRITON', getattr(request, 'param', True))
    triton = SimpleNamespace(gather_runs_triton=_gather_runs_triton)
    monkeypatch.setitem(sys.modules, 'livevlm_kernels.gather_runs_triton', triton)
    yield StandIn()


class StandIn(TorchFunctionMode):
    """
    Lets the thread that enters it use `device`, which is not there.

    `waits` counts the calls of this thread that would wait for it, by the function of the product
    that made them and what they asked for. `laid_out` is what attention's output goes through.
    """

    device = DEVICE

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.laid_out: Callable[[Tensor], Tensor] = lambda out: out

    def __enter__(self) -> StandIn:
        super().__enter__()
        _thread.entered = self
        return self

    def __exit__(self, *error: Any) -> None:
        _thread.entered = None
        super().__exit__(*error)

    def taken(self) -> Counter[str]:
        """Return the waits, and count anew."""
        taken, self.waits = self.waits, Counter()
        return taken

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call what makes tensors on the device, or brings them there, on the host."""
        kwargs = kwargs or {}
        if func is Tensor.pin_memory:
            return _pinned(args[0])
        if func is scaled_dot_product_attention and isinstance(args[0], OnDevice):
            return OnDevice(self.laid_out(func(*_on_host(args), **_on_host(kwargs))))
        if not any(map(_is_device, (*args, *kwargs.values()))):
            return func(*args, **kwargs)
        if func is Tensor.to and not isinstance(args[0], OnDevice):
            _note_upload(args[0], kwargs.get('non_blocking', False))
        elif func is torch.tensor:
            _note('upload')
        made = func(*_on_host(args), **_on_host(kwargs))
        return OnDevice(made) if isinstance(made, Tensor) else func(*args, **kwargs)


class OnDevice(Tensor):
    """A tensor on the device; `host` has its numbers, laid out as it is."""

    device, is_cuda, is_cpu, is_meta = DEVICE, True, False, False
    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> OnDevice:
        with torch.inference_mode(False):  # so that it may be used in that mode and out of it
            tensor = Tensor._make_wrapper_subclass(
                cls,
                host.shape,
                strides=host.stride(),
                storage_offset=host.storage_offset(),
                dtype=host.dtype,
                device='meta',  # as C++ sees it
            )
        tensor.host = host
        return tensor

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def record_stream(self, stream: Stream) -> None:
        """Do nothing: whatever a stream was given is done."""


def _run(func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the host; note whether a GPU would be waited for."""
    if func is not aten.cosine_similarity.default and _has_parts(func):  # C++ makes a tensor there
        return func._op_dk(PARTS, *args, **kwargs)
    to_host = kwargs.get('device') == CPU
    if func is aten.copy_.default and not isinstance(args[1], OnDevice):
        _note_upload(*args[1:])
    elif to_host or (func is aten.copy_.default and not isinstance(args[0], OnDevice)):
        _note('download')
    elif func in INDEXING:
        _note_indices(args[1])
        _refuse_host((args[0], *args[2:]))
    else:
        _refuse_host((*args, *kwargs.values()))
        if WAITING & set(func.tags) or func is aten.multinomial.default:
            _note(func.overloadpacket.__name__)
    found = func(*_on_host(args), **_on_host(kwargs))
    if to_host:
        return found
    given = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    return _on_device(found, {id(_on_host(each)): each for each in given})


def _pinned(tensor: Tensor) -> Tensor:
    """Return a copy in pinned memory."""
    if isinstance(tensor, OnDevice):
        raise RuntimeError('only memory of the host can be pinned')
    pinned = tensor.clone()
    pinned.pinned = True
    return pinned


def _has_parts(func: Any) -> bool:
    """Return whether an operation is made of others, which then come one by one."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), PARTS)


def _is_device(leaf: object) -> bool:
    """Return whether an argument is the device or its name."""
    named = isinstance(leaf, torch.device | str) and str(leaf).startswith('cuda')
    if named and torch.device(leaf) != DEVICE:
        raise RuntimeError(f'expected the device {DEVICE}, got {leaf}')
    return named


def _on_host(given: Any) -> Any:
    """Put the host in place of the device."""
    if isinstance(given, OnDevice):
        return given.host
    if isinstance(given, dict):
        return {name: _on_host(each) for name, each in given.items()}
    if isinstance(given, list | tuple):
        return [_on_host(each) for each in given]
    return CPU if _is_device(given) else given


def _on_device(found: Any, known: Mapping[int, Tensor]) -> Any:
    """Put tensors on the device but for those that were given, `known` by their identity."""
    if isinstance(found, list | tuple):
        return type(found)(_on_device(each, known) for each in found)
    if id(found) in known or not isinstance(found, Tensor):
        return known.get(id(found), found)
    return OnDevice(found)


def _refuse_host(given: Any) -> None:
    """Refuse tensors that are not on the device, but for numbers, which go with a call."""
    if isinstance(given, list | tuple):
        for each in given:
            _refuse_host(each)
    elif isinstance(given, Tensor) and not isinstance(given, OnDevice):
        if given.is_meta:
            raise NotImplementedError('C++ made a tensor that the stand-in knows nothing of')
        if given.dim():
            raise RuntimeError(f'expected all tensors on {DEVICE}, found one on the host')


def _note_upload(source: Tensor, non_blocking: bool = False) -> None:
    """Note a copy to the device, unless it leaves from pinned memory and nobody waits for it."""
    if not (non_blocking and getattr(source, 'pinned', False)):
        _note('upload')


def _note_indices(indices: Sequence[Tensor | None]) -> None:
    """Note indices that are brought from the host, and masks, which must be counted."""
    for index in indices:
        if index is not None and not isinstance(index, OnDevice):
            _note('index from the host')
        elif index is not None and index.dtype in (torch.bool, torch.uint8):
            _note('index by a mask')


def _note(what: str) -> None:
    """Count a wait of a thread that has entered a stand-in."""
    entered = getattr(_thread, 'entered', None)
    if entered is not None:
        entered.waits[f'{_caller()}: {what}'] += 1


def _caller() -> str:
    """Return the function of the product that runs."""
    frame = sys._getframe()
    while not frame.f_code.co_filename.startswith(PRODUCT):
        if frame.f_back is None:
            return 'test'
        frame = frame.f_back
    return frame.f_code.co_qualname


class Event:
    """An event that has happened."""

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        _note('event')


class Stream:
    """A stream whose work is done as soon as it is given."""

    def __init__(self, device: torch.device) -> None:
        assert device == DEVICE

    def record_event(self) -> Event:
        return Event()

    def wait_event(self, event: Event) -> None:
        assert isinstance(event, Event)


def _synchronize(device: torch.device) -> None:
    assert device == DEVICE
    _note('synchronize')


CUDA = {
    'Stream': Stream,
    'current_stream': Stream,
    'stream': lambda stream: nullcontext(),
    'device': lambda device: nullcontext(),
    'synchronize': _synchronize,
    'cudart': lambda: SimpleNamespace(
        cudaHostRegister=lambda pointer, size, flags: 0, cudaHostUnregister=lambda pointer: 0
    ),
    'is_available': lambda: True,
    'init': lambda: None,
    'device_count': lambda: DEVICE.index + 1,
    'mem_get_info': lambda device: (2**40, 2**40),
    'empty_cache': lambda: None,
}
"""What the product uses of `torch.cuda`."""


def _gather_runs_triton(slab: Tensor, starts: OnDevice, run: int, *, unit: int) -> OnDevice:
    """Do what the kernel does: the device reads locked RAM by itself."""
    return OnDevice(runs.gather_runs_torch(slab, starts.host, run, unit=unit))
