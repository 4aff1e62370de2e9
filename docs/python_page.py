# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Write docs/python.md from the docstrings of `livevlm_ros.api`.

`make python-page` runs it after one of them has changed. Griffe reads them without importing
anything; docs/python.md.jinja says how the page looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import griffe
from jinja2 import Environment, FileSystemLoader, StrictUndefined

DOCS = Path(__file__).parent
PAGE = DOCS / 'python.md'
WIDTH = 96
ORDER = ('Engine', 'Fields', 'Answer', 'Stream', 'Watching')


def page() -> str:
    """Return the page."""
    api = griffe.load(
        'livevlm_ros.api',
        search_paths=[DOCS.parent],
        docstring_parser='sphinx',
        docstring_options={'warnings': False},
        resolve_aliases=True,
    )
    environment = Environment(
        loader=FileSystemLoader(DOCS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {'sections': sections, 'signature': signature, 'flat': flat}
    template = environment.get_template('python.md.jinja')
    return template.render(api=api, classes=[api[name] for name in ORDER], members=members)


def sections(described: griffe.Object | griffe.Alias) -> dict[str, griffe.DocstringSection]:
    """Return the parts of a docstring by their kinds: text, parameters, returns, raises."""
    assert described.docstring is not None  # the linter sees to it
    return {section.kind.value: section for section in described.docstring.parsed}


def members(described: griffe.Object | griffe.Alias) -> Iterator[griffe.Object | griffe.Alias]:
    """Give what a class offers, as it stands in the file."""
    for member in described.members.values():
        if member.is_public and member.has_docstring:
            yield member


def signature(function: griffe.Function | griffe.Alias) -> str:
    """Return how a function is called and what it returns, in one line or one a parameter."""
    call = function.signature()
    returns = f' -> {function.returns}'
    if len(call + returns) <= WIDTH:
        return call + returns
    lines = []
    for parameter in function.parameters:
        if parameter.kind is griffe.ParameterKind.keyword_only and '*,' not in lines:
            lines.append('*,')
        if parameter.name not in ('self', 'cls'):
            default = '' if parameter.default is None else f' = {parameter.default}'
            lines.append(f'{parameter.name}: {parameter.annotation}{default},')
    return '\n    '.join([f'{function.name}(', *lines]) + f'\n){returns}'


def flat(text: object) -> str:
    """Return text in one line, as a list or a table has it."""
    return ' '.join(str(text).split())


def main() -> None:
    """Write it."""
    PAGE.write_text(page(), encoding='utf-8')


if __name__ == '__main__':
    main()
