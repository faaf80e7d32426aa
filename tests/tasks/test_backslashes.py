"""Backslashes that were meant as signs, and escapes that were meant: each stays what it was."""

import json
import time

import pytest

from kdos.tasks.backslashes import double_lone_backslashes
from kdos.tasks.prompt import TEXT, an_object
from kdos.tasks.reading import read_value

ANSWER = an_object(answer=TEXT)
MEANT_AS_SIGNS = [
    *(r"\frac{1}{2}", r"\times 3", r"\theta", r"\nu", r"\beta", r"\rho = 3", r"\nabla f", r"\text{cm}", r"\right)"),
    *(r"\boldsymbol{x}", r"\underline{x}", r"\upsilon", r"\alpha", r"E = h\nu_0", r"\forall x \neq 0", r"a \ne b"),
    *(r"x \not\in A", r"\binom{n}{k}", r"\tfrac12", r"\bar{x} \to \infty", r"\left( \frac{a}{b} \right)", r"\tau_{1}"),
    *(r"\begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix}", r"\rangle", r"\tan(x)", r"\bword\b", r"\textbf{x}", r"\num{5}"),
    *(r"C:\temp\new", r"C:\Users\name\tools\bin", r"C:\Program Files\new tools\bin", r".\bin\run", r"%TMP%\npm\bin"),
    *(r"src\main\test\new.py", r"src\tests\test_new.py", r"\\server\new\tools", r"HKEY_LOCAL_MACHINE\Software\test"),
]
IN_MATHEMATICS_ALONE = [r"x \nmid y", r"\nexists x", r"p \nless q", r"L \nparallel M"]
ESCAPES = [
    *("First line.\nless than that", "a\tb\tc", "name\tvalue", "Zeile eins\num zwei", "Uno\ne due", "One.\n\nTwo."),
    *("flowchart TD\nA-->B\nu-->v", "flowchart TD\n\tu[x] --> tau", "mindmap\n\troot\n\t\tone", "x\r\ny", "A\nNext"),
    *("Costs $5.\nexists for $6", "C:\\temp\\new and\nnext", "path C:\\temp\\x.\nNext", "\\frac{1}{2}\nnew line"),
]


@pytest.mark.parametrize("said", MEANT_AS_SIGNS)
@pytest.mark.parametrize("sentence", ["It is $%s$ of it.", "It is %s here."])
def test_a_backslash_that_was_not_doubled_stays_a_sign(sentence: str, said: str) -> None:
    text = sentence % said
    assert read_value(f'{{"answer": "{text}"}}', ANSWER) == {"answer": text}
    assert read_value(f"{{'answer': '{text}',}}", ANSWER) == {"answer": text}
    assert read_value(json.dumps({"answer": text}), ANSWER) == {"answer": text}


@pytest.mark.parametrize("said", IN_MATHEMATICS_ALONE)
def test_a_command_whose_rest_is_a_word_is_one_between_dollar_signs(said: str) -> None:
    assert read_value(f'{{"answer": "So ${said}$ holds."}}', ANSWER) == {"answer": f"So ${said}$ holds."}


@pytest.mark.parametrize("text", ESCAPES)
def test_line_breaks_and_tabs_stay_what_they_are(text: str) -> None:
    assert read_value(json.dumps({"answer": text}), ANSWER) == {"answer": text}


def test_a_line_break_before_a_capital_letter_ends_a_path() -> None:
    text = r'{"answer": "See C:\temp\x\nNext, \alpha.\nThen"}'
    assert read_value(text, ANSWER) == {"answer": "See C:\\temp\\x\nNext, \\alpha.\nThen"}


@pytest.mark.parametrize(
    "piece", ["\\", "\\n", "$\\nu", "\\(", "a\\t", "C:\\t", "\\\\s", "%a", "a\\b ", "\\b\\\\", "HKEY_"]
)
def test_it_takes_time_linear_in_the_text(piece: str) -> None:
    started = time.process_time()
    double_lone_backslashes("\\f " + piece * (600_000 // len(piece)))
    assert time.process_time() - started < 20
