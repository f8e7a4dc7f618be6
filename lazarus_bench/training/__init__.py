"""Training: one recipe per file, and the loop they share.

A recipe is a frozen spec with its `train` (`recipe.py`). `loop.fit` takes the steps, resumes an
interrupted attempt (`resume.py`) and splits batches among ranks. Storing artifacts and deciding
when to make them belongs to `jobs`, measuring them to `analysis`.

The names of this package are imported on first use, and none of them imports mlx before it trains.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from lazarus_bench.errors import UserError
from lazarus_bench.reading import load_entry

if TYPE_CHECKING:
    from lazarus_bench.training.dual_reward import DualReward
    from lazarus_bench.training.engram import Engram
    from lazarus_bench.training.finetune_cost import FinetuneCost
    from lazarus_bench.training.fuse import Fuse
    from lazarus_bench.training.grpo import Grpo, GrpoDual
    from lazarus_bench.training.jacobian_lens import JacobianLens
    from lazarus_bench.training.pretrain import Blank, Instruct, Pretrain
    from lazarus_bench.training.randomise import Randomise
    from lazarus_bench.training.recipe import Recipe, option
    from lazarus_bench.training.sft import Sft, SftTexts
    from lazarus_bench.training.tuned_lens import TunedLens

_FILES = {
    "dual_reward": ("DualReward",),
    "engram": ("Engram",),
    "finetune_cost": ("FinetuneCost",),
    "fuse": ("Fuse",),
    "grpo": ("Grpo", "GrpoDual"),
    "jacobian_lens": ("JacobianLens",),
    "pretrain": ("Blank", "Instruct", "Pretrain"),
    "randomise": ("Randomise",),
    "recipe": ("Recipe", "option"),
    "sft": ("Sft", "SftTexts"),
    "tuned_lens": ("TunedLens",),
}
HOMES = {name: file for file, names in _FILES.items() for name in names}
"""The file of each name."""

__all__ = [
    "Blank",
    "DualReward",
    "Engram",
    "FinetuneCost",
    "Fuse",
    "Grpo",
    "GrpoDual",
    "Instruct",
    "JacobianLens",
    "Pretrain",
    "Randomise",
    "Recipe",
    "Sft",
    "SftTexts",
    "TunedLens",
    "known_recipes",
    "option",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def known_recipes() -> Mapping[str, type["Recipe"]]:
    """The recipes by kind: ours, then those of installed packages.

    A package names a recipe, or several in a tuple or list, as `recipes` in its entry-point group
    `lazarus_bench`.

    Raises:
        UserError: a package names something else, or a kind that there is already.
    """
    from lazarus_bench.training.recipe import Recipe

    own = [__getattr__(name) for name, file in HOMES.items() if file != "recipe"]
    found: dict[str, type[Recipe]] = {recipe.kind: recipe for recipe in own}
    for entry in entry_points(group="lazarus_bench", name="recipes"):
        theirs = load_entry(entry)
        for recipe in theirs if isinstance(theirs, list | tuple) else (theirs,):
            if not (isinstance(recipe, type) and issubclass(recipe, Recipe)):
                raise UserError(
                    f"the entry point {entry.value} names {recipe!r}, which is not a recipe: name "
                    f"a subclass of lazarus_bench.training.Recipe, or a list of them"
                )
            if found.setdefault(recipe.kind, recipe) is not recipe:
                raise UserError(
                    f"the entry point {entry.value} has a recipe of kind {recipe.kind!r}, which "
                    f"another package has too: give it another kind"
                )
    return found
