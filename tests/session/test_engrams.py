"""Engrams of a run: evidence over seeds or of one run, controls, and data given by the user."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lazarus_bench.analysis.engrams import EngramReading, engrams
from lazarus_bench.claims.claim import Claim
from lazarus_bench.claims.finding import Finding
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.judge import AtLeast, Differences, Means, Resampled
from lazarus_bench.session import run as run_module
from lazarus_bench.session.engrams import (
    SIGNED,
    nothing_from_shuffled,
    room_for_accuracy,
    statistic,
    unshared,
)
from lazarus_bench.session.options import Options
from lazarus_bench.session.run import Run
from lazarus_bench.session.runs import Runs
from lazarus_bench.session.session import Session
from lazarus_bench.session.shown import engram_scatter
from lazarus_bench.tasks import labelled_data, labelled_files
from lazarus_bench.tasks.labelled_data import DataSource, digest_of, given_data, read_data
from lazarus_bench.tasks.labelled_files import read_splits
from lazarus_bench.training import Engram, Sft

DATA = DataSource(name="topics", train=60, validation=400)


class Reads(Run):
    """A run whose engrams are drawn around their classes, `apart` from one another."""

    def __init__(self, seed=0, apart=3.0, recipe=None):
        name, recipe = f"lab:llama seed {seed}", recipe or Engram(data=DATA)
        super().__init__(name=name, seed=seed, directory=Path(), artifact=Path(), recipe=recipe)
        object.__setattr__(self, "apart", apart)

    def read(self, instrument, *args, **kwargs):
        if instrument is not engrams:
            return super().read(instrument, *args, **kwargs)
        return self._once("engrams", lambda: self.drawn(self.data))

    def drawn(self, data):
        label = np.array([example.label for example in data.validation])
        rng = np.random.default_rng(self.seed)
        engram = self.apart * np.eye(4, 8)[label] + rng.normal(size=(len(label), 8))
        predicted = engram[:, :4].argmax(axis=1)
        return EngramReading(
            label=label,
            predicted=predicted,
            engram=engram,
            cut=np.zeros(len(label), dtype=bool),
        )


@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    """What these runs learnt is today's split, and no artifact says otherwise."""
    texts = SimpleNamespace(digest=digest_of(read_data(DATA).train))
    monkeypatch.setattr(run_module, "read_training_texts", lambda made: texts)
    monkeypatch.setattr(Run, "loaded", None)


def rand_indices(runs):
    return Runs(runs).each(lambda run: run.clusters().rand_index).within(SIGNED)


def agreement(value):
    return statistic(value, lambda draws: draws.rand_index)


def rand_index(runs):
    return agreement(rand_indices(runs))


def test_several_seeds_are_means_and_one_run_is_resampled(monkeypatch):
    several = rand_index([Reads(seed) for seed in range(3)])
    assert isinstance(several, Means)
    assert several.shape == (3, 1)
    monkeypatch.setattr("lazarus_bench.analysis.engrams.bootstrap.__defaults__", (40, 0))
    one = rand_index([Reads()])
    assert isinstance(one, Resampled)
    assert one.shape == (1, 400)
    low, high = one.limits(0.9)
    assert low < one.value < high


def test_a_difference_of_one_run_is_resampled_on_the_same_examples(monkeypatch):
    monkeypatch.setattr("lazarus_bench.analysis.engrams.bootstrap.__defaults__", (40, 0))
    same = agreement(rand_indices([Reads()]) - rand_indices([Reads()]))
    assert set(same.draws) == {0.0}
    better = agreement(rand_indices([Reads()]) - rand_indices([Reads(apart=0.5)]))
    assert better.limits(0.9)[0] > 0
    several = [Reads(seed) for seed in range(4)]
    seeds = agreement(rand_indices(several[:2]) - rand_indices(several[2:]))
    assert isinstance(seeds, Differences)


def test_no_limit_lies_where_the_statistic_cannot():
    several = [Reads(seed, apart) for seed, apart in enumerate((3.0, 1.0))]
    interval = rand_index(several).estimate(0.999).interval
    assert (interval.low, interval.high) == (-1.0, 1.0)


def test_a_run_with_few_examples_of_a_class_cannot_be_resampled():
    assert Reads().can_be_resampled
    few = Engram(data=replace(DATA, validation=24))
    assert not Reads(recipe=few).can_be_resampled


def test_controls_tell_leaks_ceilings_and_learning_from_nothing():
    run = Reads()
    assert unshared([run]).passed
    assert not room_for_accuracy([Reads(apart=30)], 0.01).passed
    assert room_for_accuracy([Reads(apart=30), Reads(apart=1)], 0.01).passed
    assert not nothing_from_shuffled([run], 0.1).passed
    assert nothing_from_shuffled([Reads(apart=0)], 0.1).passed
    assert not nothing_from_shuffled([Reads(apart=0), run], 0.1).passed


class Lopsided(Reads):
    """Seven in ten evaluation examples are of one class, and that is all its classifier says."""

    @property
    def data(self):
        own = super().data
        most = [e for e in own.validation if e.label == 0][:70]
        others = [e for e in own.validation if e.label != 0][:30]
        return replace(own, validation=(*most, *others))

    def drawn(self, data):
        read = super().drawn(data)
        return replace(read, predicted=np.zeros_like(read.label))


def test_one_class_for_all_is_nothing_learnt_from_shuffled_labels():
    found = nothing_from_shuffled([Lopsided()], 0.1)
    assert (found.value, found.passed) == (0.7, True)


def test_trainings_on_other_texts_than_the_split_of_today_fail_their_control(monkeypatch):
    found = unshared([Reads(), Reads(1)])
    assert (found.value, found.passed) == (0, True)
    draw, classes = labelled_data.GENERATED["topics"]

    def shouted(rng):
        drawn = draw(rng)
        return replace(drawn, text=drawn.text.upper())

    monkeypatch.setitem(labelled_data.GENERATED, "topics", (shouted, classes))
    found = unshared([Reads(), Reads(1)])
    assert (found.value, found.passed) == (2, False)


def test_a_run_of_another_recipe_has_no_labelled_data():
    with pytest.raises(TypeError, match="has no labelled data"):
        Reads(recipe=Sft()).engrams()


def test_a_scatter_shows_300_of_the_examples_in_the_plane_of_all():
    found = engram_scatter("Engrams, model 3", Reads())
    assert (found.title, found.subject) == ("Engrams, model 3, topics", "lab:llama seed 0")
    assert len(found.points) == 300
    assert found.explained[0] >= found.explained[1] > 0
    assert len(set(found.points)) > 290


def test_a_scatters_points_have_the_classes_of_their_own_examples():
    points = engram_scatter("Engrams, model 3", Reads(apart=30)).points
    places, label = np.array([p[:2] for p in points]), np.array([p[2] for p in points])
    centres = np.array([np.median(places[label == c], axis=0) for c in range(4)])
    nearest = np.linalg.norm(places[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == label).mean() > 0.95


def write(folder):
    lines = [f"film {i} was {'fine' if i % 2 else 'dull'}\t{i % 2}\n" for i in range(40)]
    (folder / "train.tsv").write_text("".join(lines[:30]))
    (folder / "test.tsv").write_text("".join(lines[30:]))
    return folder


def claim_on(*needs):
    return Claim(
        id="engram/any",
        says="",
        estimand="",
        region=AtLeast(0),
        finding=Finding(claim="engram/any", source="", evidence=None, note=""),
        subjects=(),
        needs=needs,
    )


def test_given_data_take_the_place_of_generated_ones_in_every_training(tmp_path):
    asked = Options(profile="smoke", store=tmp_path / "store", data=f"sst2={write(tmp_path)}")
    bench = Session(asked)
    two, four = Engram(data=DataSource(name="sentiment")), Engram(data=DATA)
    trained = {job.recipe for job in bench.jobs("lab:llama", two)}
    assert trained == {replace(two, data=bench.data["sentiment"])}
    assert {job.recipe for job in bench.jobs("lab:llama", four)} == {four}
    assert bench.jobs("lab:llama", Sft())[0].recipe == Sft()
    line = bench.data_lines["data sst2, for sentiment"]
    assert line.startswith("30 of 30 training and 10 of 10 evaluation examples (negative 15 and 5;")


def test_a_declared_data_set_is_given_by_whoever_runs_the_claim(tmp_path, monkeypatch):
    """A package's own, which stands for no generated one."""
    reviews = replace(labelled_files.CORPORA["sst2"], replaces="")
    monkeypatch.setattr(labelled_files, "installed_data", lambda: {"reviews": reviews})
    declared = Engram(data=DataSource(name="reviews"))
    bench = Session(Options(profile="smoke", store=tmp_path / "store"))
    with pytest.raises(NotApplicable, match="reviews is not here: give --data reviews=DIR"):
        bench.jobs("lab:llama", declared)
    with pytest.raises(UserError, match="reviews has no files here: give --data reviews=DIR"):
        read_data(declared.data)
    given = Options(profile="smoke", store=tmp_path / "store", data=f"reviews={write(tmp_path)}")
    bench = Session(given)
    assert {job.recipe.data for job in bench.jobs("lab:llama", declared)} == {bench.data["reviews"]}
    assert bench.design(claim_on(declared), "lab:llama") == "smoke, reviews"
    assert list(bench.data_lines) == ["data reviews, for reviews"]
    with pytest.raises(UserError, match="give sst2=DIR or ag_news=DIR or reviews=DIR"):
        given_data(["imdb=."])


def test_verdicts_on_given_data_are_kept_apart_where_a_claim_reads_them(tmp_path):
    asked = Options(profile="smoke", store=tmp_path / "store", data=f"sst2={write(tmp_path)}")
    bench = Session(asked)
    two, four = Engram(data=DataSource(name="sentiment")), Engram(data=DATA)
    assert bench.design(claim_on(two), "lab:llama") == "smoke, sst2"
    assert bench.design(claim_on(four), "lab:llama") == "smoke"
    assert bench.design(claim_on(), "lab:llama") == "smoke"


def test_a_folder_may_be_called_hub(tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    folder = write(tmp_path / "hub")
    monkeypatch.chdir(tmp_path)
    asked = []
    splits = read_splits("sst2", folder)
    monkeypatch.setattr(labelled_data, "hub_splits", lambda name: asked.append(name) or splits)
    assert given_data(["sst2=./hub"])["sentiment"].path == str(folder)
    assert asked == []
    assert given_data(["sst2=hub"])["sentiment"].path == "hub"
    assert asked == ["sst2"]


@pytest.mark.parametrize("words", [["sst2"], ["sst2="], ["sentiment=x"], ["=x"]])
def test_words_that_name_no_data_are_refused(words):
    with pytest.raises(UserError, match="give sst2=DIR or ag_news=DIR"):
        given_data(words)


def test_data_given_twice_are_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(UserError, match="sst2 is given twice"):
        given_data([f"sst2={tmp_path}", f"sst2={tmp_path}"])
