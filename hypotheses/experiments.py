"""The writeups' experiments by name: what each did, how it was started, and which claims judge it.

Claims are named by their ids; `*` stands for any part of one. What a claim trains stands in its own
file, so an experiment holds no number: it names the claims, and the words under which the writeup
gave their trainings' settings.
"""

from lazarus_bench.claims.experiments import Experiment

PAGES = {
    "A": "task_classifier_emergence.md",
    "B": "classifier_emergence_cli.md",
    "C": "classifier_emergence_results.md",
    "D": "two_stage_classifier.md",
    "E": "dual_objective_engram.md",
}
"""The writeups' files, by the letter that claims cite them by."""


EXPERIMENTS = (
    Experiment(
        name="classifier_emergence",
        aliases=("classifier_emergence_llama32_1b",),
        source=PAGES["A"],
        section="the whole writeup",
        does="fine-tunes with LoRA on arithmetic and asks the lens for words of the operation, "
        "before, at 100, 300 and 500 steps",
        printed="python examples/introspection/experiments/training/classifier_emergence.py "
        "-m meta-llama/Llama-3.2-1B --steps 100 300 500 -n 5000 -o ./experiments/"
        "classifier_emergence",
        claims=(
            "sft/loss-falls",
            "sft/lens-stays-weak",
            "sft/lens-grows",
            "sft/peak-at-56",
            "sft/sub-weakest",
            "lens/substring-is-chance",
        ),
        sections={"sft": "sft"},
        flags=("steps", "problems"),
    ),
    Experiment(
        name="cli_classifier_emergence",
        source=PAGES["B"],
        section="the whole writeup",
        does="sets LoRA beside full fine-tuning, cost and answers and what subtraction decodes to",
        printed="mlx_lm.lora --train ...; chuk-lazarus introspect analyze ...",
        claims=(
            "finetune/*",
            "sft/remaining-token",
            "sft/learns-arithmetic",
            "lens/answer-crystallises-late",
        ),
        sections={"lora": "sft"},
    ),
    Experiment(
        name="lazarus_cli_experiments",
        source=PAGES["C"],
        section="Reproduction Commands",
        does="puts linear probes and the lens to models as they are, base and instruct",
        printed="./experiments/cli_classifier_emergence/lazarus_cli_experiments.sh all --save",
        claims=(
            "probe/*",
            "lens/base-no-hit",
            "lens/base-no-mass",
            "lens/base-no-layer",
            "lens/gpt-oss-announces",
        ),
    ),
    Experiment(
        name="dual_reward",
        source=PAGES["C"],
        section="BREAKTHROUGH: Dual-Reward Training Achieves GPT-OSS Levels",
        does="trains V/O adapters with a classification loss at the classifier layer beside the "
        "answers' loss",
        printed="lazarus introspect dual-reward -m meta-llama/Llama-3.2-1B --steps 500 "
        "--cls-weight 0.4 --classifier-layer 8",
        claims=("dual/*",),
        sections={"dual_reward": "dual_reward"},
    ),
    Experiment(
        name="grpo_arithmetic",
        source=PAGES["C"],
        section="NEW EXPERIMENT: GRPO Classifier Emergence",
        does="rewards right answers alone (GRPO) and looks for a classifier",
        claims=("grpo/*",),
        sections={"grpo": "grpo"},
    ),
    Experiment(
        name="grpo_dual_reward",
        source=PAGES["C"],
        section="EXPERIMENT: GRPO + Dual-Reward",
        does="puts GRPO and the classification loss together on the full model, with each of the "
        "fixes for its collapse",
        claims=("grpo-dual/*",),
        sections={"grpo_dual": "grpo_dual"},
    ),
    Experiment(
        name="moe_router",
        source=PAGES["C"],
        section="NEW HYPOTHESIS: MoE Router Vocabulary Mapping",
        does="reads routers of mixtures of experts against the vocabulary",
        printed="lazarus introspect moe-expert analyze -m allenai/OLMoE-1B-7B-0924",
        claims=("router/*",),
    ),
    Experiment(
        name="two_stage_classifier",
        source=PAGES["D"],
        section="the whole writeup",
        does="fine-tunes, fuses the adapter, and trains a light dual reward on the fused model",
        printed="lazarus experiment run two_stage_classifier",
        claims=("two-stage/*",),
        sections={"stage1": "sft", "stage2": "dual_reward"},
    ),
    Experiment(
        name="engram",
        aliases=("experiment",),
        source=PAGES["E"],
        section="Small scale (1.3M params, from scratch)",
        does="trains classifier, dual head and dual head with a bottleneck on generated sentences "
        "of two and of four classes, and looks at what the bottleneck keeps",
        printed="experiment.py",
        claims=("engram/*",),
        sections={"engram": "engram"},
    ),
    Experiment(
        name="engram_sst2",
        aliases=("experiment_7b",),
        source=PAGES["E"],
        section="7B scale — SST-2",
        does="the same on SST-2",
        printed="experiment_7b.py",
        claims=("engram/*[two-class]",),
        sections={"engram": "engram"},
        data=("sst2=hub",),
    ),
    Experiment(
        name="engram_agnews",
        aliases=("experiment_agnews_7b",),
        source=PAGES["E"],
        section="7B scale — AG News",
        does="the same on AG News",
        printed="experiment_agnews_7b.py",
        claims=("engram/*[four-class]",),
        sections={"engram": "engram"},
        data=("ag_news=hub",),
    ),
)
"""In the order of the writeups."""
