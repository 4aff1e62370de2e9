# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of several rooms need, and the question that the node's fake engine is asked."""

import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope='session')
def ros_domains() -> Iterator[int]:
    """Give ROS domains that neither another worker nor another leg of the tests uses."""
    first, last = map(int, os.environ.get('LIVEVLM_DOMAINS', '1-100').split('-'))
    worker = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
    workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
    mine = range(first + worker, last + 1, workers)
    return itertools.cycle(random.SystemRandom().sample(mine, len(mine)))


@pytest.fixture
def runs_out() -> Callable[[int, Exception], AbstractContextManager]:
    """Let the n-th operation fail, with some error, whose result lies in new storage."""
    import torch  # which not every room's tests need
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    def place(leaf: object) -> int:
        return leaf.untyped_storage().data_ptr() if isinstance(leaf, torch.Tensor) else 0

    class RunsOut(TorchDispatchMode):
        def __init__(self, at: int, error: Exception) -> None:
            super().__init__()
            self._left, self._error = at, error

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            given = {place(leaf) for leaf in tree_leaves((args, kwargs))}
            if {place(leaf) for leaf in tree_leaves(out)} - given - {0}:
                self._left -= 1
                if not self._left:
                    raise self._error
            return out

    return RunsOut


@pytest.fixture(scope='session')
def children_of() -> Callable[[int], list[int]]:
    """Give a function that returns the processes that a process has started."""

    def children(pid: int) -> list[int]:
        listed = Path(f'/proc/{pid}/task/{pid}/children').read_text(encoding='utf-8')
        return [int(child) for child in listed.split()]

    return children


@pytest.fixture(scope='session')
def is_gone() -> Callable[[int], bool]:
    """Give a function that says whether a process has ended, waited for or not."""

    def gone(pid: int) -> bool:
        try:
            return ') Z ' in Path(f'/proc/{pid}/stat').read_text(encoding='utf-8')
        except (FileNotFoundError, ProcessLookupError):
            return True

    return gone


class FakeInquiry:
    """A question to the fake engine; of one that is held the test says how far it is."""

    def __init__(self, question: Any, answer: Callable[[Any], Any] | None, *, held: bool) -> None:
        from livevlm_ros.engine.messages import Phase

        self.question = question
        self.phase = Phase.QUEUED
        self.canceled = False
        self._answer = answer
        self._done = threading.Event()
        self._text, self._tokens = '', 0
        if not held:
            self._done.set()

    def say(self, text: str) -> None:
        """Let the answer grow by a token."""
        from livevlm_ros.engine.messages import Phase

        self._text, self._tokens = self._text + text, self._tokens + 1
        self.phase = Phase.DECODING

    def end(self) -> None:
        """Let the answer be complete."""
        self._done.set()

    def follow(self, *, every_s: float) -> Iterator[Any]:
        """Tell how far it is."""
        from livevlm_ros.engine.messages import Progress

        while not self._done.is_set():
            yield Progress(self.phase, 0.5, 1.5, self._text, self._tokens)
            self._done.wait(every_s)

    def cancel(self) -> None:
        """End with what was said."""
        self.canceled |= not self._done.is_set()
        self._done.set()

    def reply(self) -> Any:
        """Answer when it is complete: with what was said, or as the engine was told to."""
        from livevlm_ros.engine.messages import Answer, Finish, Status

        assert self._done.wait(60)
        if self._answer is not None:
            return self._answer(self.question)
        status, finish, text = Status.OK, Finish.STOP, self._text or 'red'
        if self.canceled:
            status, finish, text = Status.CANCELED, Finish.CANCELED, self._text
        return Answer(
            status,
            request_id=self.question.request_id,
            text=text,
            finish=finish,
            completion_tokens=self._tokens,
        )


@pytest.fixture(scope='session')
def fake_inquiry() -> type[FakeInquiry]:
    """Give what stands for a question under way."""
    return FakeInquiry


@pytest.fixture
def serve_http() -> Iterator[Callable[[Any], str]]:
    """Give what serves an ASGI application until the test ends, and returns its address."""
    import uvicorn

    from livevlm_ros.tools.listening import listen

    running: list[tuple[Any, threading.Thread]] = []

    def serve(app: Any) -> str:
        listening = listen('127.0.0.1', 0)
        server = uvicorn.Server(uvicorn.Config(app, log_level='warning', ws='none'))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        running.append((server, thread))
        return f'http://127.0.0.1:{listening.getsockname()[1]}'

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
