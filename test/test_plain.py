# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from livevlm_ros.plain import plain


def test_what_a_terminal_would_obey_is_not_passed_on() -> None:
    assert plain('a\x1b[2J b\tc\nd é') == 'a\ufffd[2J b\tc\nd é'
