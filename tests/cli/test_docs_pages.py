"""The site's pages: each has its place in the navigation."""

import re
import tomllib

from documentation import ROOT

CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
PAGES = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def placed(nav) -> list[str]:
    found = []
    for entry in nav:
        for target in entry.values():
            found += placed(target) if isinstance(target, list) else [target]
    return found


def test_every_page_has_one_place_in_the_navigation():
    assert sorted(placed(CONFIG["nav"])) == sorted(PAGES), "one line in zensical.toml for each page"


def test_every_room_has_its_reference():
    package = ROOT / "lazarus_bench"
    rooms = {file.parent.name for file in package.glob("*/__init__.py")} - {"cli", "plugin"}
    assert rooms <= {page.removeprefix("api/").removesuffix(".md") for page in PAGES}
    modules = {file.stem for file in package.glob("*.py")} - {"__init__", "__main__"}
    shown = set(re.findall(r"::: lazarus_bench\.(\w+)", (ROOT / "docs/api/backend.md").read_text()))
    assert shown == modules


def test_no_page_asks_for_a_font_or_a_script_from_elsewhere():
    assert CONFIG["theme"]["font"] is False
    assert "offline" not in CONFIG["plugins"]  # it would name a script of another site
    assert not {"extra_javascript", "extra_css"} & set(CONFIG)


def test_every_environment_variable_is_on_one_page():
    sources = (ROOT / "lazarus_bench").rglob("*.py")
    used = set().union(
        *(
            re.findall(r"\bLAZARUS_BENCH_[A-Z_]+", file.read_text(encoding="utf-8"))
            for file in sources
        )
    )
    page = (ROOT / "docs/run.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(LAZARUS_BENCH_[A-Z_]+)`", page, re.MULTILINE))
    assert told == used - {"LAZARUS_BENCH_READER_OF"}  # between our own processes
