# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from livevlm_ros.model import CheckpointError, ModelConfig, load_model
from livevlm_ros.model.folder import checkpoint_folder


@pytest.fixture
def folder(word_checkpoint: Path, tmp_path: Path) -> Path:
    """Copy a good checkpoint, to be broken."""
    return Path(shutil.copytree(word_checkpoint, tmp_path / 'model'))


def _refused(folder: Path | str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        load_model(ModelConfig(str(folder)))


def test_the_copy_loads_before_it_is_broken(folder: Path) -> None:
    assert load_model(ModelConfig(str(folder))).model_id == 'model'


@pytest.mark.parametrize(
    'name',
    [
        'config.json',
        'model.safetensors',
        'tokenizer.json',
        'tokenizer_config.json',
        'preprocessor_config.json',
    ],
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    _refused(folder, f'{name} is missing')


def test_a_link_that_leads_nowhere_is_a_missing_file(folder: Path) -> None:
    (folder / 'tokenizer.json').unlink()
    (folder / 'tokenizer.json').symlink_to('nowhere')
    _refused(folder, r'tokenizer\.json is missing')


def test_a_missing_chat_template_is_named(folder: Path) -> None:
    (folder / 'chat_template.jinja').unlink()
    _refused(folder, r'no chat template, expected chat_template\.jinja')


def test_a_missing_folder_says_what_a_path_may_be(tmp_path: Path) -> None:
    _refused(tmp_path / 'nowhere', 'no model folder .*nowhere.*embedded.*hub name')


def test_a_file_in_place_of_a_folder_is_refused(folder: Path) -> None:
    _refused(folder / 'config.json', 'no model folder')


@pytest.mark.parametrize('kept', [0.9, 0.1, 0.0])
def test_truncated_weights_are_refused(folder: Path, kept: float) -> None:
    weights = folder / 'model.safetensors'
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(len(whole) * kept)])
    _refused(folder, r'model\.safetensors: truncated or corrupt')


def test_weights_with_a_corrupt_header_are_refused(folder: Path) -> None:
    weights = folder / 'model.safetensors'
    whole = bytearray(weights.read_bytes())
    whole[20:40] = b'\xff' * 20
    weights.write_bytes(whole)
    _refused(folder, r'model\.safetensors: truncated or corrupt')


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    with safe_open(folder / 'model.safetensors', framework='pt') as weights:
        return {name: weights.get_tensor(name).clone() for name in weights.keys()}  # noqa: SIM118


def test_weights_that_lack_a_tensor_are_refused_by_its_name(folder: Path) -> None:
    tensors = _tensors(folder)
    name = next(name for name in tensors if 'layers.1.self_attn.k_proj.weight' in name)
    del tensors[name]
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    _refused(folder, r'lack 1 tensors .*layers\.1\.self_attn\.k_proj\.weight')


@pytest.mark.parametrize('number', [float('nan'), float('inf'), -float('inf')])
def test_weights_with_a_number_that_is_none_are_refused_by_the_tensors_name(
    folder: Path, number: float
) -> None:
    tensors = _tensors(folder)
    name = next(name for name in tensors if 'layers.1.self_attn.k_proj.weight' in name)
    tensors[name][3, 4] = number
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    _refused(folder, r'layers\.1\.self_attn\.k_proj\.weight holds NaN or infinity')


def test_weights_too_large_for_the_type_asked_for_are_refused(folder: Path) -> None:
    tensors = {name: tensor.float() for name, tensor in _tensors(folder).items()}
    name = next(name for name in tensors if 'layers.1.self_attn.k_proj.weight' in name)
    tensors[name][3, 4] = 1e5
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    load_model(ModelConfig(str(folder)))
    with pytest.raises(CheckpointError, match=r'k_proj\.weight holds .* as float16'):
        load_model(ModelConfig(str(folder), dtype='float16'))


def test_weights_of_another_size_are_refused(folder: Path, edit_json: Callable) -> None:
    config = json.loads((folder / 'config.json').read_text())
    edit_json(folder / 'config.json', text_config={**config['text_config'], 'vocab_size': 99})
    _refused(folder, 'cannot load it|lack')


def test_a_missing_shard_is_named(folder: Path) -> None:
    tensors = _tensors(folder)
    (folder / 'model.safetensors').unlink()
    first, second = 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'
    names = sorted(tensors)
    half = {name: tensors[name] for name in names[:10]}
    save_file(half, folder / first, metadata={'format': 'pt'})
    places = {name: first if name in half else second for name in names}
    index = folder / 'model.safetensors.index.json'
    index.write_text(json.dumps({'metadata': {}, 'weight_map': places}))
    _refused(folder, f'{second} is missing')


def test_an_index_that_is_missing_beside_its_shards_is_named(folder: Path) -> None:
    (folder / 'model.safetensors').rename(folder / 'model-00001-of-00002.safetensors')
    _refused(folder, r'model\.safetensors\.index\.json is missing.*model-00001-of-00002')


def test_weights_in_shards_are_those_of_one_file(folder: Path) -> None:
    whole, tensors = load_model(ModelConfig(str(folder))).hf.state_dict(), _tensors(folder)
    (folder / 'model.safetensors').unlink()
    places = {
        name: f'model-0000{number % 2 + 1}-of-00002.safetensors'
        for number, name in enumerate(sorted(tensors))
    }
    for file in set(places.values()):
        shard = {name: tensors[name] for name, place in places.items() if place == file}
        save_file(shard, folder / file, metadata={'format': 'pt'})
    index = folder / 'model.safetensors.index.json'
    index.write_text(json.dumps({'metadata': {}, 'weight_map': places}))
    shards = load_model(ModelConfig(str(folder))).hf.state_dict()
    assert shards.keys() == whole.keys()
    assert all(torch.equal(shards[name], whole[name]) for name in whole)


OF_THE_HUB = {'vision_tower.': 'vision_tower.vision_model.'}
OF_TRANSFORMERS_5 = {
    'language_model.lm_head.': 'lm_head.',
    'language_model.model.': 'model.language_model.',
    **{name: f'model.{name}' for name in ('vision_tower.', 'multi_modal_', 'image_newline')},
}


@pytest.mark.parametrize('names', [OF_THE_HUB, OF_TRANSFORMERS_5], ids=['hub', 'transformers 5'])
def test_weights_are_the_same_by_all_names_that_releases_gave_them(
    folder: Path, names: dict[str, str]
) -> None:
    config = ModelConfig(str(folder))
    expected = load_model(config).hf.state_dict()
    tensors = {}
    for name, tensor in _tensors(folder).items():
        old = next((old for old in names if name.startswith(old)), '')
        tensors[names.get(old, '') + name.removeprefix(old)] = tensor
    assert tensors.keys() != _tensors(folder).keys()
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    found = load_model(config).hf.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize('form', ['chat_template.json', 'tokenizer_config.json', 'a list'])
def test_a_chat_template_may_lie_in_any_of_its_files(
    folder: Path, edit_json: Callable, form: str
) -> None:
    asked = load_model(ModelConfig(str(folder))).question('what ?').embeds
    template = (folder / 'chat_template.jinja').read_text()
    (folder / 'chat_template.jinja').unlink()
    if form == 'chat_template.json':
        (folder / form).write_text(json.dumps({'chat_template': template}))
    else:
        given = [{'name': 'default', 'template': template}] if form == 'a list' else template
        edit_json(folder / 'tokenizer_config.json', chat_template=given)
    assert torch.equal(load_model(ModelConfig(str(folder))).question('what ?').embeds, asked)


@pytest.mark.parametrize('place', ['../model.safetensors', '/etc/passwd', 5, ['a']])
def test_an_index_that_leads_elsewhere_is_refused(folder: Path, place: object) -> None:
    index = folder / 'model.safetensors.index.json'
    index.write_text(json.dumps({'weight_map': {'lm_head.weight': place}}))
    _refused(folder, r'index\.json: weight_map has .*expected names of files in its folder')


def test_weights_that_are_refused_are_not_reported_on_besides(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = _tensors(folder)
    del tensors[next(name for name in tensors if name.endswith('k_proj.weight'))]
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    transformers = logging.getLogger('transformers')
    transformers.addHandler(caplog.handler)
    try:
        _refused(folder, 'the weights lack')
    finally:
        transformers.removeHandler(caplog.handler)
    assert caplog.text == ''


def test_a_git_lfs_pointer_says_how_to_get_the_weights(folder: Path) -> None:
    pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 999\n'
    (folder / 'model.safetensors').write_text(pointer)
    _refused(folder, r'model\.safetensors: a Git LFS pointer.*run git lfs pull')


@pytest.mark.parametrize(
    ('name', 'changes', 'said'),
    [
        ('config', {'vision_feature_select_strategy': 'default'}, "'default', expected 'full'"),
        ('config', {'text_config': {'max_position_embeddings': 1000}}, 'expected at least 1033'),
        ('preprocessor_config', {'rescale_factor': None}, 'rescale_factor is None'),
        ('preprocessor_config', {'image_std': [0.5, 0, 0.5]}, r'image_std is \[0.5, 0, 0.5\]'),
        ('preprocessor_config', {'do_resize': False}, 'do_resize is False'),
    ],
)
def test_what_other_files_say_is_refused_in_a_line_before_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, changes: dict, said: str
) -> None:
    file = folder / f'{name}.json'
    settings = json.loads(file.read_text())
    for key, given in changes.items():
        settings[key] = {**settings[key], **given} if isinstance(given, dict) else given
    file.write_text(json.dumps(settings))
    monkeypatch.setattr('livevlm_ros.model.video_language_model.open_weights', None)
    with pytest.raises(CheckpointError, match=said) as refused:
        load_model(ModelConfig(str(folder)))
    assert str(folder) in str(refused.value) and '\n' not in str(refused.value)


@pytest.mark.parametrize(
    ('name', 'nbytes'),
    [
        ('config.json', 300_000_000),
        ('tokenizer_config.json', 300_000_000),
        ('tokenizer.json', 300_000_000),
        ('added_tokens.json', 300_000_000),
        ('merges.txt', 300_000_000),
        ('chat_template.jinja', 2_000_000),
        ('memory.yaml', 1_000_000),
    ],
)
def test_a_file_of_absurd_size_is_refused_unread(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, nbytes: int
) -> None:
    with (folder / name).open('wb') as file:
        file.truncate(nbytes)  # zeros that take no disk
    monkeypatch.setattr(Path, 'read_text', None)
    with pytest.raises(
        CheckpointError, match=f'{name}: {nbytes // 10**6} MB, expected'
    ) as refused:
        load_model(ModelConfig(str(folder)))
    assert '\n' not in str(refused.value)


def test_weights_with_an_absurdly_long_header_are_refused_unread(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = b'{' + b','.join(empty % number for number in range(200_000)) + b'}'
    (folder / 'model.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header)
    monkeypatch.setattr('livevlm_ros.model.checkpoint.safe_open', None)
    _refused(folder, r'model\.safetensors: a header of 11 MB, expected at most 8\.39')


def test_a_chat_template_without_end_is_refused_in_a_line_before_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('livevlm_ros.model.template_trial.CPU_S', 1)
    monkeypatch.setattr('livevlm_ros.model.video_language_model.open_weights', None)
    loops = '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}'
    (folder / 'chat_template.jinja').write_text(loops)
    with pytest.raises(CheckpointError) as refused:
        load_model(ModelConfig(str(folder)))
    said = 'the chat template does not render (it takes more than 1 s of CPU time)'
    assert str(refused.value) == f'{folder}: {said}'


@pytest.mark.parametrize('name', ['pytorch_model.bin', 'model.pt', 'weights.pth'])
def test_pickled_weights_are_refused_and_never_read(folder: Path, name: str) -> None:
    (folder / 'model.safetensors').rename(folder / name)
    _refused(folder, f'pickled .{name}.*refused; expected model.safetensors')


def test_pickles_beside_safetensors_do_not_matter(folder: Path) -> None:
    (folder / 'training_args.bin').write_bytes(b'not a model')
    load_model(ModelConfig(str(folder)))


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'model_type': 'llava_next'}, "model_type = 'llava_next'.*expected one of .*llava_onev"),
        ({'model_type': None}, 'model_type = None'),
        ({'text_config': {'model_type': 'llama'}}, "text_config.model_type = 'llama'.*'qwen2'"),
        ({'vision_config': {'model_type': 'clip'}}, "vision_config.model_type = 'clip'"),
    ],
)
def test_another_architecture_is_refused_with_what_config_says(
    folder: Path, edit_json: Callable, changes: dict, said: str
) -> None:
    edit_json(folder / 'config.json', **changes)
    _refused(folder, said)


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'rope_parameters': {'rope_type': 'yarn', 'factor': 4.0}}, "rope_type = 'yarn'"),
        ({'use_sliding_window': True}, 'use_sliding_window = True'),
    ],
)
def test_attention_this_cache_does_not_do_is_refused(
    folder: Path, edit_json: Callable, changes: dict, said: str
) -> None:
    config = json.loads((folder / 'config.json').read_text())
    edit_json(folder / 'config.json', text_config={**config['text_config'], **changes})
    _refused(folder, said)


@pytest.mark.parametrize(
    ('name', 'text', 'said'),
    [
        ('config.json', '{"model_type": ', r'config\.json: not valid JSON'),
        ('config.json', '\ufeff{}', r'config\.json: not valid JSON \(Unexpected UTF-8 BOM'),
        ('config.json', '[]', r'config\.json: expected a JSON object'),
        ('preprocessor_config.json', '', r'preprocessor_config\.json: not valid JSON'),
        ('tokenizer.json', '{"version": 1', 'tokenizer'),
        ('preprocessor_config.json', '[' * 10**5, r'preprocessor_config\.json: not valid JSON'),
        ('memory.yaml', '[' * 10**4, r'memory\.yaml: not valid YAML'),
        ('memory.yaml', 'evidence: [', r'memory\.yaml: not valid YAML'),
        ('memory.yaml', '- 1', r'memory\.yaml: expected a mapping'),
        ('vocabulary.yaml', 'closed', r'vocabulary\.yaml: expected a mapping'),
    ],
)
def test_a_file_that_does_not_parse_is_named(
    folder: Path, name: str, text: str, said: str
) -> None:
    (folder / name).write_text(text)
    _refused(folder, said)


def test_code_that_comes_with_a_checkpoint_is_never_run(
    folder: Path, edit_json: Callable, tmp_path: Path
) -> None:
    ran = tmp_path / 'ran'
    (folder / 'evil.py').write_text(f'open({str(ran)!r}, "w")\nclass Evil: pass\n')
    named = {'AutoConfig': 'evil.Evil', 'AutoModel': 'evil.Evil', 'AutoTokenizer': 'evil.Evil'}
    edit_json(folder / 'config.json', auto_map=named)
    edit_json(folder / 'tokenizer_config.json', auto_map={'AutoTokenizer': ['evil.Evil', None]})
    try:
        load_model(ModelConfig(str(folder)))
    except CheckpointError as error:
        assert 'tokenizer' in str(error)
    assert not ran.exists()


def test_a_hub_name_is_read_from_the_cache_when_offline(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    repository = tmp_path / 'models--someone--some-model'
    snapshot = repository / 'snapshots' / ('0' * 40)
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    (repository / 'refs').mkdir()
    (repository / 'refs' / 'main').write_text('0' * 40)
    assert checkpoint_folder('someone/some-model') == snapshot
    assert load_model(ModelConfig('someone/some-model')).model_id == 'someone/some-model'


def test_a_hub_name_that_is_not_cached_says_so_when_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    _refused('someone/absent', 'someone/absent: no such folder here, and the hub .*HF_HUB_OFFLINE')
    _refused('someone/absent', r'\(hf download someone/absent\)')
