"""What the pages name in backticks exists: files, folders, and the code behind each claim."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE_PAGES = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/paper.md", "benchmarks/README.md"]
"""Pages about the code: each path in them is one of this project."""
PAGES = sorted({*CODE_PAGES, "README.md"} | {
    str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")
})  # fmt: skip

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
ENDINGS = (".py", ".md", ".sh", ".toml", ".html", "/")
"""How a path of the project ends; a run's own files are columns, JSON and databases."""
OURS = re.compile(r"(benchmarks|docs|examples|src|tests)/.*|runs/\w+\.(sh|py)")
"""What every page means as a path of the project; runs/ is also where readers' runs go."""
MADE = {"site/", "rounds/", "seeds/", "shards/", "blind/", "walks/"}
"""Folders that commands make: the site, and those inside a run."""


@cache
def quoted(page: str) -> list[str]:
    """What stands in backticks in the running text and the tables of a page."""
    return QUOTED.findall(FENCE.sub("", (ROOT / page).read_text("utf-8")))


def is_project_path(text: str, page: str) -> bool:
    """Is this a path inside the project? Words in capitals stand for the reader's own folders."""
    if not PATH.fullmatch(text) or text in MADE or text.split("/")[0].isupper():
        return False
    return bool(OURS.fullmatch(text)) or (page in CODE_PAGES and text.endswith(ENDINGS))


def exists(text: str, page: str) -> bool:
    """Does it stand in the project, in its package, beside the page or among the tests?"""
    places = (ROOT, ROOT / "src/kdos", (ROOT / page).parent, ROOT / "tests")
    return any((place / text).exists() for place in places)


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_backticks_exist(page: str) -> None:
    paths = {text for text in quoted(page) if is_project_path(text, page)}
    assert sorted(path for path in paths if not exists(path, page)) == []


def test_each_name_of_code_in_the_table_of_claims_is_in_the_code() -> None:
    names = {text for text in quoted("docs/paper.md") if re.fullmatch(r"[a-z]+(_[a-z]+)+", text)}
    assert len(names) > 5
    code = "\n".join(
        path.read_text("utf-8")
        for place in ("src", "tests")
        for path in (ROOT / place).rglob("*")
        if path.suffix in {".py", ".md"}
    )
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", code)) == []
