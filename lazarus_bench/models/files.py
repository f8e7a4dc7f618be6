"""A model's files before mlx touches them: found, complete and readable, or one clear sentence."""

from __future__ import annotations

import hashlib
import math
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lazarus_bench import reading
from lazarus_bench.errors import UserError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
_SAMPLE = 1 << 20
_SAMPLES = 64

_COUNTS = (
    *("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"),
)
_MOST = (1 << 31) - 1
_NUMBERS = (
    *("rope_theta", "rope_local_base_freq", "partial_rotary_factor", "rms_norm_eps"),
    "factor",  # of rope_scaling
)
_OBJECTS = (
    *("text_config", "rope_parameters", "full_attention", "sliding_attention", "rope_scaling"),
    *("quantization", "quantization_config"),
)
FLOATS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
"""What config.json calls a type of weights, and what safetensors calls it."""


def resolve(source: str) -> Path:
    """The directory of a model: `source` itself, or the hub snapshot it names.

    Raises:
        UserError: no such directory, or the hub does not give it.
    """
    path = Path(source).expanduser()
    if not source.strip():
        raise UserError(
            f"the model's name {source!r} is empty: give a directory or a Hugging Face id"
        )
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
            f"{source} is not a directory and could not be downloaded from the hub "
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
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise UserError(f"{file} names no model_type: it is not a model's configuration")
    _check_config(config, f"{file} says")
    if config.get("model_file") is not None:
        raise UserError(
            f"{file} names Python code to build the model with (model_file), which is never run: "
            f"give a model of a family that mlx-lm has"
        )
    return config


def _check_config(config: Mapping[str, Any], says: str) -> None:
    """Refuse what no model has, before it is computed with or so much is allocated.

    Some families give a list, one entry a layer; what is null has the family's default.
    """
    for key in (*_COUNTS, *_NUMBERS):
        value = config.get(key)
        for item in value if isinstance(value, list) and value else [value]:
            if item is None:
                continue
            good = (
                isinstance(item, int | float)
                and not isinstance(item, bool)
                and 0 < item < math.inf
                and (key not in _COUNTS or (item <= _MOST and item == int(item)))
            )
            if not good:
                what = "a number above 0" if key in _NUMBERS else f"a whole number, 1 to {_MOST}"
                raise UserError(f"{says} {key} is {item!r:.40}: it must be {what}")
    for key in _OBJECTS:
        inner = config.get(key)
        if inner is not None and not isinstance(inner, dict):
            raise UserError(f"{says} {key} is {inner!r:.40}: it must be an object")
        if inner:
            _check_config(inner, f"{says} in {key} that")


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: it is damaged, or no file.
    """
    try:
        return reading.read_json(file)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): copy it again") from error
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON ({error}): copy it again") from error


def check_files(directory: Path, config: Mapping[str, Any]) -> None:
    """Make sure that whole safetensors, as `config` describes them, and a tokenizer are there.

    Raises:
        UserError: naming the file and what is wrong with it.
    """
    _check_kinds(directory)
    weights = sorted(directory.glob("model*.safetensors"))
    if not weights:
        raise UserError(f"{directory} has no model*.safetensors: other weights are not loaded")
    _check_tensors(weights, config)
    if not any((directory / name).exists() for name in TOKENIZER_FILES):
        raise UserError(f"{directory} has no tokenizer: add tokenizer.json beside the weights")
    for file in directory.glob("*.json"):
        if file.name.startswith("tokenizer") or file.name in _ALSO_READ:
            _refuse_code(file, _check_object(file))


def _check_kinds(directory: Path) -> None:
    for file in directory.iterdir():
        # Whatever reads a pipe waits for ever, and a device has no end.
        mode = file.stat().st_mode if file.exists() else stat.S_IFREG
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UserError(f"{file} is a pipe or a device: put a file in its place")


_ALSO_READ = (
    *("generation_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("chat_template.json", "model.safetensors.index.json"),
)
"""What mlx-lm and transformers read beside config.json and the tokenizer's own files."""


def _check_object(file: Path) -> Mapping[str, Any]:
    found = read_json(file)
    if not isinstance(found, dict):
        raise UserError(f"{file} holds no JSON object: copy it again")
    length = found.get("model_max_length")
    if file.name == "tokenizer_config.json" and not (
        length is None or (type(length) in (int, float) and length > 0)
    ):
        raise UserError(f"{file} says model_max_length is {length!r:.40}: it must be a number")
    return found


def _check_tensors(weights: list[Path], config: Mapping[str, Any]) -> None:
    """No tensor twice, none of a type that contradicts `config`, and some for every layer."""
    kinds: dict[str, tuple[Path, str]] = {}
    for file in weights:
        for name, kind, _ in header(file):
            if name in kinds:
                raise UserError(
                    f"{file.parent} has the tensor {name} in {kinds[name][0].name} and in "
                    f"{file.name}: remove the file that is none of this model's"
                )
            kinds[name] = file, kind
    quantised = config.get("quantization") or config.get("quantization_config")
    held = {kind for _, kind in kinds.values()}
    said = FLOATS.get(str(config.get("torch_dtype", config.get("dtype"))).removeprefix("torch."))
    # Families keep some tensors in float32; a copy in another half precision is whole.
    halves = {said, "F32"} if said in held else {*sorted(held & {"F16", "BF16"})[:1], "F32"}
    for name, (file, kind) in kinds.items() if not quantised else ():
        if kind not in halves:
            raise UserError(
                f"{file} holds {name} as {kind}, where config.json and the other tensors say "
                f"{' or '.join(sorted(filter(None, halves)))}: copy it again"
            )
    layers = config.get("num_hidden_layers") or (config.get("text_config") or {}).get(
        "num_hidden_layers", 0
    )
    if isinstance(layers, int) and layers > len(kinds):
        raise UserError(
            f"{weights[0].parent} has {len(kinds)} tensors, too few for the {layers} layers that "
            f"its config.json says: copy the model again"
        )


def header(file: Path) -> Iterator[tuple[str, str, int]]:
    """The name, the type and the number of elements of each tensor in a file of weights.

    Raises:
        UserError: it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                tensor = opened.get_slice(name)
                yield name, tensor.get_dtype(), math.prod(tensor.get_shape())
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
    kinds = {name: kind for name, kind, _ in header(directory / "adapters.safetensors")}
    names = set(kinds)
    for name, kind in kinds.items():
        # A packed weight has its scales beside it.
        if kind not in FLOATS.values() and f"{name.rpartition('.')[0]}.scales" not in names:
            raise UserError(
                f"the adapter {directory} holds {name} as {kind}, which is none of "
                f"{', '.join(FLOATS.values())}: copy it again"
            )
    if not names:
        raise UserError(f"the adapter {directory} holds no tensors: copy it again")
    leaves = {name.rpartition(".")[2] for name in names}
    low = bool(leaves & {"lora_a", "lora_b"})
    found = ("dora" if "m" in leaves else "lora") if low else "full"
    if said != found:
        raise UserError(
            f"the adapter {directory} says fine_tune_type {said!r}, and its tensors are of "
            f"{found!r}: correct its adapter_config.json or copy it again"
        )
    layers = config.get("num_layers", 0)
    if not isinstance(layers, int) or isinstance(layers, bool):
        raise UserError(
            f"the adapter {directory} has num_layers {layers!r:.60}, which is no number of layers: "
            f"correct its adapter_config.json"
        )
    if low:
        _check_parameters(directory, config.get("lora_parameters"))
    return names


def _check_parameters(directory: Path, given: Any) -> None:
    """Make sure of an adapter's numbers, which mlx-lm computes with as they are."""
    given = given if isinstance(given, dict) else {}
    for name, kind, least in (("rank", int, 1), ("scale", float, -_MOST), ("dropout", float, 0)):
        found = given.get(name)
        number = isinstance(found, kind | int) and not isinstance(found, bool)
        if not (number and least <= found <= (0.999 if name == "dropout" else _MOST)):
            raise UserError(
                f"the adapter {directory} has the {name} {found!r:.60} among its lora_parameters, "
                f"which nothing can be computed with: correct its adapter_config.json"
            )


def _refuse_code(file: Path, said: Mapping[str, Any]) -> None:
    auto_map = said.get("auto_map")
    if auto_map and (not isinstance(auto_map, dict) or "AutoTokenizer" in auto_map):
        raise UserError(
            f"{file} names Python code to read text with (auto_map), which is never run: save the "
            f"tokenizer as tokenizer.json and remove auto_map"
        )


def fingerprint(directory: Path) -> str:
    """A digest of what a result depends on: configuration, tokenizer and weights.

    Of each weight file its size and 64 blocks of a mebibyte, evenly spread: the whole of a small
    file, a part of every layer of a large one, so that many gigabytes stay quick.

    Raises:
        UserError: a pipe or a device lies there.
    """
    _check_kinds(directory)
    digest = hashlib.sha256()
    for pattern in ("*.json", "*.model", "merges.txt"):
        for file in sorted(directory.glob(pattern)):
            digest.update(f"{file.name} {file.stat().st_size}".encode())
            digest.update(reading.read_bytes(file))
    for part in _sampled(directory):
        digest.update(part)
    return digest.hexdigest()


def weights_digest(directory: Path) -> str:
    """The same of the weights alone, which a model that is made again has too."""
    return hashlib.sha256(b"".join(_sampled(directory))).hexdigest()


def _sampled(directory: Path) -> Iterator[bytes]:
    """The name, the size and the sampled blocks of each file of weights."""
    for file in sorted(directory.glob("*.safetensors")):
        size = file.stat().st_size
        yield f"{file.name} {size}".encode()
        with file.open("rb") as stream:
            for start in range(0, size, max(_SAMPLE, size // _SAMPLES)):
                stream.seek(start)
                yield stream.read(_SAMPLE)


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
        said = reading.read_json(directory / "tokenizer_config.json")
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
