# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files beside a checkpoint's weights: those that are read have a largest size."""

from pathlib import Path

import pytest

from livevlm_ros.model import CheckpointError, checkpoint_folder


def large(folder: Path, name: str, nbytes: int = 300_000_000) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    with file.open('wb') as opened:
        opened.truncate(nbytes)  # zeros that take no disk


@pytest.mark.parametrize(
    'name',
    [
        'dataset.json',
        'trainer_state.json',
        'notes.txt',
        'list.yaml',
        'page.jinja',
        'config.json.old',
    ],
)
def test_a_file_that_nothing_reads_may_have_any_size(tmp_path: Path, name: str) -> None:
    large(tmp_path, name)
    assert checkpoint_folder(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    'name',
    [
        'config.json',
        'generation_config.json',
        'preprocessor_config.json',
        'video_preprocessor_config.json',
        'processor_config.json',
        'tokenizer.json',
        'tokenizer.4.json',
        'tokenizer_config.json',
        'special_tokens_map.json',
        'chat_template.json',
        'model.safetensors.index.json',
        'vocab.json',
        'vocab.txt',
        'vocabulary.yaml',
        'additional_chat_templates/tools.jinja',
    ],
)
def test_a_file_that_is_read_has_a_largest_size(tmp_path: Path, name: str) -> None:
    large(tmp_path, name)
    with pytest.raises(CheckpointError, match=f'{name}: 300 MB, expected at most'):
        checkpoint_folder(str(tmp_path))


def test_a_vocabulary_may_be_larger_than_settings(tmp_path: Path) -> None:
    large(tmp_path, 'tokenizer.json', 100_000_000)
    assert checkpoint_folder(str(tmp_path)) == tmp_path
    large(tmp_path, 'tokenizer_config.json', 100_000_000)
    with pytest.raises(CheckpointError, match='tokenizer_config.json: 100 MB'):
        checkpoint_folder(str(tmp_path))
