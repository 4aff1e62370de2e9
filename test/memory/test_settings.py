# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from itertools import pairwise

import pytest

from livevlm_ros.memory import CacheShape, RetrievalSettings
from livevlm_ros.memory.settings import VOTERS, largest_page, voting_layers


@pytest.mark.parametrize(
    ('frame', 'page'), [(196, 14), (9, 9), (4, 4), (16, 16), (34, 2), (17, 1)]
)
def test_a_page_is_the_largest_part_of_a_frame_up_to_sixteen_tokens(frame: int, page: int) -> None:
    assert largest_page(frame) == page


def test_without_an_entry_pages_are_large_and_middle_and_upper_layers_choose(
    shape: CacheShape,
) -> None:
    read = RetrievalSettings.from_settings
    for settings in ({}, {'retrieval': None}, {'retrieval': {}}, {'evidence': {'layers': [1]}}):
        assert read(settings, shape) == RetrievalSettings(4)
    for layers, first in ((1, 0), (2, 0), (3, 1), (12, 4)):
        deep = replace(shape, layers=layers)
        assert RetrievalSettings(4).layers(deep) == tuple(range(first, layers))


@pytest.mark.parametrize(('layers', 'first'), [(13, 4), (24, 8), (28, 9), (30, 10), (80, 26)])
def test_no_more_layers_than_some_choose_in_a_deep_model(layers: int, first: int) -> None:
    voters = voting_layers(layers)
    assert len(voters) == VOTERS
    assert (voters[0], voters[-1]) == (first, layers - 1)
    steps = [after - before for before, after in pairwise(voters)]
    assert max(steps) - min(steps) <= 1 and min(steps) >= 1


def test_an_entry_names_the_page_and_the_heads_by_layer(shape: CacheShape) -> None:
    entry = {'page_tokens': 2, 'heads': {1: [3, 0], 0: [2]}}
    settings = RetrievalSettings.from_settings({'retrieval': entry}, shape)
    assert settings == RetrievalSettings(2, {0: (2,), 1: (3, 0)})
    assert settings.layers(shape) == (0, 1)
    assert RetrievalSettings(2, {1: (0,)}).layers(shape) == (1,)


@pytest.mark.parametrize(
    ('entry', 'said'),
    [
        ({'page_tokens': 3}, 'retrieval.page_tokens must divide the 4 tokens of a frame, got 3'),
        ({'page_tokens': 0}, 'got 0'),
        ({'page_tokens': True}, 'got True'),
        ({'page_tokens': 2.0}, 'got 2.0'),
        ({'heads': [1, 2]}, 'retrieval.heads must list, by layer from 0 to 1'),
        ({'heads': {2: [0]}}, 'by layer from 0 to 1'),
        ({'heads': {0: [4]}}, 'query heads from 0 to 3'),
        ({'heads': {0: []}}, 'retrieval.heads must list'),
        ({'heads': {0: '1'}}, 'retrieval.heads must list'),
        ({'heads': {0: [True]}}, 'retrieval.heads must list'),
        ({'heads': {'0': [1]}}, 'retrieval.heads must list'),
        ({'heads': {0: 1}}, 'retrieval.heads must list'),
        ({'pages': 4}, 'takes the keys page_tokens and heads'),
        ([4], 'takes the keys page_tokens and heads'),
    ],
)
def test_settings_the_model_cannot_meet_are_refused_by_name(
    shape: CacheShape, entry: object, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        RetrievalSettings.from_settings({'retrieval': entry}, shape)
