# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals that come at any moment stop a program, and stop it once."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from livevlm_ros.node.stopping import hear_signals

SENDER = 'import os, sys; [os.kill(os.getppid(), int(sys.argv[1])) for _ in range(5000)]'
KINDS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers_of_before() -> Iterator[None]:
    before = {kind: signal.getsignal(kind) for kind in KINDS}
    yield
    for kind, handler in before.items():
        signal.signal(kind, handler)


@pytest.mark.timeout(60)
@pytest.mark.parametrize('kind', KINDS)
def test_a_signal_that_comes_in_the_middle_of_a_wait_is_heard(kind: signal.Signals) -> None:
    stop = hear_signals()
    assert not stop.is_set()
    sender = subprocess.Popen([sys.executable, '-c', SENDER, str(int(kind))])
    while sender.poll() is None:
        stop.wait(0)  # holds the event's lock most of the time
    assert sender.returncode == 0
    assert stop.wait(10)
