"""The file map of ARCHITECTURE.md names every package and every file of the code, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/kdos"
PAGE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def test_the_map_names_every_file_of_every_package() -> None:
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*) \|$", PAGE, re.MULTILINE)
    named = {f"{package}/{name}" for package, names in rows for name in names.split(", ")}
    files = {
        path.relative_to(SOURCE).with_suffix("").as_posix().removesuffix("__init__")
        for path in SOURCE.glob("*/**/*.py")
    }
    assert named == {name for name in files if name.count("/") > 1 or not name.endswith("/")}


def test_the_map_names_every_single_file() -> None:
    named = set(re.findall(r"^\| `(\w+\.py)` \|", PAGE, re.MULTILINE))
    assert named == {path.name for path in SOURCE.glob("*.py") if not path.name.startswith("__")}


def test_each_formula_stands_in_the_file_that_the_table_names() -> None:
    table = PAGE.partition("## Where each formula stands")[2].partition("##")[0]
    rows = re.findall(r"^\| [^|]+ \| (.*) \| (.*) \|$", table, re.MULTILINE)[1:]
    assert len(rows) > 5
    for files, functions in rows:
        paths = re.findall(r"`([\w/]+\.py)`", files)
        code = "\n".join((SOURCE / path).read_text("utf-8") for path in paths)
        names = re.findall(r"`(\w+)`", functions)
        assert [name for name in names if not re.search(rf"^(def )?{name}\b", code, re.MULTILINE)] == []
