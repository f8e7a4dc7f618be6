"""A model's files before mlx touches them: found, complete and readable, or one clear sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
_SAMPLE = 1 << 20
_SAMPLES = 64


def resolve(source: str) -> Path:
    """The directory of a model: `source` itself, or the hub snapshot it names.

    Raises:
        UserError: no such directory, or the hub does not give it.
    """
    path = Path(source).expanduser()
    if not source.strip():
        raise UserError("the model's name is empty: give a directory or a Hugging Face id")
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise UserError(f"{source} is a file: give the directory that holds config.json")
    if source.startswith((".", "/", "~")) or source.endswith("/") or source.count("/") != 1:
        raise UserError(f"{source} does not exist: give a model directory or a Hugging Face id")
    return _download(source)


def _download(source: str) -> Path:
    from lazarus_bench import backend

    backend.start()
    from mlx_lm.utils import _download as download

    try:
        return Path(download(source))
    except Exception as error:
        raise UserError(
            f"{source} is no directory here and could not be fetched from the hub "
            f"({type(error).__name__}): check the id and the network, or give a directory"
        ) from error


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json` of a model.

    Raises:
        UserError: it is missing, is not JSON, or names no `model_type`.
    """
    file = directory / "config.json"
    if not file.exists():
        adapter = (directory / "adapter_config.json").exists()
        remedy = ", but an adapter: name the model that it is for, and this as its adapter"
        raise UserError(
            f"{directory} is not a model: it has no config.json{remedy if adapter else ''}"
        )
    config = read_json(file)
    if not isinstance(config, dict) or "model_type" not in config:
        raise UserError(f"{file} names no model_type: it is not a model's configuration")
    return config


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: it is damaged.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error}): copy it again") from error


def check_files(directory: Path) -> None:
    """Make sure that whole safetensors and a tokenizer are there.

    Raises:
        UserError: naming the file and what is wrong with it.
    """
    weights = sorted(directory.glob("model*.safetensors"))
    if not weights:
        raise UserError(f"{directory} has no model*.safetensors: other weights are not loaded")
    for file in weights:
        _check_header(file)
    if not any((directory / name).exists() for name in TOKENIZER_FILES):
        raise UserError(f"{directory} has no tokenizer: add tokenizer.json beside the weights")
    for file in directory.glob("tokenizer*.json"):
        read_json(file)


def _check_header(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is damaged or cut short ({error}): copy it again") from error


def fingerprint(directory: Path) -> str:
    """A digest of what a result depends on: configuration, tokenizer and weights.

    Of each weight file its size and 64 blocks of a mebibyte, evenly spread: the whole of a small
    file, a part of every layer of a large one, so that many gigabytes stay quick.
    """
    digest = hashlib.sha256()
    for pattern in ("*.json", "*.model", "merges.txt"):
        for file in sorted(directory.glob(pattern)):
            digest.update(f"{file.name} {file.stat().st_size}".encode())
            digest.update(file.read_bytes())
    for file in sorted(directory.glob("*.safetensors")):
        digest.update(f"{file.name} {file.stat().st_size}".encode())
        for block in _samples(file):
            digest.update(block)
    return digest.hexdigest()


def _samples(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        for start in range(0, size, max(_SAMPLE, size // _SAMPLES)):
            stream.seek(start)
            yield stream.read(_SAMPLE)
