"""Quirks: defects of the public source behind the writeups that change what is read of a model.

Each is off unless it is named when a model is loaded (methods, *Quirks*). The model then carries it
in its name and to the instrument that it belongs to, its readings are kept apart, and a report says
which claim switched it on. One at a time: of two, nobody could tell which of them did it. Defects
of trainings are `training.recipe`. No mlx here.
"""

from typing import Literal, get_args

from lazarus_bench.errors import UserError

Quirk = Literal[
    "non-causal-lens",
    "granite-forward",
    "drop-adapter-modules",
    "substring-hits",
    "bf16-lens",
]
"""What the public source does instead:

non-causal-lens: the lens calls the layers without a mask, so that every position of a prompt sees
    those after it (`analysis.lens`).
granite-forward: attention scores are scaled by 1/√head dimensions and the attention's output by
    Granite's attention multiplier; the embedding multiplier and the scaling of logits are left out
    (`models.defects`).
drop-adapter-modules: of an adapter, what lies on q_proj and v_proj is loaded and nothing else
    (`models.defects`).
substring-hits: a token names the operation when a word of it occurs in the token, and only prompts
    with such a token are averaged (`analysis.operations`).
bf16-lens: the lens's probabilities are rounded to bfloat16 (`analysis.lens`).
"""

QUIRKS: tuple[Quirk, ...] = get_args(Quirk)


def told(quirk: Quirk | None) -> str:
    """What a name says of a quirk that is on: ", QUIRK bf16-lens"; "" without one."""
    return f", QUIRK {quirk}" if quirk else ""


def check_quirk(name: str, on: Quirk | None, wanted: str) -> None:
    """Make sure that `wanted` can be switched on in what is called `name`, where `on` is on.

    Raises:
        UserError: there is no such quirk, or one is on.
    """
    if wanted not in QUIRKS:
        raise UserError(f"there is no quirk {wanted!r} of reading: choose {', '.join(QUIRKS)}")
    if on is not None:
        raise UserError(f"{name} has the quirk {on!r} on, and one is the most: start without it")
