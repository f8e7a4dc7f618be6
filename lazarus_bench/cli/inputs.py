"""What a command is given: a model, found and loaded; prompts and words; a YAML file."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lazarus_bench import reading
from lazarus_bench.claims.folder import NAME, claims_folder
from lazarus_bench.cli.flags import Layers
from lazarus_bench.cli.terminal import busy
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import NotApplicable, UserError, say
from lazarus_bench.models.files import fingerprint, resolve
from lazarus_bench.models.precision import AS_STORED, AUTO, Precision, choose, stored

if TYPE_CHECKING:
    from lazarus_bench.jobs.store import Store
    from lazarus_bench.models.load import LoadedModel
    from lazarus_bench.models.prompts import HowRead
    from lazarus_bench.tasks.text_rows import TextRow

LAB_SEED = 0
SEPARATOR = "|"
CONFIG_LIMIT = 1 << 20
"""Bytes of a YAML file, which is slow to read."""

MOST_ALIASES = 20
"""Aliases of aliases grow as a power of their number."""

MOST_TIMES = 100_000
"""What is drawn or generated at one command."""

FROM_FILE = "@"
STANDARD_INPUT = "-"
ADAPTER_FILES = ("adapter_config.json", "adapters.safetensors")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model on disk, as it was named, with the adapter that goes on top.

    `precision` is what it is computed in.
    """

    name: str
    directory: Path
    adapter: Path | None
    precision: Precision = AS_STORED

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
            "dtype": self.precision.dtype or stored(self.directory).dtype,
            "adapter": adapter,
        }

    def load(self, *, adapted: bool = True) -> LoadedModel:
        """The model in memory, with its adapter unless it is not wanted.

        What it is computed in, where that is not the obvious, and an adapter that was trained on
        another model are named on standard error.
        """
        adapter = self.adapter if adapted else None
        if adapted and self.precision.says is not None:
            say(self.precision.says)
        from lazarus_bench.training.footprint import SMALLER, peak_line, reading_peak

        peak = reading_peak(self.directory, self.precision.dtype)
        if adapted and (told := peak_line(f"reading {self.name}", peak, SMALLER)):
            say(told)
        with busy(f"loading {self.name}"):
            # transformers would warn of a prompt that is too long before we refuse it.
            os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
            from lazarus_bench.models.load import load

            loaded = load(self.directory, adapter, name=self.name, dtype=self.precision.dtype)
        if adapter is not None:
            self.warn_of_another()
        return loaded

    def warn_of_another(self) -> None:
        """Say on standard error that the adapter was trained on another model, where it was."""
        if self.adapter is not None and trained_elsewhere(self.adapter, self.directory):
            say(
                f"{self.adapter.name} was trained on another model than {self.name}: what it does "
                f"here is no result of its training"
            )


def claims_at(named: Path | None) -> Path:
    """The folder of claim files; on standard error its place, where it was found by its name."""
    folder = claims_folder(named)
    if named is None and folder == Path(NAME):
        say(f"the claims are those in {folder.absolute()}")
    return folder


def find(
    name: str,
    adapter: str | Path | None = None,
    lab_seed: int = LAB_SEED,
    store: str | Path | None = None,
    dtype: str | None = AUTO,
) -> Found:
    """Look a MODEL up; a lab name means an artifact in the `store`, seed 0's unless given.

    `dtype` is what it should be computed in; None leaves its weights as they are stored.
    """
    directory = _in_lab(name, lab_seed, store) if name.startswith("lab:") else resolve(name)
    top = _adapter(adapter)
    precision = AS_STORED if dtype is None else choose(name, directory, dtype)
    return Found(name=name, directory=directory, adapter=top, precision=precision)


def _in_lab(name: str, seed: int, named: str | Path | None) -> Path:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.store import STORE_VARIABLE
    from lazarus_bench.jobs.subjects import lab_subject

    try:
        job = lab_subject(name).base(seed)
    except NotApplicable as error:
        raise UserError(f"{error}: name a trained model") from error
    assert isinstance(job, Job)
    store = open_store(named)
    artifact = store.find(job)
    if artifact is None:
        why = store.damage(job) or f"{name} (seed {seed}) is not in the store {store.root}"
        more = f" --seeds {seed + 1}" if seed else ""
        more += "" if named is None else f" --store {shlex.quote(str(named))}"
        raise UserError(
            f"{why}: build it with `lazarus-bench lab build {name.removeprefix('lab:')}{more}`, "
            f"or name the store that has it with --store or in {STORE_VARIABLE}"
        )
    return artifact.directory


def open_store(named: str | Path | None) -> Store:
    """The store that --store names, else the default one."""
    from lazarus_bench.jobs.store import Store, default_root

    return Store((Path(named).expanduser() if named else default_root()).absolute())


def _adapter(named: str | Path | None) -> Path | None:
    if named is None:
        return None
    directory = Path(named).expanduser().resolve()
    if not directory.is_dir():
        raise UserError(
            f"--adapter {named} is not a folder: give the one that mlx_lm.lora or a recipe wrote"
        )
    missing = [name for name in ADAPTER_FILES if not (directory / name).is_file()]
    if missing:
        raise UserError(
            f"{named} is not an adapter (it has no {missing[0]}): give the directory that "
            f"mlx_lm.lora or a recipe wrote"
        )
    return directory


def chosen_layers(
    loaded: LoadedModel, asked: Layers, default: Sequence[int] | None = None
) -> list[int]:
    """The layers asked for, ascending, each once; where none is named `default`, else all."""
    if asked.all_layers:
        return list(range(loaded.depth))
    for layer in asked.layer or ():
        if not 0 <= layer < loaded.depth:
            raise UserError(
                f"--layer {layer} is not in {loaded.name}: choose 0 to {loaded.depth - 1}"
            )
    every = range(loaded.depth) if default is None else default
    return sorted(set(asked.layer or every))


def lens_layers(loaded: LoadedModel, asked: Layers) -> list[int]:
    """`chosen_layers` of those that the model's lens reads; by default the classifier layer."""
    known = list(loaded.lens_layers)
    usual = [loaded.classifier_layer] if loaded.classifier_layer in known else known
    chosen = known if asked.all_layers else chosen_layers(loaded, asked, usual)
    for layer in chosen:
        if layer not in known:
            raise UserError(
                f"--layer {layer} was not fitted in this lens: choose {', '.join(map(str, known))}"
            )
    return chosen


def check_count(flag: str, count: int) -> None:
    """Make sure that something is done at least once, and not for ever."""
    if not 1 <= count <= MOST_TIMES:
        raise UserError(f"{flag} {count} is not possible: choose 1 to {MOST_TIMES}")


def check_top(loaded: LoadedModel, top: int) -> None:
    """Make sure that the vocabulary has so many tokens."""
    from lazarus_bench.models.anatomy import part

    known = int(part(loaded.model, loaded.anatomy.embedding).weight.shape[0])
    if not 1 <= top <= known:
        raise UserError(f"--top-k {top} is not possible with {loaded.name}: choose 1 to {known}")


def target_tokens(
    loaded: LoadedModel, words: Sequence[str], token: HowRead = "only"
) -> dict[str, tuple[int, ...]]:
    """Each word with the tokens that stand for it."""
    from lazarus_bench.models.prompts import word_ids
    from lazarus_bench.models.texts import check_tokens

    try:
        found = {word: word_ids(loaded.tokenizer, word, token) for word in words}
    except NotApplicable as error:
        raise UserError(
            f"--targets: {error}; name another word of {loaded.name}, or give --token first"
        ) from error
    check_tokens(loaded, list(found.values()))
    return found


def trained_elsewhere(adapter: Path, model: Path) -> bool:
    """Whether the adapter's record names another base than `model`.

    Weights of one shape load on any model that has the shape, so loading does not tell. False
    where there is no record: another program's adapter, or a lab model that was copied without its
    manifest.
    """
    from lazarus_bench.jobs.artifact import MANIFEST, SPEC, object_if_any
    from lazarus_bench.training import known_recipes

    base = object_if_any(adapter / SPEC).get("base")
    # What was trained on an adapter was trained on the adapter's base.
    adapters = {kind for kind, made in known_recipes().items() if made.leaves == "adapter"}
    while isinstance(base, Mapping) and base.get("kind") in adapters:
        base = base.get("base")
    if not isinstance(base, Mapping):
        return False
    if "checkpoint" in base:
        return bool(base["checkpoint"] != fingerprint(model))
    own = object_if_any(model / MANIFEST).get("digest")
    return own is not None and own != digest_of(base)


Prompt: TypeAlias = "str | TextRow"
"""A prompt as it is written, or the messages of a row."""


def read_prompts(given: Sequence[str]) -> list[Prompt]:
    """Prompts in their order: `a|b` is two, `@file` one a line, `@-` those of standard input.

    Blanks count, also at the end: `7 * 8 = ` is another prompt than `7 * 8 =`. In a file blank
    lines are skipped, and neither mark means anything. The lines of a file whose name ends in
    .jsonl are texts in quotation marks or objects with a prompt or messages.
    """
    found: list[Prompt] = []
    for text in given:
        if text.startswith(FROM_FILE):
            rows = _prompt_rows(text.removeprefix(FROM_FILE))
            found += [row if row.messages else row.prompt for row in rows]
            continue
        if not text:
            raise UserError("a prompt is empty: write what the model should read")
        prompts = text.split(SEPARATOR)
        if not all(prompts):
            raise UserError(f"{text!r} has an empty prompt: leave out the {SEPARATOR!r} beside it")
        found += prompts
    return found


def read_sides(**sides: str) -> list[list[Prompt]]:
    """`read_prompts` of two arguments that need as many prompts, by their names in the help."""
    one, other = found = [read_prompts([given]) for given in sides.values()]
    if len(one) != len(other):
        first, second = (name.upper() for name in sides)
        raise UserError(
            f"there are {len(one)} prompts in {first} and {len(other)} in {second}: give the "
            f"same number of each"
        )
    return found


def texts(loaded: LoadedModel, prompts: Iterable[Prompt]) -> list[str]:
    """Prompts as the model reads them: messages as its chat template writes them."""
    from lazarus_bench.models.templates import as_messages, prompts_of

    every = list(prompts)
    chats = {row.place: as_messages(row.messages) for row in every if not isinstance(row, str)}
    written = dict(zip(chats, prompts_of(loaded, chats), strict=True))
    return [row if isinstance(row, str) else written[row.place] for row in every]


def texts_by_class(
    loaded: LoadedModel, classes: Mapping[str, Sequence[Prompt]]
) -> dict[str, list[str]]:
    """`texts` of each class's prompts."""
    return {name: texts(loaded, prompts) for name, prompts in classes.items()}


def _prompt_rows(name: str) -> list[TextRow]:
    """The prompts of a file, each with the line that it is in."""
    from lazarus_bench.tasks.text_rows import TextRow, read_prompt_rows

    lines = _lines(name)
    if name.endswith(".jsonl"):
        return read_prompt_rows(lines, name)
    return [TextRow(prompt=line) for line in lines if line.strip()]


def _lines(name: str) -> list[str]:
    """The lines of a file of prompts, at least one of which is not blank."""
    try:
        raw = _typed() if name == STANDARD_INPUT else reading.read_bytes(Path(name))
        # A byte order mark is how some editors begin a file; it belongs to no prompt.
        lines = [line.rstrip("\r") for line in raw.decode("utf-8-sig").split("\n")]
    except OSError as error:
        raise UserError(
            f"the prompts in {name!r} cannot be read ({error.strerror}): name a file after @, with "
            f"one prompt per line"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8: save it again with that encoding") from error
    if not any(line.strip() for line in lines):
        raise UserError(f"{name} has no prompts: write one per line")
    return lines


def _typed() -> bytes:
    found = sys.stdin.buffer.read(reading.LIMIT + 1)
    if len(found) > reading.LIMIT:
        raise OSError(errno.EFBIG, f"it gave more than {reading.LIMIT / 1e6:.0f} MB")
    return found


def read_words(given: Sequence[str] | None) -> list[str]:
    """Words separated by commas or `|`, each once; blanks count."""
    given = given or ()
    words = [word for text in given for word in text.replace(SEPARATOR, ",").split(",")]
    if not all(words):
        raise UserError(f"--targets {','.join(given)} has an empty word: leave out its comma")
    return list(dict.fromkeys(words))


def read_classes(given: Sequence[str]) -> dict[str, list[Prompt]]:
    """Prompts by class, of `name:a|b`, `name:@file` and `@file.jsonl`, whose rows name theirs.

    A class may be given in several parts.
    """
    classes: dict[str, list[Prompt]] = {}
    for text in given:
        if text.startswith(FROM_FILE) and text.endswith(".jsonl"):
            for row in _prompt_rows(text.removeprefix(FROM_FILE)):
                if not row.label:
                    raise UserError(f'{row.place} has no class: add one, such as "class": "yes"')
                classes.setdefault(row.label, []).append(row if row.messages else row.prompt)
            continue
        name, colon, given_prompts = text.partition(":")
        if not (name.strip() and colon and given_prompts):
            raise UserError(f'--classes {text!r} names no class: write it as "name:prompt|prompt"')
        classes.setdefault(name.strip(), []).extend(read_prompts([given_prompts]))
    if len(classes) < 2:
        raise UserError("there is only one class: give --classes for at least two")
    owner: dict[Prompt, str] = {}
    for name, prompts in classes.items():
        for prompt in prompts:
            if owner.setdefault(prompt, name) != name:
                shown = repr(prompt) if isinstance(prompt, str) else prompt.place
                raise UserError(
                    f"{shown} is in the classes {owner[prompt]} and {name}: leave it in one"
                )
    return classes


def read_answers(flag: str, given: str | None, prompts: int) -> list[str] | None:
    """An answer a prompt, of `a|b` or @FILE; one alone serves all. None where none is given."""
    if given is None:
        return None
    if not given:
        raise UserError(f"{flag} is empty: give the text that should follow the prompt")
    answers = []
    for answer in read_prompts([given]):
        if not isinstance(answer, str):
            raise UserError(f"{answer.place} has messages: {flag} needs texts")
        answers.append(answer)
    if len(answers) not in (1, prompts):
        raise UserError(
            f"answers in {flag}: {len(answers)}, prompts: {prompts}; give one for all, or one per "
            f"prompt"
        )
    return answers * prompts if len(answers) == 1 else answers


def read_yaml(named: str, flag: str = "--config") -> Any:
    """The content of a YAML file, read safely; None where it is empty."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a mapping with two equal keys, of which YAML would pass the first over."""

        aliases = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.aliases += self.check_event(yaml.AliasEvent)
            if self.aliases > MOST_ALIASES:
                raise UserError(
                    f"{flag} {named} has more than {MOST_ALIASES} aliases: write values out"
                )
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[tuple[str, str]] = set()
            for key, _ in node.value:
                name = (key.tag, str(key.value))
                if name in seen:
                    raise UserError(
                        f"{flag} {named} has the key {key.value} twice, again in line "
                        f"{key.start_mark.line + 1}: leave one out"
                    )
                seen.add(name)
            return super().construct_mapping(node, deep)

    text = _text(named, flag, "YAML")
    try:
        return yaml.load(text, Loader)  # as safe as the loader that it extends
    except RecursionError as error:
        raise UserError(f"{flag} {named} is nested too deeply: write it flatter") from error
    except ValueError as error:  # a date or a number that YAML's form allows and Python's does not
        raise UserError(f"{flag} {named} cannot be read ({error}): fix it there") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = " ".join(str(error).split())
        if mark is not None:
            where = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"  # type: ignore[attr-defined]  # of a MarkedYAMLError
        raise UserError(f"{flag} {named} is not valid YAML ({where}): fix it there") from error


def read_toml(named: str, flag: str) -> Any:
    """The content of a TOML file."""
    import tomllib

    try:
        return tomllib.loads(_text(named, flag, "TOML"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{flag} {named} is not valid TOML ({error}): fix it there") from error


def _text(named: str, flag: str, kind: str) -> str:
    try:
        return reading.read_text(Path(named).expanduser(), CONFIG_LIMIT)
    except OSError as error:
        raise UserError(
            f"{flag} {named} cannot be read ({error.strerror}): name a {kind} file"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{flag} {named} is not UTF-8: save it with that encoding") from error
