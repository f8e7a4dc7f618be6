"""Routers of a run: measured once, with the instruments' results."""

import numpy as np
import pytest

from lazarus_bench.analysis.routing import _where, read_routing
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models import lab
from lazarus_bench.session.run import Run
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS = tuple(held_out(12, 0))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """An untrained mixture of the lab's tokenizer and shape, 3 layers of 8 experts."""
    config = lab.config_of("llama") | {
        "model_type": "olmoe",
        "architectures": ["OlmoeForCausalLM"],
        "num_hidden_layers": 3,
        "hidden_size": 48,
        "intermediate_size": 32,
        "head_dim": 16,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "norm_topk_prob": False,
    }
    directory = tmp_path_factory.mktemp("mixture")
    lab.save(lab.initialise(config, 0), config, directory)
    return Run(name="mixture", seed=3, directory=directory)


def test_the_null_is_of_the_runs_own_width_and_vocabulary(run):
    null = run.router_chance()
    assert (null.width, null.vocabulary) == (48, run.loaded.config["vocab_size"])
    # The numbers share a few dimensions, so the rows are fewer than they seem; and rows drawn from
    # the stream of the weights would have cosines of 1.
    assert 0.7 < run.random_projection().scores.mean() / null.mean() < 1.02


def test_experts_that_name_a_word(run):
    words = ("multiply", "no such word")
    everything = run.router_projection(run.loaded.config["vocab_size"])
    assert run.experts_naming(words, everything).all()
    assert run.experts_naming(words, run.router_projection(1)).sum() < 12
    with pytest.raises(NotApplicable, match="no such word"):
        run.experts_naming(("no such word",), everything)


def test_routes_are_those_of_the_prompts_texts(run):
    found = run.routing(PROBLEMS)
    own = read_routing(run.loaded, [run.loaded.encode(p.symbols) for p in PROBLEMS])
    np.testing.assert_array_equal(found.load, own.load)
    texts = tuple(p.symbols for p in PROBLEMS)
    np.testing.assert_array_equal(run.routes(texts).load, own.load)
    assert found.load.shape == (3, 8)


def test_a_words_own_token_is_followed_through_the_layers(run):
    prompt = "127 * 89 = "
    trace = run.routes((prompt,)).traces[0]
    at = [run.loaded.tokenizer.decode([t]) for t in trace.tokens].index("127")
    assert run.token_experts(prompt, "127") == len(set(trace.experts[at].ravel()))
    with pytest.raises(NotApplicable, match="'128'"):
        run.token_experts(prompt, "128")


def test_a_word_in_pieces_is_found_whole():
    assert _where(["<s>", "1", "2", "7", " *", " ", "27"], "127") == slice(1, 4)
    assert _where(["<s>", " 27", "1", "27"], "27") == slice(1, 2)


def test_a_dense_run_has_no_router(tiny):
    dense = Run(name="lab:llama", seed=0, directory=tiny)
    for read in (dense.router_projection, dense.random_projection, dense.router_chance):
        with pytest.raises(NotApplicable, match=r"^lab:llama has no router"):
            read()
    with pytest.raises(NotApplicable, match="no router"):
        dense.routing(PROBLEMS)
