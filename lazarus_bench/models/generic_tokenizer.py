"""A tokenizer that stands in its tokenizer.json alone is read without its model family's code.

transformers imports a family's configuration before it reads any tokenizer, and where torch is
installed all that this pulls in (torch's compiler, sympy) takes a second. A generic tokenizer class
asks that configuration for two names only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""transformers' classes that are what tokenizer.json says, the second its name since version 5."""


def tokenizer_config(directory: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What `mlx_lm.load` hands on to `AutoTokenizer`: a bare configuration, or nothing.

    `config` is config.json. Nothing is handed on, and all is as ever, where the tokenizer has a
    class of its own or code of its own.
    """
    if not (directory / "tokenizer.json").is_file() or not _is_generic(directory):
        return {}
    from transformers import PreTrainedConfig

    bare = PreTrainedConfig(
        name_or_path=str(directory), tokenizer_class=config.get("tokenizer_class")
    )
    bare.model_type = config["model_type"]
    return {"config": bare}


def _is_generic(directory: Path) -> bool:
    try:
        said = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # transformers tells what is wrong with it.
        return False
    return (
        isinstance(said, dict) and said.get("tokenizer_class") in GENERIC and "auto_map" not in said
    )
