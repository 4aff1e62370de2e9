# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every family, and for checkpoints of none."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm_ros.model import CheckpointError
from livevlm_ros.model.families import family_name, known_families, open_family

ALONE = """
import sys
from pathlib import Path
from livevlm_ros.model.families import family_name
try:
    print(family_name(Path(sys.argv[1])))
except ValueError as error:
    print(error)
print({'torch', 'transformers'} & sys.modules.keys())
"""


@pytest.mark.parametrize('name', [*known_families(), 'llava_next'])
def test_a_family_is_told_from_config_json_alone_before_torch(tmp_path: Path, name: str) -> None:
    (tmp_path / 'config.json').write_text(json.dumps({'model_type': name}))
    said = subprocess.run(
        [sys.executable, '-c', ALONE, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    told, loaded = said.splitlines()
    assert loaded == 'set()'
    if name in known_families():
        assert told == name
    else:
        assert "model_type = 'llava_next'" in told
        assert all(known in told for known in known_families())


@pytest.mark.parametrize('given', [None, '', '__init__', '../families/llava_onevision', 5, []])
def test_a_name_that_is_no_familys_imports_nothing(tmp_path: Path, given: object) -> None:
    (tmp_path / 'config.json').write_text(json.dumps({'model_type': given}))
    with pytest.raises(CheckpointError, match='expected one of .*llava_onevision'):
        family_name(tmp_path)


@pytest.mark.parametrize('name', known_families())
def test_every_module_here_is_a_family(name: str) -> None:
    from importlib import import_module

    family = import_module(f'livevlm_ros.model.families.{name}').FAMILY
    assert family.network.config_class.model_type == name
    assert set(family.parts) == {'text_config', 'vision_config'}


@pytest.mark.parametrize('room', ['model', 'memory', 'engine', 'node'])
def test_no_file_but_a_familys_own_names_its_classes(room: str) -> None:
    families = Path(sys.modules[family_name.__module__].__file__).parent
    own = {families, families.parent / 'shapes'}
    for file in (families.parents[1] / room).rglob('*.py'):
        if file.parent not in own:
            named = re.findall(r'LlavaOnevision|Siglip|Qwen\d|SmolVLM', file.read_text())
            assert not named, f'{file.name} names {named}'


def test_the_files_are_read_before_the_weights(word_checkpoint: Path) -> None:
    assert open_family(word_checkpoint).shape().tokens_per_frame == 9
