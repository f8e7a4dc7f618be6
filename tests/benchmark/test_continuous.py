"""The file for github-action-benchmark holds what its format asks, larger always better."""

import json

from sample_benchmark import DOCUMENT

from lazarus_bench.benchmark.continuous import bigger_is_better


def test_every_row_has_the_formats_fields_and_a_name_of_its_own():
    rows = json.loads(bigger_is_better(DOCUMENT))
    assert all({"name", "unit", "value", "range", "extra"} == set(row) for row in rows)
    assert all(isinstance(row["value"], float | int) for row in rows)
    names = [(row["name"], row["unit"]) for row in rows]
    assert len(set(names)) == len(names) == 2 + 3 + 1


def test_what_is_better_when_smaller_is_turned_round():
    rows = {(r["name"], r["unit"]): r for r in json.loads(bigger_is_better(DOCUMENT))}
    assert rows["recipe: SFT, LoRA", "training tok/s"]["value"] == 2500
    assert rows["recipe: SFT, LoRA", "1 / (MiB, allocator)"]["value"] == 1 / 50
    turned = rows["inverse of dual reward over SFT: seconds a token, batch 16", "ratio"]
    assert turned["value"] == 1 / 1.3
    assert turned["range"] == "0.714286 to 0.833333"
