# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from livevlm_ros.replay.page import page, table


def test_a_page_is_whole_escapes_its_title_and_fetches_nothing() -> None:
    made = page('<b> & c', ['<p>one</p>', '<p>two</p>'])
    assert made.startswith('<!doctype html>') and made.endswith('</html>\n')
    assert '<title>&lt;b&gt; &amp; c</title>' in made and '<p>one</p>\n<p>two</p>' in made
    assert 'http' not in made and 'prefers-color-scheme: dark' in made


def test_a_table_has_a_head_and_escapes_its_cells() -> None:
    made = table([('', 'n'), ('<=16', '3')])
    assert made.count('<tr>') == 2 and '<th class="n">n</th>' in made
    assert '<th>&lt;=16</th><td class="n">3</td>' in made
