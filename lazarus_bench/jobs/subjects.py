"""Subjects, the models that claims are evaluated on, and what claims need trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lazarus_bench.claims.subjects import BLANK, INSTRUCT, LAB_BASE, lab_family
from lazarus_bench.claims.trained import Trained
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.models import families
from lazarus_bench.models.files import check_files, fingerprint, read_config, resolve
from lazarus_bench.models.precision import AS_STORED, AUTO, Precision, choose
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import Blank, Instruct, Pretrain, Recipe
from lazarus_bench.training.recipe import check_base

LAB_FAMILIES: Mapping[str, Pretrain] = {
    name: Pretrain(family=name, steps=family.lab.steps)
    for name, family in families.LAB.items()
    if family.lab
}
"""How each family's base is made."""

MIXTURES = tuple(name for name, family in families.LAB.items() if family.anatomy.router)
"""Families with experts and a router."""

LAB = tuple(f"lab:{family}{kind}" for family in LAB_FAMILIES for kind in ("", INSTRUCT))
LAB_BOTH = (*LAB_BASE, *(name + INSTRUCT for name in LAB_BASE))
LAB_EVERY = tuple(f"lab:{family}" for family in LAB_FAMILIES)
"""A base of every family, for claims that name none: five seeds of the llama and, in the default
profile, one of each other (`claims.profiles`)."""
LAB_BLANK = (BLANK,)
"""An untrained backbone of the data that a claim's recipes read."""
LAB_MIXTURES = tuple(f"lab:{family}" for family in MIXTURES)
"""The bases that have experts, for claims about routers."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model family of the lab (one base a seed) or one given checkpoint (the same for all).

    `model_type` is what a given checkpoint's config names its family; a lab model's name says it.
    `precision` is what its models are computed in.
    """

    name: str
    checkpoint: Checkpoint | None = None
    model_type: str = ""
    precision: Precision = AS_STORED

    @property
    def is_lab(self) -> bool:
        """Whether its bases are trained here, one a seed."""
        return self.checkpoint is None

    def base(self, seed: int, data: DataSource | None = None) -> Job | Checkpoint:
        """What a recipe with `seed`, which reads `data`, starts from.

        Raises:
            NotApplicable: a blank base is of labelled data, and there are none.
            UserError: there is no such lab family.
        """
        if self.checkpoint is not None:
            return self.checkpoint
        if self.name == BLANK:
            if data is None:
                raise NotApplicable(
                    f"{BLANK} is untrained, and made for claims that read labelled data"
                )
            return Job(recipe=Blank(data=data), base=None, seed=seed)
        family = str(lab_family(self.name))
        ours = LAB_FAMILIES.get(family)
        recipe = ours or Pretrain(family=family, steps=families.lab_model(family)[1].steps)
        base = Job(recipe=recipe, base=None, seed=seed)
        tuned = self.name.endswith(INSTRUCT)
        return Job(recipe=Instruct(), base=base, seed=seed) if tuned else base


def lab_subject(name: str) -> Subject:
    """The lab subject called `name`.

    Raises:
        UserError: there is no such lab model.
    """
    if name not in (*LAB, BLANK):
        try:
            families.lab_model(str(lab_family(name)))
        except UserError:
            known = ", ".join((*LAB, BLANK))
            raise UserError(f"{name} is not in the lab: choose {known}") from None
    return Subject(name=name)


def subject(spec: str, wish: str = AUTO) -> Subject:
    """The subject that a user names, a lab model, a directory or a hub id, computed as wished.

    Raises:
        UserError: it names nothing that can be loaded.
    """
    if spec.startswith("lab:"):
        dtype = None if wish in (AUTO, "float32") else wish  # the lab's are stored in float32
        return replace(lab_subject(spec), precision=Precision(dtype=dtype))
    directory = resolve(spec)
    config = read_config(directory)
    check_files(directory, config)
    families.anatomy_of(config)
    # A worker has another working directory, so a directory is named in full.
    source = str(directory) if Path(spec).expanduser().is_dir() else spec
    return Subject(
        name=spec,
        checkpoint=Checkpoint(source=source, fingerprint=fingerprint(directory)),
        model_type=str(config["model_type"]),
        precision=choose(spec, directory, wish),
    )


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
