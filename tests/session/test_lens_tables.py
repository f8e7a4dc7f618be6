from lazarus_bench.session.run import Run
from lazarus_bench.session.shown import lens_table
from lazarus_bench.tasks.arithmetic import sample_prompts


def test_the_table_shows_the_top_tokens_of_both_runs(tiny):
    base = Run(name="base", seed=0, directory=tiny)
    run = Run(name="same weights", seed=0, directory=tiny, base=base)
    prompts = sample_prompts()
    table = lens_table("A title", run, prompts)
    assert table.layer == run.classifier_layer
    assert [row.prompt for row in table.rows] == [p.symbols for p in prompts]
    assert [row.gold for row in table.rows] == [p.operation.word for p in prompts]
    lens = run.lens(prompts)
    for i, row in enumerate(table.rows):
        assert row.before_token == row.after_token
        assert row.after_probability == row.before_probability
        assert row.after_probability == lens.top_probability[i, table.layer, 0]
        assert run.loaded.tokenizer.decode([int(lens.top[i, table.layer, 0])]) == row.after_token
