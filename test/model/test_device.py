# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.device import check_room, find_device

GPU = torch.device('cuda', 0)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let torch believe in a machine with GPUs, or in one whose driver says what is wrong."""

    def gpus(count: int, *, problem: str = '', free: int = 0, total: int = 0) -> None:
        def init() -> None:
            if problem:
                raise RuntimeError(problem)

        monkeypatch.setattr('torch.__version__', '2.11.0+cu130')
        monkeypatch.setattr('torch.version.cuda', '13.0')
        monkeypatch.setattr('torch.backends.cuda.is_built', lambda: True)
        monkeypatch.setattr('torch.cuda.init', init)
        monkeypatch.setattr('torch.cuda.device_count', lambda: count)
        monkeypatch.setattr('torch.cuda.empty_cache', lambda: None)
        monkeypatch.setattr('torch.cuda.mem_get_info', lambda device: (free, total))

    return gpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with two billion numbers of weights, as its headers say."""
    names = {'a': 'model-1.safetensors', 'b': 'model-2.safetensors'}
    for name, file in names.items():
        save_file({name: torch.zeros(1000, 1, dtype=torch.bfloat16)}, tmp_path / file)
    entries = ', '.join(f'"{name}": "{file}"' for name, file in names.items())
    (tmp_path / 'model.safetensors.index.json').write_text(f'{{"weight_map": {{{entries}}}}}')
    return tmp_path


def test_a_device_that_is_there_is_found(gpus: Callable) -> None:
    gpus(2)
    for name in ('cpu', 'cuda', 'cuda:1'):
        assert find_device(name) == torch.device(name)


@pytest.mark.parametrize(
    ('count', 'name', 'said'),
    [
        (1, 'cuda:7', "device 'cuda:7': this machine has 1 GPU, expected cuda:0"),
        (4, 'cuda:4', "device 'cuda:4': this machine has 4 GPUs, expected cuda:0 to cuda:3"),
    ],
)
def test_a_gpu_beyond_those_there_are_is_refused(
    gpus: Callable, count: int, name: str, said: str
) -> None:
    gpus(count)
    with pytest.raises(ValueError) as refused:
        find_device(name)
    assert str(refused.value) == said


def test_a_torch_without_cuda_is_refused_with_what_to_install(
    gpus: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(1)
    monkeypatch.setattr('torch.__version__', '2.11.0+cpu')
    monkeypatch.setattr('torch.backends.cuda.is_built', lambda: False)
    with pytest.raises(ValueError) as refused:
        find_device('cuda')
    assert str(refused.value) == (
        "device 'cuda': torch 2.11.0+cpu is built without CUDA; install a build with it "
        '(https://pytorch.org/get-started), or set device to cpu'
    )


@pytest.mark.parametrize(
    'problem',
    [
        'The NVIDIA driver on your system is too old (found version 11040).\nUpdate the driver.',
        'Found no NVIDIA driver on your system.',
        'No CUDA GPUs are available',
    ],
)
def test_what_the_driver_lacks_is_said_in_one_line_beside_what_torch_needs(
    gpus: Callable, problem: str
) -> None:
    gpus(0, problem=problem)
    with pytest.raises(ValueError) as refused:
        find_device('cuda:0')
    said = str(refused.value)
    assert said.startswith("device 'cuda:0': torch 2.11.0+cu130, built for CUDA 13.0, cannot use")
    assert problem.split('.')[0] in said and said.endswith('; or set device to cpu')
    assert '\n' not in said


@pytest.mark.parametrize(
    ('dtype', 'free', 'total', 'said'),
    [
        (torch.bfloat16, 4000, 9000, ''),
        (torch.float32, 8000, 9000, ''),
        (torch.float32, 7999, 9000, 'set dtype to bfloat16, which needs 4.0 GB'),
        (torch.bfloat16, 3000, 9000, 'end what else uses the GPU, or take a model of at most'),
        (torch.bfloat16, 3000, 3500, 'in bfloat16: take a model of at most 1.5 billion'),
    ],
)
def test_weights_that_a_gpu_has_no_room_for_are_refused_with_what_would_fit(
    gpus: Callable,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    free: int,
    total: int,
    said: str,
) -> None:
    gpus(1, free=free * 10**6, total=total * 10**6)
    monkeypatch.setattr('livevlm_ros.model.device.count_numbers', lambda of: {'F16': 2 * 10**9})
    if not said:
        check_room(folder, dtype=dtype, device=GPU)
        return
    with pytest.raises(ValueError) as refused:
        check_room(folder, dtype=dtype, device=GPU)
    assert said in str(refused.value)
    assert f"device 'cuda:0' has {free / 1e3:.1f} GB of {total / 1e3:.1f} GB free" in str(
        refused.value
    )


def test_fewer_bits_need_less_room(
    gpus: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(1, free=3 * 10**9, total=9 * 10**9)
    monkeypatch.setattr('livevlm_ros.model.device.count_numbers', lambda of: {'F16': 2 * 10**9})
    check_room(folder, dtype=torch.bfloat16, device=GPU, saved_bytes=10**9)
    said = 'need 3.1 GB in bfloat16 with fewer bits in the language layers: end what else'
    with pytest.raises(ValueError, match=said):
        check_room(folder, dtype=torch.bfloat16, device=GPU, saved_bytes=9 * 10**8)


def test_a_model_without_room_is_refused_before_anything_is_loaded(
    gpus: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(1, free=10**6, total=10**6)
    monkeypatch.setattr('livevlm_ros.model.video_language_model.open_weights', None)
    with pytest.raises(ValueError, match='need 0.0 GB in bfloat16: take a model of at most 0.0'):
        load_model(ModelConfig(device='cuda'))


def test_a_cpu_is_asked_nothing(folder: Path) -> None:
    check_room(folder / 'nowhere', dtype=torch.float32, device=torch.device('cpu'))
