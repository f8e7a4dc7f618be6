"""A model's files before mlx touches them: found, complete and readable, or one clear sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
        _tensors(file)
    if not any((directory / name).exists() for name in TOKENIZER_FILES):
        raise UserError(f"{directory} has no tokenizer: add tokenizer.json beside the weights")
    for file in directory.glob("tokenizer*.json"):
        _refuse_code(file, read_json(file))


def _tensors(file: Path) -> set[str]:
    """The names of a safetensors file's tensors, once its header is found to be sound."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="numpy") as opened:
            return set(opened.keys())
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is damaged or cut short ({error}): copy it again") from error


def check_adapter(directory: Path) -> set[str]:
    """The names of an adapter's tensors, which are of the kind that its configuration says.

    Raises:
        UserError: a file is damaged, the adapter is empty, or its kind is another.
    """
    if not (directory / "adapter_config.json").is_file():
        raise UserError(f"the adapter {directory} has no adapter_config.json: give its directory")
    config = read_json(directory / "adapter_config.json")
    said = config.get("fine_tune_type", "lora") if isinstance(config, dict) else None
    names = _tensors(directory / "adapters.safetensors")
    if not names:
        raise UserError(f"the adapter {directory} holds no tensors: copy it again")
    leaves = {name.rpartition(".")[2] for name in names}
    low = bool(leaves & {"lora_a", "lora_b"})
    found = ("dora" if "m" in leaves else "lora") if low else "full"
    if said != found:
        raise UserError(
            f"the adapter {directory} says fine_tune_type {said!r}, and its tensors are of "
            f"{found!r}: mend its adapter_config.json or copy it again"
        )
    return names


def _refuse_code(file: Path, said: object) -> None:
    auto_map = said.get("auto_map") if isinstance(said, dict) else None
    if auto_map and (not isinstance(auto_map, dict) or "AutoTokenizer" in auto_map):
        raise UserError(
            f"{file} names Python code to read text with (auto_map), which is never run: save the "
            f"tokenizer as tokenizer.json and remove auto_map"
        )


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
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as stream:
            for start in range(0, size, max(_SAMPLE, size // _SAMPLES)):
                stream.seek(start)
                digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()


def tokenizer_config(directory: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What `mlx_lm.load` hands on to `AutoTokenizer`: no code, and a bare configuration.

    `config` is config.json. No configuration is handed on where the tokenizer has a class of its
    own.
    """
    # mlx-lm does not hand on its own `trust_remote_code`; without it transformers asks on stdin.
    refused = {"trust_remote_code": False}
    if not (directory / "tokenizer.json").is_file() or not _is_generic(directory):
        return refused
    from transformers import PreTrainedConfig

    bare = PreTrainedConfig(
        name_or_path=str(directory), tokenizer_class=config.get("tokenizer_class")
    )
    bare.model_type = config["model_type"]
    return {**refused, "config": bare}


def _is_generic(directory: Path) -> bool:
    try:
        said = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # transformers tells what is wrong with it.
        return False
    # The classes that are what tokenizer.json says, the second its name since transformers 5.
    generic = ("PreTrainedTokenizerFast", "TokenizersBackend")
    return isinstance(said, dict) and said.get("tokenizer_class") in generic


def older_rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """The entries to add to a config.json so that mlx-lm turns queries and keys as it was trained.

    Entries that the configuration has already are left as they are. Where layers of whole and of
    sliding attention differ (Gemma 3), the older words for the latter are `rope_local_base_freq`.
    """
    added: dict[str, Any] = {}
    text = config.get("text_config")
    if isinstance(text, dict) and (inner := older_rope(text)):
        added["text_config"] = {**text, **inner}
    given = config.get("rope_parameters")
    if isinstance(given, dict):
        added |= {key: v for key, v in _words(given).items() if config.get(key) is None}
    return added


def _words(given: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(whole := given.get("full_attention"), dict):
        local = given.get("sliding_attention") or {}
        return _words(whole) | _renamed(local, {"rope_theta": "rope_local_base_freq"})
    words = _renamed(given, {key: key for key in ("rope_theta", "partial_rotary_factor")})
    kind = given.get("rope_type", "default")
    return words if kind == "default" else {**words, "rope_scaling": {**given, "type": kind}}


def _renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: given[old] for old, new in names.items() if old in given}
