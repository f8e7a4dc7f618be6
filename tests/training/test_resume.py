"""A killed training goes on: bit-identical to one that nobody stopped, whatever was cut off."""

import json
import shutil
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from trainings import even, made

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import (
    DualReward,
    Engram,
    Grpo,
    GrpoDual,
    Instruct,
    JacobianLens,
    Pretrain,
    Recipe,
    Sft,
    TunedLens,
    dual_reward,
    engram,
    grpo,
    jacobian_lens,
    kept,
    pretrain,
    resume,
    sft,
    tuned_lens,
)
from lazarus_bench.training.loop import fit
from lazarus_bench.training.record import (
    METRICS,
    PROBLEMS,
    RESUME,
    VALIDATION,
    read_steps,
    read_validation,
)
from lazarus_bench.training.resume import DamagedStateWarning, Saver, State, read_state

SIZES = {"steps": 6, "batch": 4, "examples": 20}
TEXTS = {"data": DataSource(train=24, validation=4), "epochs": 2, "batch": 8}
DOCUMENTS = {"steps": 6, "symbols": 8, "words": 4, "prose": 4}
RECIPES = {
    "sft": Sft(**SIZES, validation=8, checkpoints=(0, 2, 4, 6), rank=2),
    "full": Sft(**SIZES, full=True, validation=8, checkpoints=(3,)),
    "dual_reward": DualReward(**SIZES, rank=4),
    "pretrain": Pretrain(**DOCUMENTS),
    "mixture": Pretrain(**DOCUMENTS, family="olmoe"),
    "grpo": Grpo(iterations=6, prompts=4, answers=4, answer_tokens=2, examples=20, reward=even),
    "grpo_dual": GrpoDual(
        iterations=6, prompts=4, answers=4, answer_tokens=2, examples=20, reward=even
    ),
    "engram": Engram(**TEXTS, rank=2),
    "classifier": Engram(**TEXTS, full=True, engram=False, lm_weight=0.0),
    "instruct": Instruct(steps=6, questions=4, symbols=4, prose=2),
    "jacobian_lens": JacobianLens(examples=24, batch=4, layers=(1, 2)),
    "tuned_lens": TunedLens(**SIZES),
}
BATCHES = {
    sft: "endless_batches",
    dual_reward: "endless_batches",
    pretrain: "steps_of",
    grpo: "asked_batches",
    engram: "text_batches",
    jacobian_lens: "lens_batches",
    tuned_lens: "lens_batches",
}


class Killed(Exception):
    """Stands for the kill."""


@pytest.fixture(autouse=True)
def _save_after_every_step(monkeypatch):
    monkeypatch.setattr(Saver, "due", lambda self: True)


@pytest.fixture
def killed_at():
    """Make the batches of a recipe end in a kill before the given step; 0 lets it run."""
    with pytest.MonkeyPatch.context() as patch:

        def arrange(spec: Recipe, step: int) -> None:
            patch.undo()
            module = sys.modules[type(spec).__module__]
            name = BATCHES[module]
            original = getattr(module, name)

            def cut(*arguments):
                yield from islice(original(*arguments), step - 1)
                raise Killed

            if step:
                patch.setattr(module, name, cut)

        yield arrange


def payload(out: Path) -> dict[str, object]:
    """Every file but the state, and the log without its seconds."""
    files = {
        str(file.relative_to(out)): file.read_bytes()
        for file in out.rglob("*")
        if file.is_file() and file.name != METRICS and file.parent.name != RESUME
    }
    steps = [(s.step, s.of, s.loss, dict(s.parts), s.tokens) for s in read_steps(out)]
    return {**files, METRICS: steps}


@pytest.fixture(scope="module")
def bases(tiny, tmp_path_factory) -> dict[str, Path | None]:
    base = tmp_path_factory.mktemp("base")
    Pretrain(steps=1, symbols=4, words=2, prose=2).train(None, base, 0, show=False)
    others = {"pretrain": None, "mixture": None, "instruct": base}
    return {kind: others.get(kind, tiny) for kind in RECIPES}


@pytest.mark.parametrize("kind", RECIPES)
def test_a_training_killed_at_any_step_repeats_itself_and_another_seed_does_not(
    kind, bases, killed_at, tmp_path
):
    spec, base = RECIPES[kind], bases[kind]
    whole, other = (made(tmp_path / f"seed {seed}", spec, base, seed) for seed in (3, 4))
    killed = tmp_path / "killed"
    killed.mkdir()
    for step in (1, 2, 4, 6):
        killed_at(spec, step)
        with pytest.raises(Killed):
            spec.train(base, killed, 3, show=False)
        assert len(read_steps(killed)) == step - 1
    killed_at(spec, 0)
    spec.train(base, killed, 3, show=False)
    left, elsewhere = payload(whole), payload(other)
    assert payload(killed) == left
    assert left.keys() == elsewhere.keys()
    assert all(left[n] != elsewhere[n] for n in left if n.endswith((".safetensors", PROBLEMS)))


class Noisy(nn.Module):
    """A weight whose loss draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = mx.zeros((3,))


class Fed:
    """A batch of one number."""

    size = 1

    def __init__(self, value: float) -> None:
        self.value = value


def noisy_run(out: Path, steps: int, stop: int | None = None, **options) -> Noisy:
    mx.random.seed(5)
    model, prepared = Noisy(), options.pop("prepared", [])

    def loss(model: Noisy, batch: Fed):
        return ((model.weight - batch.value + mx.random.normal((3,))) ** 2).sum(), {}

    def prepare(batch: Fed) -> Fed:
        prepared.append(batch.value)
        return Fed(batch.value + float(np.array(mx.random.uniform())))

    def after(step: int) -> None:
        if step == stop:
            raise Killed

    fit(
        model,
        loss,
        (Fed(float(i % 10)) for i in range(1, 100)),
        optimizer=optim.AdamW(optim.cosine_decay(0.1, 20)),
        steps=steps,
        label="noisy",
        out=out,
        prepare=prepare,
        after=after,
        show=False,
    )
    return model


def losses(out: Path) -> list[float]:
    return [step.loss for step in read_steps(out)]


@pytest.fixture
def halves(tmp_path) -> tuple[Path, Path]:
    """A whole run of eight steps, and one killed in step 5, whose last state is of step 4."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    noisy_run(whole, 8)
    with pytest.raises(Killed):
        noisy_run(killed, 8, stop=5)
    return whole, killed


def left_alone(killed: Path) -> None:
    """The state of step 4 is all there is."""


def half_a_save(killed: Path) -> None:
    (killed / RESUME / "part.safetensors").write_bytes(b"half a st")


def an_older_state(killed: Path) -> None:
    older = killed / "older"
    older.mkdir()
    with pytest.raises(Killed):
        noisy_run(older, 8, stop=3)
    (kept,) = (older / RESUME).iterdir()
    kept.rename(killed / RESUME / kept.name)


@pytest.mark.parametrize("beside", [left_alone, half_a_save, an_older_state])
def test_random_numbers_schedules_and_prepared_batches_go_on_from_the_newest_whole_state(
    halves, beside
):
    whole, killed = halves
    (state,) = (killed / RESUME).iterdir()
    beside(killed)
    prepared: list[float] = []
    noisy_run(killed, 8, prepared=prepared)
    assert prepared == [5.0, 6.0, 7.0, 8.0]
    assert losses(killed) == losses(whole)
    assert not state.exists()


def test_divergence_is_measured_from_the_first_loss_of_all_attempts(tmp_path):
    def attempt(values) -> None:
        fit(
            Noisy(),
            lambda model, batch: (batch.value + 0.0 * model.weight.sum(), {}),
            iter([Fed(value) for value in values]),
            optimizer=optim.SGD(0.1),
            steps=3,
            label="high start",
            out=tmp_path,
            show=False,
        )

    with pytest.raises(StopIteration):
        attempt([400.0, 410.0])
    attempt([400.0, 410.0, 420.0])
    assert [s.loss for s in read_steps(tmp_path)] == [400.0, 410.0, 420.0]


def test_a_training_killed_after_its_last_step_only_gives_its_weights(tmp_path):
    first = noisy_run(tmp_path, 4)
    again = noisy_run(tmp_path, 4, prepared=(prepared := []))
    assert prepared == []
    assert np.array_equal(np.array(first.weight), np.array(again.weight))
    assert len(read_steps(tmp_path)) == 4


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def lose_lines(file: Path) -> None:
    log = file.parents[1] / METRICS
    log.write_bytes(log.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip, "checksum"),
        (lambda file: file.write_bytes(file.read_bytes()[:100]), "checksum"),
        (lose_lines, "log ends before it"),
    ],
)
def test_a_damaged_state_is_told_and_the_training_starts_over(halves, damage, reason):
    whole, killed = halves
    (file,) = (killed / RESUME).iterdir()
    damage(file)
    prepared: list[float] = []
    with pytest.warns(DamagedStateWarning, match=f"{reason}.*the training starts over") as caught:
        noisy_run(killed, 8, prepared=prepared)
    assert len(caught) == 1
    assert len(prepared) == 8
    assert losses(killed) == losses(whole)


@pytest.fixture(scope="module")
def killed_sft(tiny, tmp_path_factory):
    """The work of a fine-tuning that was killed before step 4, and of one that was not."""
    killed = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Saver, "due", lambda self: True)
        whole = made(tmp_path_factory.mktemp("undisturbed") / "whole", RECIPES["sft"], tiny, 3)
        batches = sft.endless_batches

        def cut(*arguments):
            yield from islice(batches(*arguments), 3)
            raise Killed

        patch.setattr(sft, "endless_batches", cut)
        with pytest.raises(Killed):
            RECIPES["sft"].train(tiny, killed, 3, show=False)
    return killed, payload(whole)


def edit(file: Path) -> None:
    """Change a digit of the first loss, and leave a file that is read without complaint."""
    text = file.read_text()
    at = text.index(".", text.index("loss") if "loss" in text else 0) + 1
    file.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])


def empty(file: Path) -> None:
    file.write_bytes(b"")


WEIGHTS = "checkpoints/0000002/adapters.safetensors"


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (WEIGHTS, empty),
        (WEIGHTS, flip),
        (WEIGHTS, Path.unlink),
        ("checkpoints/0000000/adapter_config.json", flip),
        (VALIDATION, Path.unlink),
        (VALIDATION, edit),
        (VALIDATION, empty),
        (VALIDATION, flip),
        (METRICS, edit),
        (METRICS, Path.unlink),
        ("resume/*.safetensors", lambda file: file.rename(file.with_stem("1-2-3"))),
    ],
)
def test_damage_to_what_a_resume_keeps_is_told_and_costs_the_attempt(
    tiny, tmp_path, killed_sft, name, harm
):
    killed, expected = killed_sft
    work = tmp_path / "work"
    shutil.copytree(killed, work)
    assert kept.damage(work) is None
    (file,) = work.glob(name)
    harm(file)
    assert kept.damage(work) is not None
    with pytest.warns(DamagedStateWarning, match="the training starts over") as caught:
        RECIPES["sft"].train(tiny, work, 3, show=False)
    assert len(caught) == 1
    assert payload(work) == expected


def test_a_state_of_another_model_is_refused(tmp_path):
    noisy_run(tmp_path, 2)
    other = State(model=nn.Linear(2, 2), optimizer=optim.AdamW(0.1))
    with pytest.warns(DamagedStateWarning, match="another model or optimizer"):
        assert read_state(tmp_path, other) is None
    assert not (tmp_path / RESUME).exists()


def test_states_are_not_saved_more_often_than_asked(tmp_path, monkeypatch):
    monkeypatch.undo()
    noisy_run(tmp_path, 4)
    assert not (tmp_path / RESUME).exists()
    clock = iter(range(0, 10_000, 6))
    monkeypatch.setattr(resume.time, "monotonic", lambda: float(next(clock)))
    saver, state = Saver(tmp_path), State(model=Noisy(), optimizer=optim.SGD(0.1))
    assert [saver.due() for _ in range(4)] == [False, False, False, True]
    saver.save(state)  # takes 6 s of this clock, so the next is due 54 s later
    assert [saver.due() for _ in range(10)] == [False] * 8 + [True] * 2


CHILD = """
import sys
from pathlib import Path
from lazarus_bench.training import resume
resume.Saver.due = lambda self: True
sys.path.insert(0, sys.argv[1])
from test_resume import noisy_run
noisy_run(Path(sys.argv[2]), 60)
"""


def test_a_real_kill_at_any_instant_is_survived(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    noisy_run(whole, 60)
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(killed)]
    for steps in (5, 23, 41):
        child = subprocess.Popen(command)
        try:
            while not (killed / METRICS).exists() or len(read_steps(killed)) < steps:
                assert child.poll() is None
                time.sleep(0.001)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        assert steps <= len(read_steps(killed)) < 60
    noisy_run(killed, 60)
    assert losses(killed) == losses(whole)


def test_validation_losses_of_before_the_kill_are_kept(tiny, killed_at, tmp_path):
    spec = RECIPES["sft"]
    killed_at(spec, 4)
    with pytest.raises(Killed):
        spec.train(tiny, tmp_path, 0, show=False)
    before = json.loads((tmp_path / VALIDATION).read_text())
    killed_at(spec, 0)
    spec.train(tiny, tmp_path, 0, show=False)
    after = read_validation(tmp_path)
    assert list(after) == [0, 2, 4, 6]
    assert {str(step): after[step] for step in (0, 2)} == before
