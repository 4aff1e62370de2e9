# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import logging
from typing import Any

import pytest

from livevlm_ros.node.log import RosLog


def test_the_cause_of_a_caught_error_is_in_the_ros_log(
    ros: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = RosLog(ros.node('speaker'))
    try:
        raise RuntimeError('the device is gone')
    except RuntimeError:
        logging.getLogger('livevlm_ros.engine.loop').exception('a turn failed')
    handler.close()
    told = capfd.readouterr().err
    assert '[speaker]: a turn failed' in told
    assert 'RuntimeError: the device is gone' in told


def test_a_closed_log_is_silent(ros: Any, capfd: pytest.CaptureFixture[str]) -> None:
    RosLog(ros.node('silenced')).close()
    logging.getLogger('livevlm_ros.engine').error('who listens ?')
    assert '[silenced]: who listens ?' not in capfd.readouterr().err


def test_the_package_is_told_to_say_more_only_while_a_node_listens(
    ros: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = logging.getLogger('livevlm_ros')
    monkeypatch.setattr(package, 'handlers', [])  # of nodes that other tests did not close
    monkeypatch.setattr(package, 'level', logging.ERROR)  # as a host program has set it
    first, second = (RosLog(ros.node(name)) for name in ('first', 'second'))
    first.close()
    assert package.level == logging.INFO
    second.close()
    assert package.level == logging.ERROR
