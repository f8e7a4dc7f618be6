"""Parameter counts of the published Llama-3.2-1B configuration."""

import pytest

from hypotheses.writeups.model_sizes import (
    ALL_LINEARS,
    LLAMA_3_2_1B,
    MLP,
    QK,
    VO,
    block_parameters,
    lora_parameters,
    total_parameters,
)


@pytest.mark.parametrize(
    ("count", "parameters", "percent"),
    [
        (total_parameters(LLAMA_3_2_1B), 1_235_814_400, "100"),
        (block_parameters(LLAMA_3_2_1B), 973_144_064, "78.7"),
        (lora_parameters(LLAMA_3_2_1B, ALL_LINEARS, rank=8), 5_636_096, "0.46"),
        (lora_parameters(LLAMA_3_2_1B, VO, rank=8), 851_968, "0.07"),
    ],
)
def test_counts_and_shares_are_the_published_ones(count, parameters, percent):
    assert count == parameters
    digits = len(percent.partition(".")[2])
    assert f"{100 * count / total_parameters(LLAMA_3_2_1B):.{digits}f}" == percent


def test_targets_add_up_and_scale_with_rank():
    parts = [lora_parameters(LLAMA_3_2_1B, targets, rank=4) for targets in (QK, VO, MLP)]
    assert 2 * sum(parts) == lora_parameters(LLAMA_3_2_1B, ALL_LINEARS, rank=8)


def test_an_unknown_target_is_an_error():
    with pytest.raises(KeyError):
        lora_parameters(LLAMA_3_2_1B, ["lm_head"], rank=8)
