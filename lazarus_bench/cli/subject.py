"""MODEL of a command: a hub id, a directory or a lab name, found, loaded and named."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli.flags import Layers
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.files import fingerprint, resolve

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel

LAB_SEED = 0
ADAPTER_FILES = ("adapter_config.json", "adapters.safetensors")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model on disk, as it was named, with the adapter that goes on top."""

    name: str
    directory: Path
    adapter: Path | None

    @property
    def label(self) -> str:
        """The model and its adapter, for people."""
        return self.name if self.adapter is None else f"{self.name} + {self.adapter.name}"

    def described(self) -> dict[str, Any]:
        """What a result file says of it; digests are of configuration, tokenizer and weights."""
        adapter = self.adapter and {
            "directory": str(self.adapter),
            "digest": fingerprint(self.adapter),
        }
        return {
            "name": self.name,
            "directory": str(self.directory),
            "digest": fingerprint(self.directory),
            "adapter": adapter,
        }

    def load(self, *, adapted: bool = True) -> LoadedModel:
        """The model in memory, with its adapter unless it is not wanted.

        An adapter that was trained on another model is named on standard error.

        Raises:
            UserError: it cannot be loaded, or the adapter is another model's.
        """
        adapter = self.adapter if adapted else None
        with busy(f"loading {self.name}"):
            # transformers would warn of a prompt that is too long before we refuse it.
            os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
            from lazarus_bench.models.load import load

            loaded = load(self.directory, adapter, name=self.name)
        if adapter is not None:
            self.warn_of_another()
        return loaded

    def warn_of_another(self) -> None:
        """Say on standard error that the adapter was trained on another model, where it was."""
        from lazarus_bench.cli.lineage import trained_elsewhere

        if self.adapter is not None and trained_elsewhere(self.adapter, self.directory):
            print(
                f"lazarus-bench: {self.adapter.name} was trained on another model than "
                f"{self.name}: what it does here is no result of its training",
                file=sys.stderr,
            )


def find(name: str, adapter: str | Path | None = None, lab_seed: int = LAB_SEED) -> Found:
    """Look a MODEL up; a lab name means an artifact in the store, seed 0's unless given.

    Raises:
        UserError: there is no such model or adapter.
    """
    directory = _in_lab(name, lab_seed) if name.startswith("lab:") else resolve(name)
    return Found(name=name, directory=directory, adapter=_adapter(adapter))


def _in_lab(name: str, seed: int) -> Path:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.store import STORE_VARIABLE, Store, default_root
    from lazarus_bench.jobs.subjects import lab_subject

    try:
        job = lab_subject(name).base(seed)
    except NotApplicable as error:
        raise UserError(f"{error}: name a trained model") from error
    assert isinstance(job, Job)
    store = Store(default_root())
    artifact = store.find(job)
    if artifact is None:
        why = store.damage(job) or f"{name} (seed {seed}) is not in the store {store.root}"
        seeds = f" --seeds {seed + 1}" if seed else ""
        raise UserError(
            f"{why}: build it with `lazarus-bench lab build {name.removeprefix('lab:')}{seeds}`, "
            f"or name the store that has it in {STORE_VARIABLE}"
        )
    return artifact.directory


def _adapter(named: str | Path | None) -> Path | None:
    if named is None:
        return None
    directory = Path(named).expanduser().resolve()
    if not directory.is_dir():
        raise UserError(
            f"--adapter {named} is no folder: give the one that mlx_lm.lora or a recipe left"
        )
    missing = [name for name in ADAPTER_FILES if not (directory / name).is_file()]
    if missing:
        raise UserError(
            f"{named} is no adapter (it has no {missing[0]}): give the directory that mlx_lm.lora "
            f"or a recipe left"
        )
    return directory


def chosen_layers(
    loaded: LoadedModel, asked: Layers, default: Sequence[int] | None = None
) -> list[int]:
    """The layers asked for, ascending, each once; where none is named, `default`, else every one.

    Raises:
        UserError: the model has no such layer.
    """
    if asked.all_layers:
        return list(range(loaded.depth))
    for layer in asked.layer or ():
        if not 0 <= layer < loaded.depth:
            raise UserError(
                f"--layer {layer} is not in {loaded.name}: choose 0 to {loaded.depth - 1}"
            )
    every = range(loaded.depth) if default is None else default
    return sorted(set(asked.layer or every))


def check_top(loaded: LoadedModel, top: int) -> None:
    """Make sure that the vocabulary has so many tokens.

    Raises:
        UserError: it has fewer, or none is asked for.
    """
    from lazarus_bench.models.anatomy import part

    known = int(part(loaded.model, loaded.anatomy.embedding).weight.shape[0])
    if not 1 <= top <= known:
        raise UserError(f"--top-k {top} is not to be had of {loaded.name}: choose 1 to {known}")


def target_tokens(loaded: LoadedModel, words: Sequence[str]) -> dict[str, int]:
    """Each word with its token as it stands.

    Raises:
        UserError: a word is no single token.
    """
    from lazarus_bench.models.prompts import word_tokens

    try:
        return {word: word_tokens(loaded.tokenizer, word).bare for word in words}
    except NotApplicable as error:
        raise UserError(f"--targets: {error}; name another word of {loaded.name}") from error
