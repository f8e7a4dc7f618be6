"""The transcribed tables against the writeups' own text."""

import re
from statistics import mean

import pytest

from hypotheses.writeups import classifier_emergence_cli as cli
from hypotheses.writeups import dual_objective_engram as engram
from hypotheses.writeups import probe_prompts
from hypotheses.writeups import task_classifier_emergence as task
from hypotheses.writeups import two_stage_classifier as two_stage
from hypotheses.writeups.emergence_results import dual, grpo, lens, probes, router
from hypotheses.writeups.records import percent, percents

RESULTS = "classifier_emergence_results"


def _printed(cells):
    return [percent(cell) for cell in cells]


@pytest.mark.parametrize(
    ("table", "heading"),
    [
        (lens.LENS_LLAMA_BASE, "#### Llama 3.2 1B at Layer 8"),
        (lens.LENS_TINYLLAMA, "#### TinyLlama 1.1B at Layer 12"),
        (lens.LENS_GRANITE, "#### Granite 3.1 2B at Layer 22"),
    ],
    ids=["llama", "tinyllama", "granite"],
)
def test_lens_tables_equal_the_printed_ones(cells, table, heading):
    printed = cells(RESULTS, heading)
    assert [[row.prompt, row.token] for row in table.rows] == [line[:2] for line in printed]
    assert [[row.probability, *row.words] for row in table.rows] == [
        _printed(line[2:]) for line in printed
    ]


def test_lens_by_layer_equals_the_printed_table(cells):
    printed = cells(RESULTS, "### Results: Logit Lens at Multiple Layers")
    assert [
        [f"L{row.layer}", row.prompt, row.token, row.probability, row.words]
        for row in lens.LENS_BY_LAYER
    ] == [[*line[:3], *_printed(line[3:])] for line in printed]


@pytest.mark.parametrize(
    ("run", "heading"),
    [
        (dual.DUAL_REWARD_LLAMA_BASE, "### Results: Llama 3.2 1B Base"),
        (dual.DUAL_REWARD_LLAMA_INSTRUCT, "### Results: Llama 3.2 1B Instruct"),
    ],
    ids=["base", "instruct"],
)
def test_dual_reward_runs_equal_the_printed_ones(writeup, run, heading):
    block = writeup(RESULTS).split(heading, 1)[1].split("```")[1]
    row = re.compile(r"^(\d+ . \d+ =) +(\S+) +(\S+%) +(\d+ . \d+ =) +(\S+) +(\S+%)", re.MULTILINE)
    printed = row.findall(block)
    assert len(printed) == 8
    assert run.prompts == tuple(line[0] for line in printed) == tuple(line[3] for line in printed)
    assert run.baseline_token == tuple(line[1] for line in printed)
    assert run.baseline_probability == tuple(percent(line[2]) for line in printed)
    assert run.token == tuple(line[4] for line in printed)
    assert run.probability == tuple(percent(line[5]) for line in printed)


def test_dual_reward_dynamics_equal_the_printed_ones(writeup):
    block = writeup(RESULTS).split("### Training Dynamics", 1)[1].split("```")[1]
    printed = re.findall(r"^(\d+) +([\d.]+) +([\d.]+)", block, re.MULTILINE)
    assert [(row.step, row.classification, row.answer) for row in dual.DUAL_REWARD_DYNAMICS] == [
        (int(step), float(loss), float(answer)) for step, loss, answer in printed
    ]


def test_scores_follow_from_the_rows(writeup):
    text = writeup(RESULTS)
    assert "8/8 (100%)" in text
    assert "7/8 (88%)" in text
    assert sum(dual.DUAL_REWARD_LLAMA_BASE.hits.values[0]) == 8
    assert sum(dual.DUAL_REWARD_LLAMA_INSTRUCT.hits.values[0]) == 7
    assert sum(dual.DUAL_REWARD_LLAMA_BASE.baseline_hits.values[0]) == 0
    assert sum(grpo.GRPO_DUAL_TRAINED.hits.values[0]) == 2


@pytest.mark.parametrize(
    ("rows", "heading"),
    [(task.BASELINE, "#### Baseline (Untrained)"), (task.STEP_500, "#### After 500 Steps")],
    ids=["baseline", "step 500"],
)
def test_matches_equal_the_printed_ones(writeup, rows, heading):
    block = writeup("task_classifier_emergence").split(heading, 1)[1].split("```")[1]
    lines = [line for line in block.splitlines() if "->" in line]
    printed = re.compile(r"^(.+?=) +-> (?:none|'(.*)' at L(\d+) \((\S+%)\) +# (.+))$")
    found = [printed.match(line).groups() for line in lines]
    assert [(r.prompt, r.token, r.layer, r.probability, r.remark) for r in rows] == [
        (prompt, token or "", int(layer) if layer else None, percent(p or "0%"), remark or "")
        for prompt, token, layer, p, remark in found
    ]


def test_checkpoints_equal_the_printed_tables(cells):
    losses = cells("task_classifier_emergence", "### Training Progression")
    assert tuple(int(line[0]) for line in losses) == task.CHECKPOINT_STEPS
    assert tuple(float(line[1]) for line in losses) == task.VALIDATION_LOSS
    peaks = cells("task_classifier_emergence", "### Summary Table")
    assert tuple(percent(line[2]) for line in peaks) == task.MEAN_PEAK_PROBABILITY


def test_the_rows_of_step_500_contradict_their_own_average():
    assert mean(row.probability for row in task.STEP_500) == pytest.approx(0.0083)
    assert task.MEAN_PEAK_PROBABILITY[-1] == 0.01


def test_answers_equal_the_printed_table(cells):
    printed = cells("classifier_emergence_cli", "## Results: Accuracy")
    cell = re.compile(r"(\d+) \((\S+%)\)")
    rows = [
        (line[0], *cell.match(line[1]).groups(), *cell.match(line[2]).groups(), line[3].split()[0])
        for line in printed
    ]
    assert [
        (a.prompt, a.lora, a.lora_probability, a.full, a.full_probability, a.correct)
        for a in cli.ANSWERS
    ] == [(p, int(x), percent(px), int(y), percent(py), int(z)) for p, x, px, y, py, z in rows]


@pytest.mark.parametrize(
    ("readings", "heading"),
    [
        (cli.SUBTRACTION_BY_LAYER, "LoRA (89 - 34 = 55)"),
        (cli.MULTIPLICATION_BY_LAYER, "LoRA (7 x 8 = 56)"),
    ],
    ids=["subtraction", "multiplication"],
)
def test_layer_readings_equal_the_printed_ones(writeup, readings, heading):
    block = writeup("classifier_emergence_cli").split(heading, 1)[1].split("```")[1]
    printed = re.findall(r"Layer +(\d+): '(.*)' \((\S+%)\)", block)
    assert [(r.layer, r.token, r.probability) for r in readings] == [
        (int(layer), token, percent(p)) for layer, token, p in printed
    ]


def test_synonyms_of_full_fine_tuning_contradict_their_total(writeup):
    text = writeup("classifier_emergence_cli")
    for item in cli.FULL_SYNONYMS:
        assert re.search(rf"'{item.token}' *\( ?{100 * item.probability:.1f}%\)", text)
    assert "Total:        ~67%" in text
    assert sum(item.probability for item in cli.FULL_SYNONYMS) == pytest.approx(0.755)


def test_training_comparison_equals_the_printed_table(cells):
    printed = {line[0]: line[1:] for line in cells("classifier_emergence_cli", "## Training Com")}
    for column, run in enumerate((cli.LORA, cli.FULL)):
        assert printed["Trainable params"][column] == (
            f"{run.parameters / 1e6:g}M ({100 * run.share:g}%)"
        )
        assert printed["Peak memory"][column] == f"{run.peak_memory} GB"
        assert printed["Training speed"][column] == f"~{run.speed:g} tok/s"
        assert float(printed["Learning rate"][column]) == run.learning_rate
        assert float(printed["Final train loss"][column]) == run.train_loss
        assert float(printed["Final val loss"][column]) == run.validation_loss


def test_grpo_probe_table_equals_the_printed_one_and_contradicts_its_mean(cells):
    printed = cells(RESULTS, "### Results: Linear Probe Accuracy")
    assert tuple(int(line[0]) for line in printed) == grpo.PROBE_LAYERS
    assert tuple(percent(line[1]) for line in printed) == grpo.PROBE_BASE
    assert tuple(percent(line[2]) for line in printed) == grpo.PROBE_GRPO
    assert mean(grpo.PROBE_BASE) == pytest.approx(0.58125)
    assert mean(grpo.PROBE_GRPO) == pytest.approx(0.49375)


@pytest.mark.parametrize(
    ("table", "heading"),
    [
        (grpo.GRPO_DUAL_BASELINE, "**Baseline (before training)**"),
        (grpo.GRPO_DUAL_TRAINED, "**After training**"),
    ],
    ids=["before", "after"],
)
def test_grpo_dual_tables_equal_the_printed_ones(writeup, table, heading):
    block = writeup(RESULTS).split(heading, 1)[1].split("```")[1]
    printed = re.findall(r"^(\d+ . \d+ =) +(\S+) +((?:\S+% *)+)$", block, re.MULTILINE)
    assert len(printed) == 6
    assert [(r.prompt, r.token, (r.probability, *r.words)) for r in table.rows] == [
        (prompt, token, percents(numbers)) for prompt, token, numbers in printed
    ]


def test_grpo_dual_dynamics_equal_the_printed_ones(writeup):
    block = writeup(RESULTS).split("**Training dynamics**", 1)[1].split("```")[1]
    printed = re.findall(r"^(\d+) +(\S+) +(\S+) +(\S+) +(\S+)$", block, re.MULTILINE)
    assert [
        [r.iteration, r.reward, r.grpo_loss, r.classification_loss, r.kl_penalty]
        for r in grpo.GRPO_DUAL_DYNAMICS
    ] == [[float(cell) for cell in line] for line in printed]


def test_fix_attempts_equal_the_printed_table(cells):
    printed = cells(RESULTS, "### Final Results Table")
    for attempt, line in zip(grpo.GRPO_DUAL_ATTEMPTS, printed, strict=True):
        assert attempt.configuration == line[0]
        assert attempt.classification_loss == (
            None if line[1] in ("N/A", "Similar") else float(line[1])
        )
        assert attempt.reward == (None if line[2] == "N/A" else float(line[2]))
        share, _, token = line[3].partition(" ")
        assert (attempt.probability, attempt.token) == (percent(share), token.strip('"'))
        assert attempt.collapsed is (True if line[4] == "✓" else None)


@pytest.mark.parametrize(
    ("table", "heading"),
    [
        (probes.SYMBOLS_LLAMA, "### Llama 3.2 1B (16 layers)"),
        (probes.SYMBOLS_TINYLLAMA, "### TinyLlama 1.1B Chat (22 layers)"),
        (probes.SYMBOLS_GRANITE, "### Granite 3.1 2B Base (40 layers)"),
        (probes.WORDS_LLAMA, "#### Llama 3.2 1B (Word-Based)"),
        (probes.WORDS_TINYLLAMA, "#### TinyLlama 1.1B Chat (Word-Based)"),
        (probes.WORDS_GRANITE, "#### Granite 3.1 2B Base (Word-Based)"),
    ],
)
def test_probe_accuracies_equal_the_printed_ones(writeup, table, heading):
    block = writeup(RESULTS).split(heading, 1)[1].split("```")[1]
    printed = {}
    for first, last, share in re.findall(r"^  L(\d+)(?:-L(\d+))? +([\d.]+%)", block, re.MULTILINE):
        for layer in range(int(first), int(last or first) + 1):
            printed[layer] = percent(share)
    assert dict(zip(table.at, table.accuracy, strict=True)) == printed


def test_held_out_and_instruct_probe_tables_equal_the_printed_ones(cells):
    share = re.compile(r"\((\S+%)\)")
    printed = cells(RESULTS, "## Test Predictions (Held-Out Prompts)")
    assert [(r.prompt, r.operation, r.llama, r.tinyllama, r.granite) for r in probes.HELD_OUT] == [
        (*line[:2], *(percent(share.search(cell)[1]) for cell in line[2:])) for line in printed
    ]
    layers = cells(RESULTS, "### Granite 3.1 2B: Base vs Instruct")
    assert tuple(int(line[0][1:]) for line in layers) == probes.GRANITE_LAYERS
    assert tuple(percent(line[1]) for line in layers) == probes.GRANITE_BASE
    assert tuple(percent(line[2]) for line in layers) == probes.GRANITE_INSTRUCT


def test_probe_summaries_equal_the_printed_ones(cells, writeup):
    printed = cells(RESULTS, "## Summary Table")
    assert [
        [row.model, str(row.layers), row.peak, row.peak_at, row.least, row.least_at]
        for row in probes.SUMMARY
    ] == [
        [*line[:2], percent(peak), peak_at.strip("()"), percent(least), least_at.strip("()")]
        for line in printed
        for (peak, peak_at), (least, least_at) in [(line[2].split(" "), line[3].split(" "))]
    ]
    peaks = cells(RESULTS, "### Summary: Symbol vs Word Prompts")
    assert tuple(percent(line[3]) for line in peaks) == probes.PEAK_DIFFERENCES
    pairs = (
        (probes.SYMBOLS_LLAMA, probes.WORDS_LLAMA),
        (probes.SYMBOLS_TINYLLAMA, probes.WORDS_TINYLLAMA),
        (probes.SYMBOLS_GRANITE, probes.WORDS_GRANITE),
    )
    for (symbols, words), difference in zip(pairs, probes.PEAK_DIFFERENCES, strict=True):
        assert words.peak - symbols.peak == pytest.approx(difference, abs=1e-9)
    llama = [
        line for line in cells(RESULTS, "### Llama 3.2 1B: Base vs Instruct") if "..." not in line
    ]
    assert tuple(int(line[0][1:]) for line in llama) == probes.LLAMA_LAYERS
    assert tuple(percent(line[1]) for line in llama) == probes.LLAMA_BASE
    assert tuple(percent(line[2]) for line in llama) == probes.LLAMA_INSTRUCT
    assert f"GPT-OSS:          {probes.GPT_OSS_ACCURACY:.0%} accuracy" in writeup(RESULTS)


def test_the_probes_prompts_are_the_writeups(writeup):
    text = writeup(RESULTS)
    asked = (probe_prompts.writeup_symbols(), probe_prompts.writeup_test())
    assert all(f"`{prompt.strip()}`" in text for prompts in asked for prompt in prompts.texts)
    assert probe_prompts.writeup_words().texts[0] in text
    tested = probe_prompts.writeup_test()
    assert [(row.prompt, row.operation) for row in probes.HELD_OUT] == [
        (prompt.strip(), tested.classes[label])
        for prompt, label in zip(tested.texts, tested.labels, strict=True)
    ]


def test_probe_direction_equals_the_printed_table(cells):
    printed = cells(RESULTS, "### Probe Direction Vocabulary Projection")
    assert [(t.token, t.score, t.rank) for t in probes.PROBE_DIRECTION] == [
        (line[0], float(line[1]), int(line[2].replace(",", ""))) for line in printed
    ]


ROUTER = "### Results: GPT-OSS 20B Router Vocabulary Mapping"


@pytest.mark.parametrize(
    ("layer", "heading"), [(0, "Sample Expert"), (1, "Layer 1"), (2, "Layer 2")]
)
def test_router_experts_are_the_printed_ones(cells, writeup, layer, heading):
    section = writeup(RESULTS).split(ROUTER, 1)[1]
    title = next(line for line in section.splitlines() if line.startswith(f"#### {heading}"))
    ours = [expert for expert in router.SAMPLE_EXPERTS if expert.layer == layer]
    printed = cells(RESULTS, title)
    assert [(str(e.expert), e.category) for e in ours] == [tuple(line[:2]) for line in printed]
    for expert, (_, _, tops) in zip(ours, printed, strict=True):
        shown = [t.replace("\r", "\\r").replace("\n", "\\n") for t in expert.tokens]
        pairs = zip(shown, expert.scores, strict=True)
        assert tops.removesuffix(" (Chinese)") == ", ".join(f"'{t}':{s:.3f}" for t, s in pairs)


def test_router_numbers_of_the_text_are_printed(writeup):
    section = writeup(RESULTS).split(ROUTER, 1)[1]
    assert router.EXPERTS * router.MOE_LAYERS == router.GENERAL_EXPERTS
    for phrase in (
        f"`{router.MODEL}` (21B params, {router.EXPERTS} experts, {router.ACTIVE} active)",
        f"**Layers analyzed**: {router.MOE_LAYERS} MoE layers",
        f'**All {router.GENERAL_EXPERTS} experts (32 x 24 layers) classified as "GENERAL"**',
        "({}-{} typically vs. would expect {}+ for".format(
            *router.SCORE_RANGE, router.STRONG_SCORE
        ),
        f"(~{router.TYPICAL_SCORE})",
        "Token `127` routes to different experts in different layers",
        f"{router.EXPERTS_OF_TOKEN_127}+ different experts across layers",
        'No experts specialize in "CORRECT/INCORRECT" or operation type tokens',
    ):
        assert phrase in section


@pytest.mark.parametrize(
    ("stages", "heading"),
    [
        (two_stage.TWENTY_EIGHTY, "#### Experiment 1"),
        (two_stage.FIFTY_FIFTY, "#### Experiment 2"),
    ],
    ids=["20/80", "50/50"],
)
def test_two_stage_tables_equal_the_printed_ones(cells, stages, heading):
    assert [(s.name, s.symbolic, s.semantic, s.classifier) for s in stages] == [
        (line[0], *_printed(line[1:])) for line in cells("two_stage_classifier", heading)
    ]


def test_engram_table_equals_the_printed_one(cells):
    printed = {line[0]: line[1:] for line in cells("dual_objective_engram", "### Cross-Dataset")}
    for column, run in enumerate((engram.SST2, engram.AG_NEWS)):
        accuracy = tuple(
            percent(line[column]) for name, line in printed.items() if "val accuracy" in name
        )
        assert run.accuracy == accuracy
        assert run.gain == percent(printed["Dual-objective gain (M2 - M1)"][column])
        assert run.delta == percent(printed["Engram delta (M3 - M2)"][column])
        assert run.rand_index == float(printed["Engram ARI"][column])
        assert run.cluster_accuracy == percent(printed["Engram cluster accuracy"][column])
        assert run.within == float(printed["Engram cos within-class"][column])
        assert run.between == float(printed["Engram cos between-class"][column])


def test_single_numbers_of_the_text_are_printed(writeup):
    results = writeup(RESULTS)
    for phrase in ("851,968", "54.0% ± 8.8%", "54.0% ± 5.8%", "score: -0.003", "0.07-0.11"):
        assert phrase in results
    assert f"{100 * two_stage.QUOTED_LLAMA_PROBABILITY:.1f}% at L8" in writeup(
        "two_stage_classifier"
    )
    for share in engram.AG_NEWS.purity:
        assert f"{100 * share:.1f}%" in writeup("dual_objective_engram")
    for name in grpo.CLASSIFICATION_WORDS:
        assert name in results


def test_grpo_numbers_of_the_text_are_printed(writeup, cells):
    results = writeup(RESULTS)
    printed = {line[0]: line[1:] for line in cells(RESULTS, "### But GRPO Does Improve Arithm")}
    assert [float(x) for x in printed["Avg correct answer rank"][:2]] == list(grpo.ANSWER_RANK)
    assert [float(x) for x in printed["Avg correct answer prob"][:2]] == list(
        grpo.ANSWER_PROBABILITY
    )
    assert "- Base: prob 0.43 (rank 2)" in results
    assert "- GRPO: prob **0.72** (rank 1!)" in results
    assert (grpo.EXAMPLE_PROBABILITY, grpo.EXAMPLE_RANK) == ((0.43, 0.72), (2, 1))
    iterations, prompts, group = grpo.GRPO_ANSWERS
    assert (
        f"**{iterations} iterations**, {prompts} prompts/iteration, group_size={group}" in results
    )
    iterations, prompts, group = grpo.GRPO_DUAL_ANSWERS
    assert (
        f"**{iterations} iterations**, {prompts} prompts/iteration, group_size={group}" in results
    )


def test_losses_of_the_attempts_are_printed(writeup):
    for item in grpo.ATTEMPT_LOSSES:
        paragraph = writeup(RESULTS).split(f"#### Attempt {item.attempt}:", 1)[1].split("####")[0]
        assert f"({item.first} → {item.last}" in paragraph
