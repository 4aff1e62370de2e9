# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What docs/check.py lets pass, and what it does not."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('markdown_it')

CHECK = runpy.run_path(str(Path(__file__).parents[2] / 'docs/check.py'))
Wrong = CHECK['Wrong']

Done = list[tuple[Any, str, float]]


@pytest.fixture
def done(tmp_path: Path) -> Callable[[str], Done]:
    """Give what does what a page of some text says."""

    def do(text: str) -> Done:
        page = tmp_path / 'page.md'
        page.write_text(text.replace('~~~', '```'), encoding='utf-8')
        return list(CHECK['check'](page))

    return do


def test_output_as_shown_is_right_whatever_its_numbers_folders_and_widths(done) -> None:
    printed = 'echo "took 17.5 ms, -3 to 12:30"; echo /tmp/a-b/x.jpg; echo "│ red   │"'
    shown = 'took 3 ms, +1 to 0:01\n/home/me/x.jpg\n│ red │'
    assert len(done(f'~~~bash\n{printed}\n~~~\n~~~text\n{shown}\n~~~\n')) == 1


@pytest.mark.parametrize('shown', ['red\nblue', 'red', 'red\ngreen\nblue\nblack', 'red\n…\nblue'])
def test_output_that_is_not_as_shown_is_wrong(done, shown: str) -> None:
    with pytest.raises(Wrong, match='page.md:1: '):
        done(
            f'~~~bash\nprintf "red\\ngreen\\nblack\\n"\n~~~\n\nIt prints\n\n~~~text\n{shown}\n~~~'
        )


@pytest.mark.parametrize('shown', ['red\n…', '…\nblack', '…', 'r…\ngr…n\n…', '…\nred\n…\nblack'])
def test_an_ellipsis_stands_for_anything(done, shown: str) -> None:
    assert done(f'~~~bash\nprintf "red\\ngreen\\nblack\\n"\n~~~\n~~~text\n{shown}\n~~~')


def test_what_cannot_be_run_is_told_with_its_reason(done) -> None:
    ((block, reason, _),) = done('Text\n<!-- not run: needs a GPU -->\n~~~bash\nfalse\n~~~\n')
    assert (block.line, reason) == (3, 'needs a GPU')


@pytest.mark.parametrize('fence', ['~~~\nls\n~~~', '~~~console\nls\n~~~', '    ls'])
def test_a_block_that_does_not_say_what_it_is_is_wrong(done, fence: str) -> None:
    with pytest.raises(Wrong, match='page.md:3: a block of bash, json'):
        done(f'Text\n\n{fence}\n')


def test_text_that_nothing_prints_is_told_as_that(done) -> None:
    _, (block, reason, _) = done('~~~bash\ntrue\n~~~\n\n# Next\n~~~text\nred\n~~~')
    assert (block.line, reason) == (6, 'nothing before it prints this text')


def test_a_failure_is_wrong_unless_it_is_announced(done) -> None:
    failing = '~~~bash\nfalse | true\n~~~'
    with pytest.raises(Wrong, match='ends with 1'):
        done(failing)
    assert done(f'<!-- exits with 1 -->\n{failing}')
    with pytest.raises(Wrong, match='ends with 1'):
        done(f'<!-- exits with 3 -->\n{failing}')


def test_blocks_leave_files_folders_and_variables_to_those_after_them(done) -> None:
    page = """
~~~bash
test "$(ls)" = walk.mp4
mkdir new
cd new
export COLOR=red
~~~

<!-- file: new/some.yaml -->
~~~yaml
a: 1
~~~

~~~python
import os, pathlib
print(os.environ['COLOR'], pathlib.Path('some.yaml').read_text(), end='')
~~~
~~~text
red a: 1
~~~
"""
    assert len(done(page)) == 3


def test_lines_behind_a_prompt_are_typed(done) -> None:
    assert done('~~~bash\nrev\n~~~\n~~~text\n> der\nred\n> eulb\nblue\n~~~')


LASTING = """
<!-- goes on: ready -->
~~~bash
sh -c 'trap "touch ended; exit %d" INT; echo getting ready; while :; do sleep 0.1; done'
~~~

~~~bash
test ! -e ended
~~~
"""


def test_what_goes_on_is_ready_for_the_blocks_after_it_and_ends_with_the_page(done) -> None:
    assert len(done(LASTING % 0)) == 2
    with pytest.raises(Wrong, match='page.md:3: ends with 7 after Ctrl-C'):
        done(LASTING % 7)


def test_what_should_go_on_and_ends_is_wrong(done) -> None:
    with pytest.raises(Wrong, match='page.md:2: has ended with 0:\nbye'):
        done('<!-- goes on: ready -->\n~~~bash\necho bye\n~~~')
