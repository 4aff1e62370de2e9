# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands that make a checkpoint, or measure one and note what was found beside it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from livevlm_ros.cli.options import MODEL_HELP
from livevlm_ros.terminal import check_writable, plain_errors, progress_bar, refuse

Device = Literal['cpu', 'cuda']


def train(
    out: Annotated[Path, typer.Option(help='Checkpoint folder to write.')],
    minutes: Annotated[float, typer.Option(help='Time for the language layers.')] = 45.0,
    tower_minutes: Annotated[float, typer.Option(help='Time for the vision tower.')] = 10.0,
    resume: Annotated[
        Path | None, typer.Option(help='Checkpoint to go on from; its tower is kept.')
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help='Training seed.')] = 0,
    threads: Annotated[int, typer.Option(min=1, help='CPU threads.')] = 1,
    device: Annotated[Device, typer.Option(help='Where to train.')] = 'cpu',
    no_evidence_loss: Annotated[
        bool,
        typer.Option('--no-evidence-loss', help='Teach no head where the evidence lies.'),
    ] = False,
) -> None:
    """Train the embedded model from scratch, with its held-out curve in the log."""
    import logging
    import os

    import torch

    from livevlm_ros.model import CheckpointError
    from livevlm_ros.training.train import TrainingConfig, read_runs
    from livevlm_ros.training.train import train as train_model

    with plain_errors(CheckpointError):
        if resume is not None:
            if not (resume / 'model.safetensors').is_file():
                refuse(f'{resume}: no model.safetensors; expected a folder that train wrote')
            read_runs(resume)
        if device == 'cuda' and not torch.cuda.is_available():
            refuse('--device cuda: PyTorch finds no GPU here')
        logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
        train_model(
            TrainingConfig(
                out=out,
                minutes=minutes,
                tower_minutes=tower_minutes,
                resume=resume,
                seed=seed,
                threads=threads,
                device=device,
                # The GPU would wait for batches composed between its steps.
                workers=len(os.sched_getaffinity(0)) // 2 if device == 'cuda' else 0,
                evidence_loss=not no_evidence_loss,
            )
        )


def card(
    out: Annotated[Path, typer.Option(help='Markdown file to write.')],
    model: Annotated[
        str, typer.Option(help='embedded, or a folder that `livevlm train` wrote.')
    ] = 'embedded',
    streams: Annotated[
        Path, typer.Option(help='Folder for the held-out streams; filmed where missing.')
    ] = Path('livevlm-streams'),
) -> None:
    """Measure a checkpoint on held-out streams and write its model card."""
    from livevlm_ros.model.folder import CheckpointError, checkpoint_folder

    with plain_errors(CheckpointError):
        check_writable(out)
        folder = checkpoint_folder(model)
        from livevlm_ros.replay.card import card_text, measure
        from livevlm_ros.replay.whole_file import write_whole
        from livevlm_ros.training.train import read_runs

        runs = read_runs(folder)
        with progress_bar() as bar:
            task = bar.add_task('filming', total=1.0)
            measured = measure(
                model,
                streams,
                progress=lambda name, share: bar.update(task, completed=share, description=name),
            )
        write_whole(out, card_text(measured, runs))
        print(f'wrote {out}')


def calibrate(
    out: Annotated[Path, typer.Option(help='memory.yaml to write; its other keys are kept.')],
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    source: Annotated[
        Path | None,
        typer.Option(help='Recordings with questions; by default streams filmed for this.'),
    ] = None,
    absence: Annotated[
        bool,
        typer.Option('--absence', help='Find only the limits above which an answer is doubted.'),
    ] = False,
) -> None:
    """Find the fewest heads that choose a checkpoint's pages, and how sure it may be."""
    from livevlm_ros.model.folder import CheckpointError, checkpoint_folder, read_yaml
    from livevlm_ros.replay.settings import engine_config

    with plain_errors(CheckpointError):
        check_writable(out)
        config = engine_config(model=model, given=['ask.min_confidence=0'])
        folder = checkpoint_folder(model)
        kept = read_yaml(out if out.exists() else folder / 'memory.yaml')
        from livevlm_ros.model import load_model
        from livevlm_ros.replay import calibrate as calibration
        from livevlm_ros.replay import doubting, fitting
        from livevlm_ros.replay.table import report_console

        found = None
        with progress_bar() as bar:
            task = bar.add_task('loading the model', total=1.0)

            def tell(name: str, share: float) -> None:
                bar.update(task, completed=share, description=name)

            fitted: dict[str, Any] = {}
            if not absence:
                found = calibration.calibrate(
                    config, load=load_model, source=source, progress=tell
                )
                fitted = {'retrieval': dict(found.retrieval), **found.sureness.settings}
            doubted = doubting.find_limits(
                config, {**kept, **fitted}, load=load_model, source=source, progress=tell
            )
        if doubted is not None:
            fitted['absence'] = dict(doubted.limits)
        elif found is not None:  # the old limits are not of the new temperature
            kept.pop('absence', None)
        calibration.write_settings(out, {**kept, **fitted})
        if found is not None:
            report_console().print(calibration.calibration_tables(found))
            print(f'{out}: pages are chosen by {calibration.words(found.retrieval)}')
            print(f'{out}: {fitting.in_words(found.sureness)}')
        print(f'{out}: {doubting.in_words(doubted)}')
