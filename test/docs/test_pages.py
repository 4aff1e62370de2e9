# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pages do what they say; `make docs-check` does those that take longer."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
MARKDOWN = pytest.importorskip('markdown_it').MarkdownIt('commonmark').enable('table')
CHECK = runpy.run_path(str(ROOT / 'docs/check.py'))
PAGES = CHECK['PAGES']
IN_CI = ['docs/first-hour.md', 'docs/models.md', 'docs/own-data.md']

each_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_each_block_of_a_page_says_what_it_is(page: Path) -> None:
    for block in CHECK['blocks'](page):
        assert block.text


@pytest.mark.slow
@pytest.mark.parametrize('name', IN_CI)
def test_a_page_does_what_it_says(name: str) -> None:
    assert list(CHECK['check'](ROOT / name))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match('https?:', link):
            continue
        name, _, anchor = link.partition('#')
        target = page.parent / unquote(name) if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def links(page: Path) -> Iterator[str]:
    """Give where the links and pictures of a page lead to."""
    for token in MARKDOWN.parse(page.read_text(encoding='utf-8')):
        for child in token.children or ():
            if target := child.attrs.get('href') or child.attrs.get('src'):
                yield str(target)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {
        re.sub(r'[^\w -]', '', heading).strip().lower().replace(' ', '-') for heading in headings
    }
