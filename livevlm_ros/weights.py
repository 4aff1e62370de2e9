# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the weights of a model lie on this machine, found without importing torch."""

from __future__ import annotations

from pathlib import Path

EMBEDDED = Path(__file__).parent / 'model' / 'embedded'
_UNITS = ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB'))


def local_folder(path: str) -> Path | None:
    """
    Return the folder of a model, None if it is not on this machine.

    :param path: `embedded`, a folder, or a hub name, which is looked for in the hub's cache
    """
    folder = EMBEDDED if path == 'embedded' else Path(path).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, local_files_only=True))
    except Exception:  # not cached, or no hub name; loading says which
        return None


def on_disk(path: str) -> str:
    """Say how large a model's weights are on this machine's disk."""
    folder = local_folder(path)
    if folder is None:
        return 'not on this disk'
    size = sum(file.stat().st_size for file in folder.glob('*.safetensors'))
    unit, name = next((unit for unit in _UNITS if size >= unit[0]), _UNITS[-1])
    return f'{size / unit:.1f} {name} on disk'
