# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that says what a model and its memory will need, before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livevlm_ros.cli.options import MODEL_HELP, AsJson
from livevlm_ros.terminal import refuse

if TYPE_CHECKING:
    from rich.table import Table

    from livevlm_ros.engine.plan import Plan, PresetPlan
    from livevlm_ros.model import ModelConfig

GB = 1e9

ROWS = (
    'frames on the device',
    'their bytes',
    'read views',
    'what cameras showed last',
    'tokens a question reads',
    'archive: a token',
    'archive: a frame',
    'archive: an hour',
    'archive for {hours:g} h',
    'frames in the archive',
    'its bytes',
    'all RAM, when full',
    'all GPU, when full',
    'everything kept for',
)
"""What the table says of each preset."""


def plan(
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    device: Annotated[str, typer.Option(help='cpu, cuda or cuda:N.')] = 'cpu',
    dtype: Annotated[str, typer.Option(help='auto, float32, bfloat16 or float16.')] = 'auto',
    weights: Annotated[
        str, typer.Option(help='Of the language layers: auto (as dtype), int8 or int4.')
    ] = 'auto',
    image_tokens: Annotated[
        int,
        typer.Option(min=0, help='Tokens of an image, a number the model can make; 0: as usual.'),
    ] = 0,
    hours: Annotated[
        float, typer.Option(min=0.0, help='Hours for which all that was seen is to be kept.')
    ] = 8.0,
    fps: Annotated[float, typer.Option(help='Frames per second of each camera.')] = 1.0,
    cameras: Annotated[int, typer.Option(min=1, help='Number of cameras.')] = 1,
    preset: Annotated[str, typer.Option(help='Only this preset; by default all.')] = '',
    skip_static: Annotated[
        str, typer.Option(help='What is not read again: none, frames or tokens.')
    ] = 'none',
    ram: Annotated[
        float | None,
        typer.Option(min=0.0, help='Free RAM in GB; by default that of this machine.'),
    ] = None,
    vram: Annotated[float | None, typer.Option(min=0.0, help='Free GPU memory in GB.')] = None,
    as_json: AsJson = False,
) -> None:
    """
    Say what a model and its memory will need and hold, before anything is loaded.

    Reads config.json, the tokenizer and the headers of the weights. What Python and PyTorch take
    for themselves comes on top.
    """
    from livevlm_ros.engine.plan import Machine, make_plan
    from livevlm_ros.engine.settings import configuration
    from livevlm_ros.memory import AUTO, PRESETS
    from livevlm_ros.memory.archive.room import free_ram
    from livevlm_ros.weights import local_folder

    folder = local_folder(model)
    if folder is None:
        refuse(
            f'--model {model}: not on this machine; expected embedded, a checkpoint folder, or a '
            f'hub name that is downloaded: hf download {model}'
        )
    values: dict[str, Any] = {
        'model.path': model,
        'model.device': device,
        'model.dtype': dtype,
        'model.weights': weights,
        'model.image_tokens': image_tokens,
        'ingest.target_fps': fps,
        'ingest.skip_static': skip_static,
        'memory.archive_host_bytes': AUTO,
    }
    machine = Machine(
        free_ram() if ram is None else round(ram * GB), None if vram is None else round(vram * GB)
    )
    try:
        configs = [
            configuration(values | {'memory.preset': name}, [f'camera{n}' for n in range(cameras)])
            for name in ([preset] if preset else PRESETS)
        ]
        made = make_plan(configs, folder, machine, hours=hours)
    except ValueError as error:
        refuse(str(error))
    number = configs[0].model.number
    if as_json:
        given = {'path': model, 'device': device, 'dtype': number, 'weights': weights}
        asked = {'hours': hours, 'fps': fps, 'cameras': cameras}
        print(json.dumps(given | asked | _as_json(made, number), indent=2))
    else:
        _print(made, configs[0].model, hours)


def _as_json(made: Plan, number: str) -> dict[str, Any]:
    """Return a plan as JSON takes it, without what is long and says nothing of sizes."""
    from livevlm_ros.model.config import ITEM_BYTES, LAYER_BITS

    parts = asdict(made)
    del parts['model']['shape']['positions'], parts['model']['memory_settings']
    parts['model']['bytes'] = {name: made.model.weight_bytes(name) for name in ITEM_BYTES} | {
        name: made.model.weight_bytes(number, bits) for name, bits in LAYER_BITS.items() if bits
    }
    return parts


def _print(made: Plan, config: ModelConfig, hours: float) -> None:
    from rich.console import Console

    from livevlm_ros.engine.horizon import size

    model, console = made.model, Console(highlight=False)
    source = 'by the headers' if model.counted else 'computed from config.json'
    tokens = model.shape.tokens_per_frame
    title = f'{config.path} on {config.device} in {config.types}'
    for line in (
        f'{title}: {model.family}, {model.numbers / 1e6:.1f} million weights, {source}',
        f'weights: {size(model.weight_bytes("float32"))} in float32, '
        f'{size(model.weight_bytes("bfloat16"))} in bfloat16 or float16; with language layers in '
        f'int8 {size(model.weight_bytes(config.number, 8))}, in int4 '
        f'{size(model.weight_bytes(config.number, 4))}',
        f'stored in {model.stored}; loading takes up to {size(made.loading_bytes)} of RAM',
        f'on the device a token has {made.token_bytes} bytes, a frame {tokens} tokens and '
        f'{size(tokens * made.token_bytes)}; {hours:g} h are {made.frames} frames',
    ):
        console.print(line, soft_wrap=True)
    console.print(_table(made, hours))
    told = [f'{each.preset}: {line}' for each in made.presets for line in each.lines]
    for line in (*made.warnings, *told):
        console.print(line, soft_wrap=True, style='yellow')


def _table(made: Plan, hours: float) -> Table:
    from rich.table import Table

    columns = [_column(each, made) for each in made.presets]
    table = Table('', *(each.preset for each in made.presets))
    for heading, *cells in zip(ROWS, *columns, strict=True):
        table.add_row(heading.format(hours=hours), *cells)
    return table


def _column(preset: PresetPlan, made: Plan) -> list[str]:
    from livevlm_ros.engine.horizon import duration, size

    memory, horizon = preset.memory, preset.horizon
    if memory is None or horizon is None:
        return ['-'] * len(ROWS)
    archived, archive = ['-'] * 6, memory.room.archive
    if archive is not None:
        frame = memory.ram_frame_bytes
        archived = [
            f'{frame / made.model.shape.tokens_per_frame:.0f} B',
            size(frame),
            size(round(frame * made.frames_per_hour)),
            size(preset.needed_bytes),
            f'{archive.host_frames}',
            size(memory.archive_bytes),
        ]
    return [
        f'{memory.room.device_frames}',
        size(memory.device_bytes),
        size(memory.read_bytes),
        size(preset.static_bytes) if preset.static_bytes else '-',
        f'{memory.question_tokens}',
        *archived,
        size(preset.ram_bytes),
        size(preset.gpu_bytes) if preset.gpu_bytes else '-',
        duration(horizon.seconds),
    ]
