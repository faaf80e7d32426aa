"""The site builds without a warning, and holds what is made from the code."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdos.cli import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` does."""
    made = tmp_path_factory.mktemp("site")
    options = ["--builder", "html", "--fail-on-warning", "--keep-going", "--quiet"]
    places = ["--doctree-dir", str(made / "doctrees"), str(ROOT / "docs"), str(made / "html")]
    command = [sys.executable, "-m", "sphinx", *options, *places]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return made / "html"


def page_words(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text("utf-8")))


@pytest.mark.slow
class TestTheSite:
    def test_every_page_is_there(self, site):
        for page in (ROOT / "docs").glob("**/*.md"):
            assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").exists()

    def test_every_command_is_there_with_its_arguments(self, site):
        words = page_words(site / "reference" / "commands.html")
        for name, summary in COMMANDS.items():
            assert f"kdos {name}" in words
            assert summary[1:] in words
        for argument in ("--compare OTHER", "--test-share", "kdos scaling fit", "--dedup"):
            assert argument in words

    def test_public_names_are_there_with_their_docstrings(self, site):
        words = page_words(site / "reference" / "python.html")
        for name in ("kdos.density", "kdos.graph", "fit_space", "tempered_target"):
            assert name in words
        assert "The target log q, shape (n_cells,), for one exponent tau." in words

    def test_pictures_are_drawn(self, site):
        page = (site / "start" / "concepts.html").read_text("utf-8")
        assert page.count('<div class="picture"><svg') == 2

    def test_nothing_is_fetched_from_elsewhere(self, site):
        for page in site.glob("**/*.html"):
            text = page.read_text("utf-8")
            assert not re.search(r"<(?:script|img|link rel=.stylesheet.)[^>]+=.https?:", text), page
