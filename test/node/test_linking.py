# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys

import pytest

LINK = """
import threading
from livevlm_ros.node.linking import link_torch

ended, ticks = threading.Event(), []

def tick():
    while not ended.wait(0.001):
        ticks.append('tick')

other = threading.Thread(target=tick)
other.start()
before = len(ticks)
link_torch()
during = len(ticks) - before
ended.set()
with open('/proc/self/maps') as linked:
    assert 'libtorch' in linked.read()
import torch
print(during)
"""


@pytest.mark.usefixtures('needs_torch')
def test_other_threads_run_while_torch_is_linked() -> None:
    done = subprocess.run([sys.executable, '-c', LINK], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 5
