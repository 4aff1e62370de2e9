# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Do what README.md and the pages in docs/ say, and compare what comes with what they show.

`make docs-check` runs it. A page is done from top to bottom, in a folder of its own that holds
nothing but walk.mp4. A block of `bash` or `python` is run, with what those before it have set. A
block of `text` below the same heading is what it prints, line by line; numbers and folders may
differ, `…` stands for anything, and lines that begin with `> ` are typed. A comment in front of a
block says what else is so:

    <!-- not run: REASON -->      it is counted and listed instead
    <!-- goes on: WORDS -->       it goes on until the page ends; it is ready when it says WORDS
    <!-- exits with 1 -->         it is to fail
    <!-- file: NAME -->           the block is not run: it is the text of a file
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]

RUN = {'bash', 'python'}
LANGUAGES = {*RUN, 'text', 'yaml', 'json', 'mermaid'}
MARK = re.compile(r'<!-- (not run|goes on|exits with|file):? ?(.*?) -->')
TYPED = '> '
SILENTLY = """\
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    exec({!r})
"""

PATIENCE_S = 240.0  # for a block to end
READY_S = 90.0  # for one that goes on to be ready
END_S = 30.0  # for it to end after Ctrl-C
CTRL_C = (0, 130, -signal.SIGINT)  # exit codes after it


class Wrong(Exception):
    """What a page says is not what comes."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.line = line


@dataclass
class Block:
    """
    A fenced block.

    :param line: of the page, from 1
    :param marks: what comments in front of it say, by name
    :param prints: the block of text after it; None: whatever it prints
    """

    line: int
    language: str
    text: str
    marks: dict[str, str] = field(default_factory=dict)
    prints: str | None = None


def blocks(page: Path) -> Iterator[Block]:
    """
    Give the blocks of a page that are run, written to a file or left out.

    :raises Wrong: for a block that does not say what it is
    """
    last: Block | None = None
    marks: dict[str, str] = {}
    for token in MarkdownIt('commonmark').parse(page.read_text(encoding='utf-8')):
        if token.type == 'html_block':
            marks |= dict(MARK.findall(token.content))
            continue
        if token.type in ('fence', 'code_block'):
            assert token.map is not None
            block = Block(token.map[0] + 1, token.info, token.content, marks)
            if block.language not in LANGUAGES:
                raise Wrong(f'a block of {", ".join(sorted(LANGUAGES))} is expected', block.line)
            if block.language == 'text' and not marks:
                if last is None:
                    block.marks = {'not run': 'nothing before it prints this text'}
                    yield block
                else:
                    last.prints = block.text
            elif block.language in RUN or marks:
                if last:
                    yield last
                last = block
        elif token.type == 'heading_open' and last:
            yield last
            last = None
        marks = {}
    if last:
        yield last


class Folder:
    """A new folder, the environment that blocks leave to those after them, and what goes on."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix='docs-check-')
        self.path = Path(self._temporary.name) / 'here'
        self.path.mkdir()
        film(self.path / 'walk.mp4')
        self._left = self.path.parent / 'environment'
        self._names = ''  # Python that makes the names of the blocks before
        self._going: list[tuple[Block, subprocess.Popen[bytes]]] = []
        self._environment = dict(
            os.environ,
            PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
            PWD=str(self.path),
            PYTHONUNBUFFERED='1',
            COLUMNS='100',
            ROS_DOMAIN_ID=str(random.SystemRandom().randint(1, 100)),
            ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST',
        )

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for block, process in reversed(self._going):
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(END_S)
                if error is None and process.returncode not in CTRL_C:
                    raise Wrong(f'ends with {process.returncode} after Ctrl-C', block.line)
        finally:
            for _, process in self._going:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            self._temporary.cleanup()

    def do(self, block: Block) -> None:
        """
        Run a block, or write its file.

        :raises Wrong: when not that comes which the page shows
        """
        if name := block.marks.get('file'):
            (self.path / name).write_text(block.text, encoding='utf-8')
        elif 'goes on' in block.marks:
            self._start(block, block.marks['goes on'])
        else:
            self._run(block)

    def _run(self, block: Block) -> None:
        shown = (block.prints or '').splitlines()
        typed = [line.removeprefix(TYPED) for line in shown if line.startswith(TYPED)]
        with (self.path.parent / 'said').open('w+b') as said:
            process = self._popen(block, said.fileno(), subprocess.PIPE)
            try:
                process.communicate('\n'.join(typed).encode(), timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                raise Wrong(f'has not ended after {PATIENCE_S:g} s') from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            said.seek(0)
            text = said.read().decode(errors='replace')
        if process.returncode != int(block.marks.get('exits with', 0)):
            raise Wrong(f'ends with {process.returncode}:\n{text}')
        if block.prints is not None:
            compare([line for line in shown if not line.startswith(TYPED)], text.splitlines())
        if block.language == 'python':
            self._names += SILENTLY.format(block.text)
        if self._left.is_file():
            pairs = self._left.read_bytes().decode().rstrip('\0').split('\0')
            self._environment = dict(pair.split('=', 1) for pair in pairs)

    def _start(self, block: Block, words: str) -> None:
        file = self.path.parent / f'said-{block.line}'
        with file.open('wb') as said:
            process = self._popen(block, said.fileno(), subprocess.DEVNULL)
        self._going.append((block, process))
        began_s = time.monotonic()
        while words not in (text := file.read_text(encoding='utf-8', errors='replace')):
            if process.poll() is not None:
                raise Wrong(f'has ended with {process.returncode}:\n{text}')
            if time.monotonic() - began_s > READY_S:
                raise Wrong(f'has not said "{words}" after {READY_S:g} s:\n{text}')
            time.sleep(0.1)
        if block.prints is not None:
            compare(block.prints.splitlines(), text.splitlines())

    def _popen(self, block: Block, said: int, typed: int) -> subprocess.Popen[bytes]:
        command = ['python', '-c', self._names + block.text]
        if block.language == 'bash':
            leave = '' if 'goes on' in block.marks else f'trap "env -0 >{self._left}" EXIT\n'
            command = ['bash', '-e', '-o', 'pipefail', '-c', leave + block.text]
        return subprocess.Popen(
            command,
            cwd=self._environment['PWD'],
            env=self._environment,
            stdin=typed,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def compare(shown: list[str], said: list[str]) -> None:
    """
    Compare what a page shows with what was printed.

    :raises Wrong: with the difference
    """
    want, have = ([line for line in map(essence, lines) if line] for lines in (shown, said))
    pattern = ''.join(
        r'(?:.*\n)*?' if line == '…' else re.escape(line).replace('…', '.*') + r'\n'
        for line in want
    )
    if not re.fullmatch(pattern, ''.join(f'{line}\n' for line in have)):
        raise Wrong('\n'.join(difflib.unified_diff(want, have, 'shown', 'printed', n=9)))


def essence(line: str) -> str:
    """Return what must be equal of a line: no numbers, no folders, no colors, no widths."""
    line = re.sub(r'\x1b\[[0-9;]*m', '', line)
    line = re.sub(r'(?<!\S)/(?:[^\s/]+/)+', '', line)
    line = re.sub(r'[-+]?\d+(?:[.,:]\d+)*', '0', line)
    return re.sub(r'[─━]+', '─', ' '.join(line.split()))


def film(file: Path) -> None:
    """Film what the embedded model has never seen: figures that walk past a wall, 20 s."""
    numbers = np.random.default_rng(5)
    size = (640, 480)
    wall = cv2.GaussianBlur(numbers.integers(40, 220, (60, 80, 3), np.uint8), (9, 9), 0)
    wall = cv2.resize(wall, size, interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*'mp4v'), 10, size)
    for n in range(200):
        picture = wall.copy()
        for k in range(5):
            x, y = (80 * k + (3 + k) * n) % 640, 160 + 60 * k
            cv2.ellipse(picture, (x, y), (14, 40), 0, 0, 360, (30 + 20 * k, 40, 60), -1)
            cv2.circle(picture, (x, y - 50), 12, (140, 170, 200), -1)
        writer.write(picture)
    writer.release()


def check(page: Path) -> Iterator[tuple[Block, str, float]]:
    """
    Do what a page says.

    :returns: each block, why it was not run or '', and the seconds it took
    :raises Wrong: naming page and line
    """
    line = 0
    try:
        with Folder() as folder:
            for block in blocks(page):
                line, began_s = block.line, time.monotonic()
                if 'not run' not in block.marks:
                    folder.do(block)
                yield block, block.marks.get('not run', ''), time.monotonic() - began_s
    except Wrong as error:
        raise Wrong(f'{page.name}:{error.line or line}: {error}') from None


def main() -> None:
    """Check the pages that are named, or all, and tell of every block."""
    parser = argparse.ArgumentParser(description='Do what the pages say.')
    parser.add_argument('pages', nargs='*', type=Path, default=PAGES)
    done, left_out, wrong = 0, 0, 0
    for page in parser.parse_args().pages:
        try:
            for block, reason, took_s in check(page.resolve()):
                told = f'not run: {reason}' if reason else f'{took_s:.1f} s'
                print(f'{page.name}:{block.line}: {told}', flush=True)
                done, left_out = done + (not reason), left_out + bool(reason)
        except Wrong as error:
            print(error, flush=True)
            wrong += 1
    print(f'{done} blocks done, {left_out} not run, {wrong} pages wrong')
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main()
