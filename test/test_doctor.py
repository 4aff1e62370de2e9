# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The doctor sees what is there, names what is not, and never breaks down itself."""

import json
import os
import sys
from types import SimpleNamespace

import pytest

from livevlm_ros import doctor
from livevlm_ros.share import PROFILE_VARIABLE


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests of other rows the seconds of loading the model."""
    monkeypatch.setattr(doctor, 'model', lambda: doctor.Row('model', 'ok', 'not loaded'))


def test_every_check_has_its_row_in_json(
    without_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip('rclpy')
    code = doctor.doctor(as_json=True)
    rows = {row['name']: row for row in json.loads(capsys.readouterr().out)['checks']}
    assert set(rows) == {
        *('python', 'ros', 'interfaces', 'dds profile', 'shared memory'),
        *('opencv', 'torch', 'transformers', 'model'),
    }
    assert code == int(any(row['state'] == 'fail' for row in rows.values()))
    assert all(row['advice'] for row in rows.values() if row['state'] != 'ok')


def test_the_table_shows_what_to_do(
    without_model: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sick = doctor.Row('torch', 'fail', 'torch [old]', 'pip install torch')
    monkeypatch.setattr(doctor, 'torch', lambda: sick)
    assert doctor.doctor(as_json=False) == 1
    printed = capsys.readouterr().out
    assert 'fail' in printed
    assert '[old]' in printed


def test_a_missing_package_is_a_row_not_a_traceback(
    without_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'cv2', None)
    row = next(row for row in doctor.examine() if row.name == 'opencv')
    assert row.state == 'fail'
    assert 'cv2' in row.found
    assert row.advice


def test_missing_interfaces_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'livevlm_interfaces.srv', None)
    assert doctor.interfaces().state == 'fail'


@pytest.mark.parametrize(
    ('profile', 'state'), [(None, 'warn'), ('/not/here.xml', 'fail'), (__file__, 'ok')]
)
def test_the_dds_profile_is_judged(
    monkeypatch: pytest.MonkeyPatch, profile: str | None, state: str
) -> None:
    utilities = pytest.importorskip('rclpy.utilities')
    monkeypatch.setattr(utilities, 'get_rmw_implementation_identifier', lambda: 'rmw_fastrtps_cpp')
    monkeypatch.delenv(PROFILE_VARIABLE, raising=False)
    if profile:
        monkeypatch.setenv(PROFILE_VARIABLE, profile)
    row = doctor.dds_profile()
    assert row.state == state


def test_another_middleware_needs_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    utilities = pytest.importorskip('rclpy.utilities')
    monkeypatch.setattr(
        utilities, 'get_rmw_implementation_identifier', lambda: 'rmw_cyclonedds_cpp'
    )
    monkeypatch.delenv(PROFILE_VARIABLE, raising=False)
    assert doctor.dds_profile().state == 'ok'


@pytest.mark.parametrize(('megabytes', 'state'), [(64, 'warn'), (1024, 'ok')])
def test_small_shared_memory_is_seen(
    monkeypatch: pytest.MonkeyPatch, megabytes: int, state: str
) -> None:
    blocks = megabytes * 256
    disk = SimpleNamespace(f_frsize=4096, f_blocks=blocks, f_bavail=blocks)
    monkeypatch.setattr(os, 'statvfs', lambda path: disk)
    assert doctor.shared_memory().state == state


def test_an_old_torch_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('torch.__version__', '2.5.1+cu121')
    assert doctor.torch().state == 'fail'


def test_the_embedded_model_loads() -> None:
    row = doctor.model()
    assert ' on cpu, 18 MB of weights in float32, loaded in ' in row.found
    assert row.state == 'ok', row.found
