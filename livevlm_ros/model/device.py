# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The device that a model is to run on: whether it is there, and has room for the weights."""

from __future__ import annotations

from pathlib import Path

import torch

from livevlm_ros.model.weight_files import count_numbers


def find_device(name: str) -> torch.device:
    """
    Return a device that is there and can be used.

    :param name: `cpu`, `cuda` or `cuda:N`
    :raises ValueError: saying what is missing, and what to do
    """
    device = torch.device(name)
    if device.type != 'cuda':
        return device
    if not torch.backends.cuda.is_built():
        raise ValueError(
            f'device {name!r}: torch {torch.__version__} is built without CUDA; install a build '
            'with it (https://pytorch.org/get-started), or set device to cpu'
        )
    try:
        torch.cuda.init()
    except RuntimeError as error:  # no driver, one too old, no GPU: torch says which
        raise ValueError(
            f'device {name!r}: torch {torch.__version__}, built for CUDA {torch.version.cuda}, '
            f'cannot use a GPU here: {" ".join(str(error).split()).rstrip(".")}; or set device to '
            'cpu'
        ) from error
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        there = 'cuda:0' if count == 1 else f'cuda:0 to cuda:{count - 1}'
        raise ValueError(
            f'device {name!r}: this machine has {count} GPU{"s" * (count > 1)}, expected {there}'
        )
    return device


def check_room(
    folder: Path, *, dtype: torch.dtype, device: torch.device, saved_bytes: int = 0
) -> None:
    """
    Refuse weights that a GPU has no room for, before any is loaded.

    :param folder: that `check_files` let pass
    :param saved_bytes: of language layers with fewer bits than `dtype`; 0: they are of that type
    :raises ValueError: saying what they need, what is free, and what would fit
    """
    if device.type != 'cuda':
        return
    torch.cuda.empty_cache()  # what this process keeps of an earlier model is free too
    free, total = torch.cuda.mem_get_info(device)
    numbers = sum(count_numbers(folder).values())
    needed = numbers * dtype.itemsize - saved_bytes
    if needed <= free:
        return
    half = 2 * numbers
    if half <= free and not saved_bytes:
        would_fit = f'set dtype to bfloat16, which needs {_gb(half)}'
    else:
        would_fit = f'take a model of at most {free / 2e9:.1f} billion parameters in bfloat16'
        if half <= total:
            would_fit = f'end what else uses the GPU, or {would_fit}'
    raise ValueError(
        f'device {str(device)!r} has {_gb(free)} of {_gb(total)} free, the weights of {folder} '
        f'need {_gb(needed)} in {str(dtype).removeprefix("torch.")}'
        f'{" with fewer bits in the language layers" if saved_bytes else ""}: {would_fit}'
    )


def _gb(nbytes: int) -> str:
    return f'{nbytes / 1e9:.1f} GB'
