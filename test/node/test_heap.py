# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import gc
import weakref

import pytest

from livevlm_ros.node import heap


class Ring:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


def test_collections_pass_over_what_is_loaded_until_it_is_given_back() -> None:
    heap.give_back()
    frozen = gc.get_freeze_count()  # what Python 3.12 never collects
    ring = Ring()
    gone = weakref.ref(ring)
    with heap.spare_collections():
        assert not gc.isenabled()
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() > 10 * len(gc.get_objects())
        del ring
        gc.collect()
        assert gone() is not None
    finally:
        heap.give_back()
    assert gone() is None
    assert gc.get_freeze_count() == frozen


def test_an_import_that_fails_leaves_nothing_out_of_collections() -> None:
    heap.give_back()
    frozen = gc.get_freeze_count()
    with pytest.raises(ImportError), heap.spare_collections():
        raise ImportError
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_a_model_whose_load_failed_is_gone_before_the_next_is_loaded() -> None:
    ring = Ring()
    gone = weakref.ref(ring)
    del ring
    try:
        with heap.spare_collections():
            assert gone() is None
    finally:
        heap.give_back()
