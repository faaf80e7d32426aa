"""Nothing foreign that is printed moves a terminal, fakes a line, or fails for want of a character."""

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.cli import main
from kdos.printable import MOST_LINE_CHARS, ascii_json, printable_block, printable_line
from kdos.terminal import print_json, print_status, print_table

FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""All that a stream may not hold: control characters but the line end, and marks of direction."""
HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\r\x08\u202eevil\u2066\x7f\x85[bold]x[blink] :smile: \udcff"
ANY_VALUE = st.recursive(
    st.text() | st.integers() | st.none(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(ANY_TEXT)
def test_a_line_is_one_line_of_harmless_characters(text: str) -> None:
    shown = printable_line(text)
    assert not FORBIDDEN.search(shown)
    assert "\n" not in shown
    assert printable_line(shown) == shown


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\ufff9\ufffa\ufffb"), max_size=60))
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert printable_line(text) == text


def test_a_long_text_shows_both_its_ends_and_how_much_is_left_out() -> None:
    shown = printable_line(f"begin {'x' * 1_000_000} end")
    assert shown.startswith("begin x")
    assert shown.endswith("x end")
    assert "996,010 characters left out" in shown
    assert len(shown) < MOST_LINE_CHARS + 100


@given(st.lists(ANY_TEXT, max_size=4).map("\n".join))
def test_a_block_keeps_its_lines(text: str) -> None:
    shown = printable_block(text)
    assert shown.count("\n") == text.count("\n")
    assert not FORBIDDEN.search(shown)


@given(
    st.recursive(ANY_TEXT | st.integers() | st.none(), lambda part: st.lists(part) | st.dictionaries(ANY_TEXT, part))
)
def test_json_in_ascii_is_the_same_value(value: object) -> None:
    shown = ascii_json(json.dumps(value, ensure_ascii=False))
    assert shown.isascii()
    assert not FORBIDDEN.search(shown)
    assert json.loads(shown) == value


@given(ANY_TEXT)
def test_every_printer_is_harmless(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        streams = [_Stream(), _Stream()]
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        print_json({"name": text, text: [text]})
        print_status(text)
        print_table(text, (text, "b"), [(text, text)])
        assert main(["density", f"missing{text}x"]) == 2
        assert main([text + "!"]) == 2
    for stream in streams:
        assert not FORBIDDEN.search(stream.text)
    assert streams[1].text.count("kdos: ") >= 2


class _Stream:
    """Takes what is printed as a terminal of UTF-8 would: a lone surrogate is an error."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        text.encode()
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return False


def rows_with_hostile_text(path: Path) -> Path:
    rows = [
        {
            "question": f"Who built the {n}th mill{HOSTILE}?", "answer": f"Anna Lee{n}{HOSTILE}", HOSTILE: n,
            "knowledge_points": [f"Mill {n} {HOSTILE} was built by Anna Lee{n % 3}.", f"Mill {n} lies in Bonn."],
            "domain": f"{HOSTILE}{n % 2}",
        }
        for n in range(40)
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(row).replace("\\udcff", "?") for row in rows))
    return path


COMMANDS = {
    "density": ["density", "FILE"],
    "density by a field that is not there": ["density", "FILE", "--field", HOSTILE],
    "density as JSON": ["density", "FILE", "--json"],
    "density compared": ["density", "FILE", "--compare", "FILE"],
    "select": ["select", "FILE", "--budget", "5", "--out", f"out{HOSTILE}.parquet"],
    "select as JSON": ["select", "FILE", "--budget", "5", "--out", f"out{HOSTILE}.jsonl", "--json"],
    "select for no target": ["select", "FILE", "--budget", "5", "--target", HOSTILE, "--out", "o.csv"],
    "graph": ["graph", "FILE", "--discipline", "domain", "--json"],
    "a boost": [
        "graph",
        "FILE",
        "--discipline",
        "domain",
        "--boost",
        f"{HOSTILE}=2",
        "--paths",
        "2",
        "--out",
        "p.csv",
    ],
    "verify": ["verify", "FILE"],
    "verify without a field": ["verify", "FILE", "--passage", HOSTILE],
    "verify as JSON": ["verify", "FILE", "--json"],
    "evaluate": ["evaluate", "--benchmark", "FILE", "--answers", "FILE", "--out", f"eval{HOSTILE}"],
    "evaluate on nothing": ["evaluate", "--benchmark", HOSTILE, "--answers", "FILE", "--out", "eval"],
    "run": ["run", "FILE"],
    "doctor": ["doctor", f"{HOSTILE}.yaml"],
    "report": ["report", HOSTILE],
    "target": ["target", HOSTILE],
    "export": ["export", HOSTILE, "--format", "trl", "--out", HOSTILE],
    "export of no format": ["export", HOSTILE, "--format", HOSTILE, "--out", HOSTILE],
    "scaling fit": ["scaling", "fit", "FILE"],
    "scaling plan": ["scaling", "plan", "--law", "FILE", "--params", HOSTILE, "--tokens", "1"],
    "sweep": ["sweep", HOSTILE, "--out", "s", "--arms", HOSTILE],
    "train": ["train", "--model", "m", "--facts", "FILE", "--out", f"t{HOSTILE}"],
    "serve-rules": ["serve-rules", "--fail", HOSTILE],
    "no command": [HOSTILE],
    "no flag": ["density", "FILE", f"--{HOSTILE}"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    file = rows_with_hostile_text(tmp_path / f"rows{HOSTILE}.jsonl")
    code = main([str(file.name) if word == "FILE" else word for word in words])
    shown = capsys.readouterr()
    assert code in (0, 2)
    assert not FORBIDDEN.search(shown.out)
    assert not FORBIDDEN.search(shown.err)
    if code == 2:
        assert shown.err.startswith("kdos: ")
        assert shown.err.count("\n") == 1


def test_a_fault_of_ours_is_shown_in_full_and_harmless(capsys) -> None:
    from kdos.cli import _print_traceback

    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        _print_traceback(type(error), error, error.__traceback__)
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "test_a_fault_of_ours" in shown
    assert not FORBIDDEN.search(shown)
