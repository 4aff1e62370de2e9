# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import torch
from safetensors.torch import save_file

from livevlm_ros.model import ModelConfig, load_model
from livevlm_ros.model.weight_files import count_numbers
from livevlm_ros.weights import EMBEDDED


def test_numbers_are_counted_in_every_file_by_type_and_none_is_loaded(tmp_path: Path) -> None:
    types = {'a': torch.bfloat16, 'b': torch.float32}
    for name, dtype in types.items():
        save_file({name: torch.zeros(1000, 2, dtype=dtype)}, tmp_path / f'{name}.safetensors')
    entries = ', '.join(f'"{name}": "{name}.safetensors"' for name in types)
    (tmp_path / 'model.safetensors.index.json').write_text(f'{{"weight_map": {{{entries}}}}}')
    assert count_numbers(tmp_path) == {'BF16': 2000, 'F32': 2000}


def test_those_of_the_embedded_model_are_all_that_is_loaded() -> None:
    assert count_numbers(EMBEDDED) == {'F16': load_model(ModelConfig()).parameters}
