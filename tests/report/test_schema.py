"""The report file: it reads back as it was written, and says clearly when it cannot."""

import dataclasses
import json
import math
import operator
import tempfile
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_report import ROWS, SAMPLE

from lazarus_bench.errors import UserError
from lazarus_bench.figures import Curve, Curves, LayerCurves, LayerSeries, NullBand
from lazarus_bench.report import JobRow, LensRow, LensTable, Report, load, render, save
from lazarus_bench.report.html import render_html
from lazarus_bench.report.schema import from_dict, to_dict

VERSION_1 = Path(__file__).with_name("report_v1.json")
VERSION_2 = Path(__file__).with_name("report_v2.json")
VERSION_3 = Path(__file__).with_name("report_v3.json")
VERSION_4 = Path(__file__).with_name("report_v4.json")


def test_a_report_reads_back_as_it_was_written(tmp_path):
    path = tmp_path / "reports" / "lab.json"
    save(SAMPLE, path)
    assert load(path) == SAMPLE
    assert [entry.name for entry in path.parent.iterdir()] == ["lab.json"]


def test_a_printed_range_reads_back_and_stands_only_where_there_is_one(tmp_path):
    path = tmp_path / "report.json"
    (about,) = (row for row in SAMPLE.rows if len(row.explained) > 1)
    first, *rest = about.explained
    ranged = dataclasses.replace(
        about, explained=(dataclasses.replace(first, span=(10, 13)), *rest)
    )
    kept = dataclasses.replace(SAMPLE, rows=(ranged,))
    save(kept, path)
    assert load(path) == kept
    stored = json.loads(path.read_text(encoding="utf-8"))["rows"][0]["explained"]
    assert [item.get("span") for item in stored] == [[10, 13], *[None] * len(rest)]


def test_the_file_is_strict_json_with_its_version(tmp_path):
    path = tmp_path / "report.json"
    save(SAMPLE, path)

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)["schema"] == 5


@settings(deadline=None)
@given(
    token=st.text(),
    probability=st.floats(allow_nan=False),
    speed=st.none() | st.floats(allow_nan=False),
)
def test_any_token_and_number_reads_back(token, probability, speed):
    row = LensRow(
        prompt="7 * 8 = ",
        before_token=token,
        before_probability=probability,
        after_token=token,
        after_probability=0.5,
        gold="multiply",
    )
    job = JobRow(digest=token, what=token, seconds=1.0, tokens_per_second=speed, cached=False)
    report = dataclasses.replace(
        SAMPLE,
        lens_tables=(LensTable(title=token, subject="nan", layer=0, rows=(row,)),),
        jobs=(job,),
    )
    assert from_dict(json.loads(json.dumps(to_dict(report), allow_nan=False))) == report


@settings(deadline=None)
@given(
    name=st.text(),
    lines=st.lists(st.lists(st.tuples(st.floats(), st.floats())).map(tuple)).map(tuple),
)
def test_any_curve_reads_back(name, lines):
    curve = Curve(name=name, lines=lines)
    curves = Curves(title=name, subject="nan", x=name, unit="inf", series=(curve, curve))
    report = dataclasses.replace(SAMPLE, curves=(curves,))
    back = from_dict(json.loads(json.dumps(to_dict(report), allow_nan=False)))
    assert repr(back) == repr(report), "one NaN does not equal another, but they read alike"


def test_a_version_1_report_opens_without_curves(tmp_path):
    old = load(VERSION_1)
    assert json.loads(VERSION_1.read_text(encoding="utf-8"))["schema"] == 1
    assert old.curves == ()
    assert (len(old.rows), len(old.lens_tables), len(old.jobs)) == (8, 1, 2)
    assert "Training curves" not in render(old)
    save(old, tmp_path / "new.json")
    assert load(tmp_path / "new.json") == old
    assert json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))["schema"] == 5


def test_a_version_2_report_opens_with_its_curves_and_nothing_pooled(tmp_path):
    old = load(VERSION_2)
    assert json.loads(VERSION_2.read_text(encoding="utf-8"))["schema"] == 2
    assert len(old.curves) == 1
    assert (old.layer_curves, old.pooled, len(old.rows)) == ((), (), 8)
    assert {row.architecture for row in old.rows} == {""}
    assert "Layer by layer" not in render(old)
    save(old, tmp_path / "new.json")
    assert load(tmp_path / "new.json") == old


def test_a_version_3_report_opens_without_scatters_and_seeds_own_values(tmp_path):
    old = load(VERSION_3)
    assert json.loads(VERSION_3.read_text(encoding="utf-8"))["schema"] == 3
    assert (len(old.rows), old.scatters) == (13, ())
    assert {row.verdict.estimate.by_seed for row in old.rows if row.verdict.estimate} == {()}
    assert "principal components" not in render(old)
    save(old, tmp_path / "new.json")
    assert load(tmp_path / "new.json") == old


def test_a_version_4_report_opens_without_digests_heat_maps_and_defects(tmp_path):
    old = load(VERSION_4)
    assert json.loads(VERSION_4.read_text(encoding="utf-8"))["schema"] == 4
    assert (len(old.rows), len(old.scatters), old.heatmaps) == (13, 1, ())
    assert {(row.claim_digest, row.amended) for row in old.rows} == {("", ())}
    assert {(row.quirk, row.quirks, row.explained) for row in old.rows} == {("", (), ())}
    assert {job.quirks for job in old.jobs} == {()}
    assert "defect" not in render(old)
    assert "heat maps" not in render(old)
    assert "Amended since" not in render(old)
    save(old, tmp_path / "new.json")
    assert load(tmp_path / "new.json") == old


columns = st.lists(st.floats(), min_size=3, max_size=3).map(tuple)


@settings(deadline=None)
@given(name=st.text(), column=columns, upper=st.floats(), with_null=st.booleans())
def test_any_layer_curves_read_back(name, column, upper, with_null):
    one = LayerSeries(name=name, mean=column, lowest=column[::-1], highest=column, seeds=3)
    null = NullBand(name=name, mean=column, upper=upper) if with_null else None
    item = LayerCurves(
        title=name, subject="nan", unit="inf", layers=(0, 5, 9), series=(one,), null=null
    )
    report = dataclasses.replace(SAMPLE, layer_curves=(item,))
    back = from_dict(json.loads(json.dumps(to_dict(report), allow_nan=False)))
    assert repr(back) == repr(report), "one NaN does not equal another, but they read alike"


def test_a_diverged_run_still_has_a_report(tmp_path):
    path = tmp_path / "report.json"
    row = dataclasses.replace(ROWS[0], seconds=math.nan)
    save(dataclasses.replace(SAMPLE, rows=(row,)), path)
    assert math.isnan(load(path).rows[0].seconds)


def _with(path, **changes):
    save(SAMPLE, path)
    data = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("version", [0, 6, 99, "2", None, [1], True, 5.0])
def test_an_unknown_schema_version_is_refused(tmp_path, version):
    path = _with(tmp_path / "old.json", schema=version)
    with pytest.raises(
        UserError, match=r"old\.json has .*, .* reads versions 1, 2, 3, 4 and 5;"
    ) as error:
        load(path)
    assert f"schema version {version}," in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is not JSON"),
        ("[1, 2]", "is not a report"),
        ('{"rows": []}', "names no schema version"),
        ('{"schema": 1}', "is damaged"),
        ('{"schema": 2}', "is damaged"),
        ('{"schema": 3}', "is damaged"),
        ('{"schema": 4}', "is damaged"),
        ('{"schema": 5}', "is damaged"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("encoding", "message"), [("utf-16", "is not text in UTF-8"), ("latin-1", "is not text in")]
)
def test_another_encoding_is_told(tmp_path, encoding, message):
    path = tmp_path / "report.json"
    path.write_bytes("é".join(map(chr, range(48, 58))).encode(encoding))
    with pytest.raises(UserError, match=message):
        load(path)


def test_a_byte_order_mark_is_no_harm(tmp_path):
    path = tmp_path / "report.json"
    save(SAMPLE, path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load(path) == SAMPLE


def test_brackets_without_end_are_refused(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("[" * 200_000)
    with pytest.raises(UserError, match="is not JSON"):
        load(path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data | {"manifest": None},
        lambda data: data | {"manifest": {"revision": 7}},
        lambda data: data | {"rows": [row | {"claim_digest": 7} for row in data["rows"]]},
    ],
)
def test_what_reports_are_compared_by_must_be_words(tmp_path, harm):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(harm(to_dict(SAMPLE))))
    with pytest.raises(UserError, match="is damaged"):
        load(path)


def _places(value, above=()):
    """The place of every value in JSON data, as keys and indices."""
    if above:
        yield above
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*above, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _places(item, (*above, at))


PLAIN = json.dumps(to_dict(SAMPLE))
PLACES = tuple(_places(json.loads(PLAIN)))


@settings(max_examples=60)
@given(
    place=st.sampled_from(PLACES),
    harm=st.sampled_from([None, 5, -1, True, 1e308, "x", "", "nan", "inf", [], {}, [1]]),
)
@example(place=("rows", 0, "claim_id"), harm=5)
@example(place=("rows", 0, "says"), harm=None)
@example(place=("rows", 0, "quirks"), harm="sgd")
@example(place=("rows", 0, "verdict", "estimate", "value"), harm=None)
@example(place=("rows", 2, "seconds"), harm="nan")
@example(place=("jobs", 0, "seconds"), harm="nan")
@example(place=("pooled", 0, "families"), harm=[])
@example(place=("pooled", 0, "result", "weights"), harm=[1])
@example(place=("pooled", 0, "result", "weights", 0), harm=-1)
@example(place=("created",), harm=5)
@example(place=("rows",), harm={})
def test_a_damaged_value_is_refused_or_shown_but_ends_in_no_trace(place, harm):
    data = json.loads(PLAIN)
    *above, name = place
    holder = reduce(operator.getitem, above, data)
    holder[name] = harm
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        try:
            report = load(path)
        except UserError:
            return
    assert render(report).startswith("# ")
    assert render_html(report).startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("place", "harm", "told"),
    [
        (("rows", 2, "claim_id"), 5, "report.rows[2].claim_id is 5"),
        (("profile",), None, "report.profile is None"),
        (("rows", 0, "quirks"), "sgd", "a list is expected, not 'sgd'"),
    ],
)
def test_the_damaged_value_is_named(tmp_path, place, harm, told):
    data = json.loads(PLAIN)
    *above, name = place
    reduce(operator.getitem, above, data)[name] = harm
    path = tmp_path / "report.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load(path)
    assert told in str(error.value)


def test_damaged_rows_are_refused(tmp_path):
    rows = to_dict(SAMPLE)["rows"]
    rows[0]["verdict"]["type"] = "Opinion"
    with pytest.raises(UserError, match="is damaged"):
        load(_with(tmp_path / "report.json", rows=rows))


@pytest.mark.parametrize("lines", [[[[1, 2, 3]]], [[[1, "much"]]], [[1]], None])
def test_damaged_curves_are_refused(tmp_path, lines):
    curves = to_dict(SAMPLE)["curves"]
    curves[0]["series"][0]["lines"] = lines
    with pytest.raises(UserError, match="is damaged"):
        load(_with(tmp_path / "report.json", curves=curves))


@pytest.mark.parametrize(
    ("field", "value"),
    [("layers", [0, 1]), ("layers", []), ("null", {"mean": [1]}), ("series", [{"mean": "x"}])],
)
def test_damaged_layer_curves_are_refused(tmp_path, field, value):
    curves = to_dict(SAMPLE)["layer_curves"]
    curves[0][field] = value
    with pytest.raises(UserError, match="is damaged"):
        load(_with(tmp_path / "report.json", layer_curves=curves))


@pytest.mark.parametrize(
    ("field", "value"),
    [("result", {"type": "AtLeast", "x": 1}), ("families", [{"name": "a"}]), ("left_out", ["a"])],
)
def test_damaged_pooled_claims_are_refused(tmp_path, field, value):
    pooled = to_dict(SAMPLE)["pooled"]
    pooled[0][field] = value
    with pytest.raises(UserError, match="is damaged"):
        load(_with(tmp_path / "report.json", pooled=pooled))


@pytest.mark.parametrize(
    ("field", "value"),
    [("groups", []), ("groups", [{"name": "a", "rows": [{"prompt": "b"}]}]), ("layer", 9)],
)
def test_damaged_heat_maps_are_refused(tmp_path, field, value):
    heatmaps = to_dict(SAMPLE)["heatmaps"]
    heatmaps[0][field] = value
    with pytest.raises(UserError, match="is damaged"):
        load(_with(tmp_path / "report.json", heatmaps=heatmaps))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.json"):
        load(tmp_path / "nowhere.json")


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write the report to .*lab\.json"):
        save(SAMPLE, tmp_path / "file" / "lab.json")


def test_a_folder_is_not_overwritten(tmp_path):
    with pytest.raises(UserError, match="is a directory"):
        save(SAMPLE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_report(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    save(SAMPLE, path)
    monkeypatch.setattr("os.fdopen", _full_disk)
    with pytest.raises(UserError, match="no space left"):
        save(Report(created="", profile="", command="", manifest={}), path)
    monkeypatch.undo()
    assert load(path) == SAMPLE
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def _full_disk(*_args, **_kwargs):
    raise OSError(28, "No space left on device")
