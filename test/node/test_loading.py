# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from livevlm_ros.node import loading
from livevlm_ros.node.loading import Abandoned, Loading


def test_a_load_gives_its_engine() -> None:
    assert Loading(lambda stage: 'engine').wait() == 'engine'


def test_an_error_of_the_load_comes_out_of_wait() -> None:
    def load(stage: object) -> None:
        raise ValueError('no weights')

    with pytest.raises(ValueError, match='no weights'):
        Loading(load).wait()


def test_the_stage_is_told() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def load(stage: object) -> str:
        stage('weights 50%')  # type: ignore[operator]
        entered.set()
        go_on.wait(10)
        return 'engine'

    loading = Loading(load)
    with ThreadPoolExecutor() as pool:
        engine = pool.submit(loading.wait)
        assert entered.wait(10)
        assert loading.describe().startswith('weights 50%, ')
        go_on.set()
        assert engine.result(10) == 'engine'
    assert not loading.alive


def test_a_long_load_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loading, 'TELL_EVERY_S', 0.2)
    caplog.set_level(logging.INFO)

    def load(stage: object) -> str:
        stage('weights 50%')  # type: ignore[operator]
        while len(caplog.records) < 2:
            threading.Event().wait(0.01)
        return 'engine'

    began = Loading(load)
    assert began.wait() == 'engine'
    assert began.took_s >= 0.4
    assert all(text.startswith('still loading: weights 50%, ') for text in caplog.messages)


def test_a_short_load_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Loading(lambda stage: 'engine').wait()
    assert not caplog.records


def test_an_abandoned_load_is_not_waited_for_and_ends_at_its_next_stage() -> None:
    entered, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def load(stage: object) -> str:
        entered.set()
        go_on.wait(10)
        try:
            stage('next')  # type: ignore[operator]
        except Abandoned:
            ended.set()
        return 'engine'

    loading = Loading(load)
    with ThreadPoolExecutor() as pool:
        engine = pool.submit(loading.wait)
        assert entered.wait(10)
        loading.abandon()
        with pytest.raises(Abandoned):
            engine.result(10)
    assert loading.alive
    go_on.set()
    assert ended.wait(10)
