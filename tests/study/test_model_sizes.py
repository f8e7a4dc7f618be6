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


def test_vo_rank_8_is_the_published_count():
    assert lora_parameters(LLAMA_3_2_1B, VO, rank=8) == 851_968


def test_all_linears_rank_8_is_5_6_million_and_0_46_percent():
    adapters = lora_parameters(LLAMA_3_2_1B, ALL_LINEARS, rank=8)
    assert adapters == 5_636_096
    assert round(100 * adapters / total_parameters(LLAMA_3_2_1B), 2) == 0.46


def test_full_blocks_are_973_million_and_78_7_percent():
    blocks = block_parameters(LLAMA_3_2_1B)
    assert blocks == 973_144_064
    assert round(100 * blocks / total_parameters(LLAMA_3_2_1B), 1) == 78.7


def test_the_whole_model_is_1_24_billion():
    assert total_parameters(LLAMA_3_2_1B) == 1_235_814_400


def test_targets_add_up_and_scale_with_rank():
    parts = [lora_parameters(LLAMA_3_2_1B, targets, rank=4) for targets in (QK, VO, MLP)]
    assert 2 * sum(parts) == lora_parameters(LLAMA_3_2_1B, ALL_LINEARS, rank=8)


def test_an_unknown_target_is_an_error():
    with pytest.raises(KeyError):
        lora_parameters(LLAMA_3_2_1B, ["lm_head"], rank=8)
