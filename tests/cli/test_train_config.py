"""--config FILE.yaml: the writeups' keys are ours, unknown ones are named, and flags win."""

from textwrap import dedent

import pytest
from commandcases import CONFIG

from lazarus_bench import cli
from lazarus_bench.cli.train_settings import read_config, recipes_of
from lazarus_bench.errors import UserError
from lazarus_bench.training import DualReward, Fuse, Grpo, GrpoDual, Sft


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A file config.yaml with the given content."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "config.yaml").write_text(dedent(text), encoding="utf-8")
        return "config.yaml"

    return write


def recipes(recipe, file, **flags):
    settings = read_config(file, recipe).settings
    return [made for _, made in recipes_of(recipe, settings, flags, "lab:llama")]


def test_writeup_ds_configuration_is_the_claims_chain(written):
    assert recipes("two-stage", written(CONFIG)) == [
        Sft(rank=16, scale=2.0, checkpoints=(0, 500)),
        Fuse(),
        DualReward(rank=8, weight=0.5, learning_rate=5e-5),
    ]


@pytest.mark.parametrize(
    ("recipe", "text", "spec"),
    [
        (
            "dual-reward",
            "steps: 500\ncls-weight: 0.4\nclassifier-layer: 8\nans_weight: 0.6",
            DualReward(weight=0.4, layer=8),
        ),
        (
            "sft",
            """
            train: true
            fine_tune_type: lora
            iters: 500
            batch_size: 8
            learning_rate: 1e-4
            num_layers: -1
            lora_parameters: {rank: 8, scale: 20.0, dropout: 0.0}
            mask_prompt: false
            """,
            Sft(mask_prompt=False),
        ),
        (
            "full",
            "fine_tune_type: full\niters: 500\nlearning_rate: 1e-5",
            Sft(full=True, learning_rate=1e-5, checkpoints=(0, 500)),
        ),
        (
            "grpo",
            "method: grpo\niterations: 30\nprompts_per_iteration: 8\ngroup_size: 4\nkl_coef: 0.001",
            Grpo(iterations=30, prompts=8, answers=4, kl=0.001),
        ),
        (
            "grpo-dual",
            "cls_weight: 0.9\nkl_coefficient: 0\ngroup_size: 2\nbalanced: yes\nlr: 2.0e-6",
            GrpoDual(weight=0.9, kl=0.0, answers=2, balanced=True, learning_rate=2e-6),
        ),
        ("sft", "checkpoints: [0, 100]\nquirks: [sgd]\nlora_rank: 4\nlayer: null",
         None),
    ],
)  # fmt: skip
def test_the_writeups_keys_are_fields(written, recipe, text, spec):
    if spec is None:
        with pytest.raises(UserError, match="the key layer is unknown"):
            recipes(recipe, written(text.replace("null", "3")))
        spec = Sft(checkpoints=(0, 100), quirks=("sgd",), rank=4)
        text = text.replace("\nlayer: null", "")
    assert recipes(recipe, written(text)) == [spec]


def test_a_flag_wins_over_the_file(written):
    file = written("steps: 50\nlora: {rank: 4, alpha: 8}\nlearning_rate: 0.1")
    (spec,) = recipes("sft", file, steps=20, scale=3.0)
    assert spec == Sft(steps=20, rank=4, scale=3.0, learning_rate=0.1, checkpoints=(0, 20))


def test_what_every_recipe_takes_stands_in_the_file(written):
    file = written("model: lab:llama\nseed: 3\noutput_dir: made\nplot: loss.svg\nsteps: 5")
    read = read_config(file, "sft")
    assert read.common == {"model": "lab:llama", "seed": 3, "output": "made", "plot": "loss.svg"}
    assert read.settings == {"steps": 5}


@pytest.mark.parametrize(
    ("recipe", "text", "sentence"),
    [
        ("sft", "learning_rte: 0.1", "the key learning_rte is unknown to `train sft`: the nearest "
         "known one is learning_rate"),
        ("sft", "lora: {rnk: 8}", r"the key lora\.rnk is unknown .* is lora\.rank"),
        ("sft", "lora: {rank: 8}\nrank: 8", "sets the same thing twice, as lora.rank and as"),
        ("sft", "steps: 8\nsteps: 9", "has the key steps twice, again in line 2: leave one out"),
        ("sft", "cls_weight: 0.4", "the key cls_weight is unknown"),
        ("sft", "num_layers: 16", "num_layers: 16 cannot be honoured, as LoRA goes on every block"),
        ("sft", "lora_parameters: {dropout: 0.1}", "LoRA is trained without dropout"),
        ("sft", "fine_tune_type: full", "is not what `train sft` does"),
        ("sft", "train: false", "this command trains"),
        ("two-stage", "stage1: {method: grpo}", "`train two-stage` does there: give sft"),
        ("two-stage", "stage3: {rank: 8}", r"the key stage3\.rank is unknown"),
        ("sft", "steps: many", "steps is 'many', not a whole number"),
        ("sft", "steps: true", "steps is True, not a whole number"),
        ("sft", "learning_rate: low", "learning_rate is 'low', not a number"),
        ("sft", "learning_rate: true", "learning_rate is True, not a number"),
        ("sft", "targets: vq", "targets is 'vq', not one of 'vo', 'qk', 'mlp', 'all'"),
        ("sft", "mask_prompt: 1", "mask_prompt is 1, not true or false"),
        ("sft", "model: 3", "model is 3, not text"),
        ("sft", "- 1\n- 2", "has no keys"),
        ("sft", "steps: [", "is not valid YAML"),
        ("sft", "steps: !!python/object/apply:os.getcwd []", "is not valid YAML"),
        ("sft", "rank: 0", "--rank = 0 must be"),
        ("sft", "learning_rte:", "the key learning_rte is unknown"),
        ("sft", "learning_rte: {}", "the key learning_rte is unknown"),
        ("sft", "learning_rate: 2026-01-01", "not a number"),
        ("sft", "quirks: [none]", "is 'none', not one of 'unshifted-labels', "),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_named(written, recipe, text, sentence):
    with pytest.raises(UserError, match=sentence):
        recipes(recipe, written(text))


@pytest.mark.parametrize("text", ["steps:", "lora:", "lora: {}", "method:", "num_layers:"])
def test_a_known_key_without_a_value_says_nothing(written, text):
    assert read_config(written(text), "sft").settings == {}


def test_the_command_reads_it(written, lab, capsys):
    import json

    file = written(
        "model: lab:llama\nsteps: 40\nbatch_size: 4\nnum_samples: 24\nval_samples: 8\n"
        "lora: {rank: 2, alpha: 4}\noutput: adapters\n"
    )
    assert cli.main(["train", "sft", "--config", file, "--steps", "2", "--json"]) == 0
    (stage,) = json.loads(capsys.readouterr().out)["result"]["stages"]
    assert stage["steps"] == 2
    assert stage["directory"] == "adapters"
    assert stage["spec"]["recipe"]["scale"] == 2.0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sft", "learning_rate: -1.0", "config.yaml: learning_rate = -1.0 must be a finite"),
        ("sft", "iters: 0", "config.yaml: steps = 0 must be an integer of at least 1"),
        ("two-stage", "stage2:\n  weight: 3", "config.yaml: stage2_weight = 3 must"),
    ],
)
def test_what_only_the_file_set_is_named_as_the_files(written, capsys, name, text, said):
    written(text)
    assert cli.main(["train", name, "lab:llama", "--config", "config.yaml"]) == 2
    assert f"lazarus-bench: {said}" in capsys.readouterr().err
