# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.tools.listening import is_local, listen


@pytest.mark.parametrize('host', ['127.0.0.1', '127.0.0.2', '::1', 'localhost'])
def test_this_machine_is_local(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize('host', ['0.0.0.0', '::', '192.168.0.7', 'robot', ''])
def test_others_are_not(host: str) -> None:
    assert not is_local(host)


def test_a_port_in_use_and_a_host_of_another_machine_are_refused_in_a_line() -> None:
    with listen('127.0.0.1', 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f'--port {port}: Address already in use'):
            listen('127.0.0.1', port)
    with pytest.raises(BadInput, match=r'--host 192\.0\.2\.1 --port 0: '):
        listen('192.0.2.1', 0)
