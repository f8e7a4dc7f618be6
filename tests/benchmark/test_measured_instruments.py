"""Instruments by themselves: what is measured of each, and why one is left out."""

from lazarus_bench.benchmark import instruments
from lazarus_bench.benchmark.instruments import GIVEN, Use
from lazarus_bench.benchmark.rivals.compared import Effort
from lazarus_bench.benchmark.sections import SECTIONS, Findings, Subject


def test_every_instrument_is_measured_or_left_out_with_the_reason(tiny):
    found = Findings()
    subject = Subject(name="lab:tiny", directory=tiny, lab=True)
    SECTIONS["instruments"](subject, Effort(rounds=2, steps=1, prompts=24), found, lambda _: None)
    assert set(found.skipped) == {"routing", "router projection"}
    assert all(why.startswith("lab:tiny has no router") for why in found.skipped.values())
    units = {}
    for reading in found.readings:
        assert reading.found.value > 0
        units.setdefault(reading.name, []).append(reading.unit)
    assert "MiB, allocator" in units["lens, all layers"]
    assert "MiB, allocator" not in units[f"cluster separation, {GIVEN}"]  # numpy alone
    assert all({"prompts/s", "prompt_tps"} < {*of} for of in units.values() if len(of) > 1)


def test_what_reads_no_prompt_has_no_speed_of_prompts(monkeypatch, tiny_model):
    looked = {"weights": Use(work=lambda: sum(range(1000)))}
    monkeypatch.setattr(instruments, "uses", lambda loaded, count: looked)
    monkeypatch.setattr(instruments, "_generation", lambda *_: iter(()))
    found, skipped = instruments.measure_instruments(tiny_model, rounds=2, count=4)
    assert [reading.unit for reading in found if "MiB" not in reading.unit] == ["readings/s"]
    assert list(skipped) == ["generation_tps"]
