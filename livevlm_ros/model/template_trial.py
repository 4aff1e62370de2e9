# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A chat template, tried in a process of its own before it is used in this one.

It is a program that comes with a checkpoint. The sandbox that transformers runs it in bounds what
it may touch, but neither its time nor its memory; only a process can be ended by the system.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

CPU_S = 5  # beside what the process takes to start; templates take milliseconds
WAIT_S = 120.0  # for those seconds, on a machine that is busy
MEMORY_BYTES = 2**29
MOST_CHARACTERS = 100_000

_VERDICT = 'verdict of the trial: '  # begins a line of stdout; others may print there too

Messages = Sequence[Mapping[str, Any]]


def try_template(template: str, messages: Messages, tokens: Mapping[str, Any]) -> None:
    """
    Render a template in another process; one that has passed is not tried again.

    :param tokens: the tokenizer's special tokens by their names
    :raises ValueError: if it fails, does not end or makes too much, in one line
    """
    _try_once(json.dumps([template, messages, tokens, CPU_S]))


@lru_cache(maxsize=16)
def _try_once(task: str) -> None:
    alone = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), '1')
    try:
        process = subprocess.run(
            [sys.executable, '-P', __file__],
            input=task,
            env={**os.environ, **alone},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f'it takes more than {WAIT_S:g} s') from None
    _, told, rest = process.stdout.rpartition(f'\n{_VERDICT}')
    problem = rest.partition('\n')[0] if told else _why_ended(process)
    if problem:
        raise ValueError(problem)


def _why_ended(process: subprocess.CompletedProcess[str]) -> str:
    """Say why the other process ended before its verdict."""
    if process.returncode == -signal.SIGXCPU:
        return f'it takes more than {CPU_S} s of CPU time'
    if process.returncode < 0:
        by = -process.returncode
        short = '; memory may be short' if by == signal.SIGKILL else ''
        return f'signal {by} ended the process that tried it: {signal.strsignal(by)}{short}'
    said = process.stderr.strip().rpartition('\n')[2]
    return said or f'the process that tried it ended with exit code {process.returncode}'


def _problem() -> str:
    """Render the template that stdin has, in bounds, as transformers does; say what is wrong."""
    import resource

    from transformers.utils.chat_template_utils import render_jinja_template

    template, messages, tokens, cpu_s = json.load(sys.stdin)
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit_s = cpu_s + int(used.ru_utime + used.ru_stime)
    _lower(resource.RLIMIT_CPU, limit_s)
    with open('/proc/self/statm', encoding='ascii') as statm:
        limit = MEMORY_BYTES + int(statm.read().split()[0]) * resource.getpagesize()
    _lower(resource.RLIMIT_AS, limit)
    try:
        (text,), _ = render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=True, **tokens
        )
    except Exception as error:  # a template can compute anything, and fail in any way
        return repr(error)[:200]
    if len(text) > MOST_CHARACTERS:
        return f'it makes {len(text)} characters of one, expected at most {MOST_CHARACTERS}'
    return ''


def _lower(of: int, most: int) -> None:
    """
    Limit what this process may use, unless it may use less already.

    The hard limit stays: at that of the CPU time comes SIGKILL, which tells less than SIGXCPU.
    """
    import resource

    hard = resource.getrlimit(of)[1]
    resource.setrlimit(of, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == '__main__':
    print(f'\n{_VERDICT}{_problem()}', flush=True)
