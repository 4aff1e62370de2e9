# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a GPU check has found, as a page and in a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

COMMAND = 'make gpu-check'
NO_RUN = f'No run has been made. `{COMMAND}` makes one on a machine with a GPU.'

COST_TITLES = (
    'memory',
    'first token ms',
    'decode ms',
    'step ms',
    'steps/s',
    'to device MB',
    'memory MB',
    'most allocated MB',
    'predicted MB',
)


def page(report: Mapping[str, Any] | None) -> str:
    """Return the page of a report in Markdown; None: no run has been made."""
    head = '# On a GPU\n\n'
    if report is None:
        return f'{head}{NO_RUN}\n'
    machine, found = report['machine'], report['sections']
    versions = ', '.join(
        f'{name} {report["versions"][name]}'
        for name in ('torch', 'transformers', 'cuda', 'triton', 'python')
        if name in report['versions']
    )
    done = {name: part for name, part in found.items() if not {'skipped', 'error'} & set(part)}
    blocks = [
        f'One run of `{COMMAND}` on {machine.get("device", "cpu")}, {report["date"]}; {versions}; '
        f'{machine["threads"]} CPU threads. This page is made from its report.',
        *_answers(done),
        *_costs(done),
        *_waits(done.get('waits')),
        *_kernels(done.get('kernels')),
        *_tower(done.get('tower')),
        *_flat(done.get('flat')),
        *_missing(found),
    ]
    return head + '\n\n'.join(blocks) + '\n'


def summary(name: str, found: Mapping[str, Any]) -> str:
    """Say in a line what a section has found."""
    for word in ('skipped', 'error'):
        if word in found:
            return f'{word}: {found[word]}'
    if name == 'smoke':
        return (
            f'{found["right"]} of {found["questions"]} right, {found["same_again"]} the same when '
            f'asked again, {found["speculated"]} of those from pages chosen ahead'
        )
    if name.startswith('parity'):
        return '; '.join(
            f'{dtype} {found[dtype]["equal"]} of {found["questions"]} equal, logits within '
            f'{found[dtype]["largest_logit_difference"]:.2g}'
            for dtype in ('float32', 'bfloat16')
        )
    if 'first_token_ms' in found:
        return f'first token {found["first_token_ms"]:.1f} ms, step {found["step_ms"]:.1f} ms'
    if name == 'flat':
        return f'{found["steps"]} steps, {found["frames_per_s"]:.0f} frames/s'
    return 'done'


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    lines = [titles, ['---', *['--:'] * (len(titles) - 1)], *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _answers(done: Mapping[str, Any]) -> list[str]:
    blocks = []
    if 'smoke' in done:
        found = done['smoke']
        blocks += [
            '## Answers',
            f'The embedded model in {found["dtype"]}, `balanced`, {found["frames"]} frames: '
            f'{summary("smoke", found)}.',
            _table(
                ('question', 'answer', 'expected'),
                (
                    [row['question'], row['answer'], ' / '.join(row['expected'])]
                    for row in found['answers']
                ),
            ),
        ]
    rows = [
        [
            name.removeprefix('parity '),
            f'{found["float32"]["equal"]} / {found["questions"]}',
            f'{found["float32"]["largest_logit_difference"]:.2g}',
            f'{found["bfloat16"]["equal"]} / {found["questions"]}',
            f'{found["bfloat16"]["largest_logit_difference"]:.2g}',
        ]
        for name, found in done.items()
        if name.startswith('parity')
    ]
    if rows:
        titles = ('preset', 'float32 equal', 'logits', 'bfloat16 equal', 'logits')
        blocks += ['## Beside the CPU in float32', _table(titles, rows)]
    return blocks


def _costs(done: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            f'{found["first_token_ms"]:.1f}',
            f'{found["decode_ms"]:.1f}',
            f'{found["step_ms"]:.1f}',
            f'{found["steps_per_s"]:.0f}',
            _megabytes(found['host_to_device_bytes']),
            _megabytes(found['device_bytes'] + found['read_bytes']),
            _megabytes(found.get('most_allocated_bytes')),
            _megabytes(found['predicted_bytes']),
        ]
        for name, found in done.items()
        if 'first_token_ms' in found
    ]
    if not rows:
        return []
    text = (
        'Layers with random weights in bfloat16 over memories of noise, frames of 196 tokens, '
        'questions of 20 tokens that nothing was chosen ahead for. `full` holds what the model '
        'has positions for.'
    )
    return ['## What a memory costs', text, _table(COST_TITLES, rows)]


def _waits(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rows = [
        [name, str(part['waits']), ', '.join(f'{at} x{n}' for at, n in part['places'].items())]
        for name, part in found.items()
        if isinstance(part, dict)
    ]
    text = f'Calls of the engine thread that wait for the GPU; of {found["steps"]} steps together.'
    return ['## Waits', text, _table(('what runs', 'waits', 'where'), rows)]


def _kernels(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rows = [
        [
            name,
            part['what'],
            f'{part["triton_ms"]:.3f}',
            f'{part["torch_ms"]:.3f}',
            f'{part["differs_by"]:.1e}',
        ]
        for name, parts in found.items()
        if isinstance(parts, list)
        for part in parts
    ]
    titles = ('kernel', 'of', 'Triton ms', 'twin ms', 'differs by')
    return ['## Kernels', _table(titles, rows)]


def _tower(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rows = [
        [name, f'{part["ms"]:.1f}', f'{part["frames_per_s"]:.0f}']
        for name, part in found.items()
        if isinstance(part, dict)
    ]
    text = 'A SigLIP-so400m with random weights, and its frames kept under `balanced` by 0.5B.'
    return ['## Vision tower', text, _table(('frames', 'ms', 'frames/s'), rows)]


def _flat(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    return [
        '## Flat',
        f'{found["steps"]} steps of the embedded model, {found["frames_per_s"]:.0f} a second: '
        f'{found["allocated_early_bytes"]} bytes allocated after {found["early_steps"]}, '
        f'{found["allocated_late_bytes"]} at the end. {found["archive_lost"]} frames came while '
        'too many waited to be archived.',
    ]


def _missing(found: Mapping[str, Any]) -> list[str]:
    why: dict[str, list[str]] = {}
    for name, part in found.items():
        if {'skipped', 'error'} & set(part):
            why.setdefault(summary(name, part), []).append(name)
    lines = [f'- {", ".join(names)}: {text}' for text, names in why.items()]
    return ['## Not measured', '\n'.join(lines)] if lines else []


def _megabytes(count: int | None) -> str:
    return '' if count is None else f'{count / 1e6:.{1 if count < 1e8 else 0}f}'
