# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A client in a process of its own, to be killed or stopped: asks without pause and says so."""

from __future__ import annotations

import itertools
import sys

from livevlm_bench.over_ros.asker import LOST_S, QUESTION
from livevlm_ros.node.client import Client

SPOKEN = {'max_tokens': 512, 'temperature': 1.0}  # random weights speak long
HEARD, ANSWERED = 'heard', 'answered'


def main(name: str) -> None:
    """Ask by `ask_stream`, each question under a name that tells whose it is."""

    def hear(feedback: object) -> None:
        print(HEARD, flush=True)

    with Client() as client:
        client.wait_for_stream_server(LOST_S)
        for number in itertools.count():
            asked = client.stream(
                QUESTION, hear, budget_s=2.0, request_id=f'{name}/{number}', **SPOKEN
            )
            if asked.wait(LOST_S) is not None:
                print(ANSWERED, flush=True)


if __name__ == '__main__':
    main(sys.argv[1])
