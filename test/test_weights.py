# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
from pathlib import Path

import pytest

from livevlm_ros.weights import EMBEDDED, local_folder, on_disk


def test_the_embedded_model_lies_beside_the_code() -> None:
    assert local_folder('embedded') == EMBEDDED
    assert re.fullmatch(r'[1-9]\d*\.\d MB on disk', on_disk('embedded'))


def test_the_shards_of_a_folder_are_added_up(tmp_path: Path) -> None:
    for number, size in enumerate((1_500_000, 600_000)):
        (tmp_path / f'model-{number}.safetensors').write_bytes(bytes(size))
    (tmp_path / 'config.json').write_text('{}' * 500_000)
    assert on_disk(str(tmp_path)) == '2.1 MB on disk'


@pytest.mark.parametrize('path', ['/nowhere', 'nobody/nothing', 'no folder and no name'])
def test_what_is_not_here_is_said_without_an_error(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    assert local_folder(path) is None
    assert on_disk(path) == 'not on this disk'
