# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals that come at any moment stop a program, and stop it once."""

import signal
import subprocess
import sys

import pytest

from livevlm_ros.node.spinning import stop_signals

SENDER = 'import os, sys; [os.kill(os.getppid(), int(sys.argv[1])) for _ in range(5000)]'


@pytest.mark.timeout(60)
@pytest.mark.parametrize('kind', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_in_the_middle_of_a_wait_is_heard(kind):
    with stop_signals() as stop:
        sender = subprocess.Popen([sys.executable, '-c', SENDER, str(int(kind))])
        while sender.poll() is None:
            stop.wait(0)  # holds the event's lock most of the time
        assert sender.returncode == 0
        assert stop.wait(10)


def test_handlers_are_those_of_before_when_it_ends():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as stop:
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    assert not stop.is_set()
