"""What a spec says of its fields, as sentences about the flags that set them."""

from __future__ import annotations

import re

from lazarus_bench.cli.train_flags import FLAGS

_FIELD = re.compile(r"^(?P<spec>\w+)\.(?P<field>\w+) = (?:\((?P<several>[^)]*?),?\))?")
_TUPLE = re.compile(r"(?<=such as )\((.*?),?\)")
_PAIR = re.compile(r"^(?P<spec>\w+)\((?P<one>\w+)=[^,)]+, (?P<other>\w+)=[^)]+\)")


def with_flags(recipe: str, sentence: str) -> str:
    """A spec's sentence about its fields, with their flags in the fields' places."""
    if pair := _PAIR.match(sentence):
        one, other = (_flag(recipe, pair["spec"], pair[which]) for which in ("one", "other"))
        return f"{one} with {other}{sentence[pair.end() :]}" if one and other else sentence
    found = _FIELD.match(sentence)
    flag = found and _flag(recipe, found["spec"], found["field"])
    if not (found and flag):
        return sentence
    several = (found["several"] or "").replace(" ", "")
    return f"{flag} = {several}{_plain(sentence[found.end() :])}"


def _plain(sentence: str) -> str:
    """What a spec says of a value, as a command line gives it."""
    said = sentence.replace(" or None", ", or left out").replace("a tuple, each item", "each")
    return _TUPLE.sub(lambda found: found[1].replace(" ", ""), said)


def _flag(recipe: str, spec: str, field: str) -> str | None:
    stage = ""
    if recipe == "two-stage":
        stage = "stage1." if spec == "Sft" else "stage2."
    name = {"train": "examples"}.get(field, field)
    return next((f.flag for f in FLAGS[recipe] if f.field == stage + name), None)
