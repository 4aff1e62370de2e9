# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import subprocess
import sys
from pathlib import Path

from livevlm_ros.memory import PRESETS
from livevlm_ros.weights import EMBEDDED

HEAVY = ('torch', 'transformers', 'rclpy')
SCRIPT = f"""
import sys, time
from livevlm_ros.cli import app
try:
    app({{words}})
finally:
    loaded = [name for name in {HEAVY} if name in sys.modules]
    print(loaded, time.process_time(), file=sys.stderr)
"""


def test_a_plan_imports_nothing_heavy_and_takes_less_than_a_second() -> None:
    # Time of the processor, not of the wall: other work on the machine is no fault of ours.
    script = SCRIPT.format(words=['plan', '--hours', '1'])
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    loaded, _, seconds = result.stderr.strip().rpartition(' ')
    assert loaded == '[]' and 0.0 < float(seconds) < 1.0, result.stderr
    assert all(preset in result.stdout for preset in PRESETS)


def test_the_table_says_what_is_kept_for_how_long(livevlm) -> None:
    code, out, _ = livevlm('plan', '--ram', '0.05', '--cameras', '2')
    assert code == 0
    assert (
        'embedded on cpu in float32: llava_onevision, 4.4 million weights, by the headers' in out
    )
    assert '9 tokens and 55 kB; 8 h are 57600 frames' in out
    assert 'balanced: everything seen is kept for' in out
    assert 'set memory.archive_host_bytes to' in out


def test_json_has_all_of_it(livevlm, tmp_path: Path) -> None:
    shutil.copy(EMBEDDED / 'config.json', tmp_path)
    code, out, _ = livevlm('plan', '--model', tmp_path, '--preset', 'rekv', '--vram', 1, '--json')
    found = json.loads(out)
    (preset,) = found['presets']
    assert code == 0 and preset['preset'] == 'rekv' and preset['horizon']['seconds'] > 0
    assert (found['path'], found['dtype'], found['hours']) == (str(tmp_path), 'float32', 8.0)
    assert found['model']['counted'] is False and found['machine']['gpu_bytes'] == 10**9
    assert found['model']['bytes']['bfloat16'] == 2 * found['model']['numbers']


def test_weights_of_few_bits_are_named_beside_the_type_of_the_rest(livevlm, refused) -> None:
    code, out, _ = livevlm('plan', '--preset', 'recent', '--weights', 'int8')
    assert code == 0
    assert 'embedded on cpu in float32, its language layers in int8: llava_onevision' in out
    _, out, _ = livevlm('plan', '--preset', 'recent', '--weights', 'int8', '--json')
    found = json.loads(out)
    sizes = found['model']['bytes']
    assert found['weights'] == 'int8'
    assert sizes['int4'] < sizes['int8'] < sizes['float16'] < sizes['float32']
    assert 'weights must be one of auto, int8, int4' in refused('plan', '--weights', 'int2')


def test_what_a_setting_changes_is_in_the_plan(livevlm, refused, tmp_path: Path) -> None:
    shutil.copy(EMBEDDED / 'config.json', tmp_path)
    given = ['plan', '--model', tmp_path, '--preset', 'recent', '--cameras', '2', '--json']
    for options, tokens, static_bytes in (
        ([], 9, 0),
        (['--skip-static', 'tokens'], 9, 2 * 9 * 256 * 4),
        (['--skip-static', 'frames', '--image-tokens', '1'], 1, 2 * 256 * 4),
    ):
        found = json.loads(livevlm(*given, *options)[1])
        assert found['model']['shape']['tokens_per_frame'] == tokens
        assert found['presets'][0]['static_bytes'] == static_bytes
    assert 'expected 1 or 9; 0 is 9' in refused(*given, '--image-tokens', '4')
    assert 'skip_static must be one of' in refused(*given, '--skip-static', 'all')


def test_a_model_that_is_not_here_is_refused(refused, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv('HF_HOME', str(tmp_path))
    assert 'not on this machine' in refused('plan', '--model', 'nobody/nothing')
    (tmp_path / 'config.json').write_text('{"model_type": "gpt2"}')
    assert 'expected one of llava_onevision' in refused('plan', '--model', tmp_path)


def test_settings_that_cannot_be_are_refused(refused) -> None:
    assert 'memory preset must be one of' in refused('plan', '--preset', 'all')
    assert 'device must be cpu, cuda or cuda:N' in refused('plan', '--device', 'tpu')
    assert 'target_fps must be between' in refused('plan', '--fps', '0')
