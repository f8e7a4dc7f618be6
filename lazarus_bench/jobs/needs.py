"""What a claim needs trained: recipes on its subject, its instruct sibling, one another."""

from __future__ import annotations

from lazarus_bench.claims.trained import Trained
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import Recipe
from lazarus_bench.training.recipe import check_base

Need = Recipe | Trained | None
"""Runs that `trained` describes; a recipe alone is on the subject, and None is the base."""


def trained(*recipes: Recipe, instruct: bool = False) -> Trained:
    """Runs of one recipe, or of several one after another, each on what the one before it left.

    Name it at a claim file's top level, and have a claim's test ask for the runs by that name:

        vo = trained(DualReward(targets="vo", weight=0.4))

        @claim("mine/names-it", AtLeast(0.36))
        def test_it_names_the_operation(vo, held_out): ...

    `vo` is then a `Runs`, one run a seed, with `before` leading down through the recipes to the
    base. Without a recipe it is the base itself.

    Args:
        recipes: from the bottom up.
        instruct: start from the instruct sibling of the subject.

    Raises:
        UserError: a recipe cannot start from what the one before it leaves.
    """
    below = None
    for recipe in recipes:
        check_base(recipe, below)
        below = recipe
    return Trained(recipes=recipes, on_instruct=instruct)


def data_of(recipe: Recipe) -> DataSource | None:
    """The labelled data that a recipe reads, or None."""
    data = getattr(recipe, "data", None)
    return data if isinstance(data, DataSource) else None
