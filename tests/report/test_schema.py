"""The report file: it reads back as it was written, and says clearly when it cannot."""

import dataclasses
import json
import operator
import tempfile
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_report import SAMPLE

from lazarus_bench.codec import to_plain
from lazarus_bench.errors import UserError
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.schema import (
    JobRow,
    LensRow,
    LensTable,
    Report,
    from_dict,
    load,
    save,
)


def test_a_report_reads_back_as_it_was_written(tmp_path):
    path = tmp_path / "reports" / "lab.json"
    save(SAMPLE, path)
    assert load(path) == SAMPLE
    assert [entry.name for entry in path.parent.iterdir()] == ["lab.json"]
    # Editors and shells of Windows put a byte order mark before the text.
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load(path) == SAMPLE


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
    assert from_dict(json.loads(json.dumps(to_plain(report), allow_nan=False))) == report


@pytest.mark.parametrize(
    ("version", "rows", "lacks"),
    [
        (1, 8, ("curves", "layer_curves", "pooled", "scatters", "heatmaps")),
        (2, 8, ("layer_curves", "pooled", "scatters", "heatmaps")),
        (3, 13, ("scatters", "heatmaps")),
        (4, 13, ("heatmaps",)),
        (5, 16, ()),
    ],
)
def test_a_report_of_an_older_version_opens_without_what_came_later(tmp_path, version, rows, lacks):
    path = Path(__file__).with_name(f"report_v{version}.json")
    old = load(path)
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == version
    assert len(old.rows) == rows
    figures = ("curves", "layer_curves", "pooled", "scatters", "heatmaps")
    assert tuple(name for name in figures if not getattr(old, name)) == lacks
    if version < 5:
        assert {(row.claim_digest, row.amended, row.quirk, row.quirks) for row in old.rows} == {
            ("", (), "", ())
        }
        assert {row.explained for row in old.rows} == {()}
        assert {job.quirks for job in old.jobs} == {()}
    assert {(row.looks, row.unplanned, row.verdict.predicted) for row in old.rows} == {
        ((), "", None)
    }
    on_record = {row.pinned for row in old.rows if row.moved}
    assert all(f"{pin} is on record" in {row.moved for row in old.rows} for pin in on_record)
    if version < 4:
        assert {r.verdict.estimate.by_seed for r in old.rows if r.verdict.estimate} == {()}
    headings = {
        "curves": "Training curves",
        "layer_curves": "Layer by layer",
        "scatters": "principal components",
        "heatmaps": "heat maps",
    }
    shown = render(old)
    assert {name for name, words in headings.items() if words not in shown} == {*lacks} - {"pooled"}
    assert ("defect" in shown) == (version == 5)
    assert "Replication with new seeds" not in shown
    save(old, tmp_path / "new.json")
    assert load(tmp_path / "new.json") == old
    assert json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))["schema"] == 6


@pytest.mark.parametrize("version", [0, 7, 99, "2", None, [1], True, 6.0])
def test_an_unknown_schema_version_is_refused(tmp_path, version):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(to_plain(SAMPLE) | {"schema": version}), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"old\.json has .*, .* reads versions 1, 2, 3, 4, 5 and 6;"
    ) as error:
        load(path)
    assert f"schema version {version}," in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            r"cannot read the report .*report\.json \(no such file.*\); name an existing",
        ),
        (b"not json", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"[1, 2]", "is not a report"),
        (b'{"rows": []}', "names no schema version"),
        *((b'{"schema": %d}' % version, "is damaged") for version in (1, 2, 3, 4, 5)),
        *(("é0123456789".encode(name), "is not text in UTF-8") for name in ("utf-16", "latin-1")),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert "\n" not in str(error.value)


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


PLAIN = json.dumps(to_plain(SAMPLE))
PLACES = tuple(_places(json.loads(PLAIN)))


def damaged(folder, place, harm):
    """A file of the sample with `harm` in one place, or without it where that is `...`."""
    data = json.loads(PLAIN)
    *above, name = place
    holder = reduce(operator.getitem, above, data)
    holder[name] = harm
    if harm is ...:
        del holder[name]
    path = Path(folder, "report.json")
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


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
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = load(damaged(folder, place, harm))
        except UserError:
            return
    assert render(report).startswith("# ")
    assert render_html(report).startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("place", "harm", "told"),
    [
        (("rows", 2, "claim_id"), 5, "report.rows[2].claim_id is 5, not text"),
        (("profile",), ..., "report.profile is missing"),
        (("more",), 1, "report has no field 'more'"),
        (("rows", 0, "quirks"), "sgd", "report.rows[0].quirks is 'sgd', not a list"),
        (("rows", 0, "seconds"), True, "report.rows[0].seconds is True, not a number"),
        (("rows", 0, "seconds"), 10**400, "not a number"),
        (("jobs", 0, "cached"), 1, "report.jobs[0].cached is 1, not true or false"),
        (("manifest", "mlx"), 7, "report.manifest['mlx'] is 7, not text"),
        (("rows", 0, "verdict"), [], "report.rows[0].verdict is [], not an object"),
        (
            ("rows", 0, "verdict", "outcome"),
            "so",
            "verdict.outcome is 'so', not one of 'supported'",
        ),
        (("rows", 0, "verdict", "region", "type"), "Row", "verdict.region is 'Row', not a type"),
        (
            ("rows", 0, "verdict", "estimate", "type"),
            "Interval",
            "report.rows[0].verdict.estimate is 'Interval', not Estimate",
        ),
        (("pooled", 0, "result", "weights"), ..., "report.pooled[0].result.weights is missing"),
        (
            ("curves", 0, "series", 0, "lines", 0, 1),
            [1],
            "series[0].lines[0][1] is [1], not a list of 2",
        ),
        (("curves", 0, "series", 0, "lines", 0, 1, 1), "y", "lines[0][1][1] is 'y', not a number"),
        (("heatmaps", 0, "layer"), 99, "report.heatmaps[0] is invalid: the heat map"),
        (("heatmaps", 0, "groups"), [], "report.heatmaps[0] is invalid: the heat map"),
        (("layer_curves", 0, "layers"), [], "report.layer_curves[0] is invalid: the layer curves"),
        (("pooled", 0, "result"), {"type": "AtLeast", "x": 1}, "report.pooled[0].result is"),
        (("pooled", 0, "families"), [], "report.pooled[0] is invalid: 3 weights for 0"),
    ],
)
def test_the_damaged_value_is_named(tmp_path, place, harm, told):
    with pytest.raises(UserError) as error:
        load(damaged(tmp_path, place, harm))
    assert told in str(error.value)
    assert "; run the hypotheses again" in str(error.value)


@pytest.mark.parametrize("deep", ["[" * 900 + "]" * 900, '{"type": ' * 900 + "1" + "}" * 900])
@pytest.mark.parametrize("name", ["created", "rows", "manifest"])
def test_deep_nesting_is_refused(tmp_path, name, deep):
    path = tmp_path / "report.json"
    data = json.dumps({**json.loads(PLAIN), name: "DEEP"})
    path.write_text(data.replace('"DEEP"', deep), encoding="utf-8")
    with pytest.raises(UserError, match="nested more than 100 levels"):
        load(path)


def test_neither_a_folder_nor_a_path_below_a_file_can_be_written(tmp_path):
    with pytest.raises(UserError, match="is a directory"):
        save(SAMPLE, tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write the report to .*lab\.json"):
        save(SAMPLE, tmp_path / "file" / "lab.json")


def test_a_failed_write_keeps_the_old_report(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    save(SAMPLE, path)

    def full_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", full_disk)
    with pytest.raises(UserError, match="no space left"):
        save(Report(created="", profile="", command="", manifest={}), path)
    monkeypatch.undo()
    assert load(path) == SAMPLE
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]
