# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small clip bank that the training tests share."""

import pytest

from livevlm_ros.training.bank import Bank, film_bank
from livevlm_ros.training.checkpoint import SIDE


@pytest.fixture(scope='session')
def bank(tmp_path_factory) -> Bank:
    return film_bank(tmp_path_factory.mktemp('bank'), clips=480, seed=3, side=SIDE)
