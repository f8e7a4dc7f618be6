"""The cost of fine-tuning: paired repeats, each training in a process of its own."""

from lazarus_bench.training import FinetuneCost, finetune_cost
from lazarus_bench.training.finetune_cost import Cost, read_costs

SPEC = FinetuneCost(steps=20, batch=4, rank=2, repeats=2)


def test_the_job_leaves_paired_costs_of_processes_of_their_own(tiny, tmp_path):
    SPEC.train(tiny, tmp_path, 0, show=False)
    costs = read_costs(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [finetune_cost.COSTS]
    assert costs.device
    assert len(costs.lora) == len(costs.full) == SPEC.repeats
    assert all(c.tokens_per_second > 0 for c in (*costs.lora, *costs.full))
    # Full training keeps gradients and two moments of every block; LoRA of a small part.
    weights = (tiny / "model.safetensors").stat().st_size
    for lora, full in zip(costs.lora, costs.full, strict=True):
        assert weights < lora.peak_memory < full.peak_memory


def test_pairs_share_their_data_and_take_turns_to_be_first(tiny, tmp_path, monkeypatch):
    order = []

    def noted(spec, base, seed):
        order.append((spec.full, seed))
        return Cost(peak_memory=1, tokens_per_second=1.0)

    monkeypatch.setattr(finetune_cost, "measured", noted)
    FinetuneCost(repeats=3).train(tiny, tmp_path, 7)
    assert order == [(False, 7), (True, 7), (True, 8), (False, 8), (False, 9), (True, 9)]


def test_what_is_measured_differs_in_nothing_but_what_is_trained():
    lora, full = (SPEC.sft(full=full) for full in (False, True))
    assert (lora.learning_rate, full.learning_rate) == (1e-4, 1e-5)
    assert (lora.steps, lora.batch, lora.rank) == (full.steps, full.batch, full.rank) == (20, 4, 2)
