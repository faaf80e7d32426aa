"""The embedded source: deterministic, safe, and every fact in it true."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from kdos.errors import UsageError
from kdos.pool import Document
from kdos.rules import read_fact
from kdos.seed import pydocs
from kdos.seed.passages import cut_passages


@cache
def documents() -> list[Document]:
    return list(pydocs.read_library_documents())


@cache
def facts() -> list[str]:
    return [line for document in documents() for line in document.text.splitlines() if line]


def untrue(statements: list[str]) -> list[str]:
    """What a checker of its own finds wrong, in a Python that nothing has been done to."""
    oracle = Path(__file__).parents[1] / "oracles" / "standard_library"
    lines = "".join(f"{json.dumps(statement)}\n" for statement in statements)
    done = subprocess.run([sys.executable, "-I", str(oracle)], input=lines.encode(), capture_output=True, check=True)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(verdicts) == len(statements)
    return [problem for found in verdicts for problem in found]


def test_a_document_is_a_module_and_there_are_enough() -> None:
    names = [document.id for document in documents()]
    assert names == sorted(names)
    assert len(names) == len(set(names)) >= 150
    assert len(facts()) >= 17_000
    assert {"json", "builtins", "collections.abc", "email.message"} <= set(names)
    for document in documents():
        assert (document.source, document.licence) == ("pydocs", "PSF-2.0")
        assert document.domain


def test_paragraphs_fit_into_passages_and_hold_one_object() -> None:
    for document in documents():
        assert all(len(block) <= pydocs.PARAGRAPH_SIZE for block in document.text.split("\n\n"))
    passages = [passage for document in documents() for passage in cut_passages(document)]
    lines = [line for passage in passages for line in passage.text.splitlines() if line]
    assert lines == facts(), "no fact is cut in two"


def test_every_line_is_a_fact_of_a_known_relation_and_stands_once() -> None:
    assert [line for line in facts() if read_fact(line) is None] == []
    assert len(set(facts())) == len(facts())


def test_nothing_in_it_depends_on_this_machine() -> None:
    text = "\n".join(facts())
    for trace in (str(Path.home()), sys.prefix, sys.base_prefix, " at 0x"):
        assert trace not in text


def test_another_user_in_another_place_gets_the_same(tmp_path: Path) -> None:
    script = Path(pydocs.__file__).with_name("introspect.py")
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-X", "utf8", str(script)]
    other = {"HOME": str(tmp_path), "TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "USER": "nobody"}
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    here, there = (
        subprocess.run(command, cwd=cwd, env=env, capture_output=True, check=True)
        for cwd, env in ((script.parent, {}), (tmp_path, other))
    )
    assert here.stdout == there.stdout
    assert there.stderr == b""


def test_the_parent_imports_none_of_it_and_nothing_is_written(tmp_path: Path) -> None:
    code = (
        "import sys; from kdos.seed.pydocs import read_library_documents as read; "
        "before = set(sys.modules); count = len(list(read())); new = set(sys.modules) - before; "
        "sys.stdout.write(f'{count} {sorted(n for n in new if n[0] != \"_\")}')"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, check=True)
    count, new = done.stdout.decode().split(" ", 1)
    assert int(count) >= 150
    assert not {"smtplib", "xmlrpc", "imaplib", "idlelib"} & set(re.findall(r"\w+", new))
    assert list(tmp_path.iterdir()) == []


def test_every_hundredth_fact_is_true() -> None:
    assert untrue(facts()[::100]) == []


@pytest.mark.slow
def test_every_fact_is_true() -> None:
    assert untrue(facts()) == []


def test_facts_everyone_knows_are_there() -> None:
    known = [
        "The first parameter of `json.dumps` is `obj`.",
        "The parameter `indent` of `json.dumps` has the default value `None`.",
        "The parameter `indent` of `json.dumps` is keyword-only.",
        "The only base class of `json.JSONDecodeError` is `ValueError`.",
        "The constant `errno.ENOENT` has the value `2`.",
        "The member `NOT_FOUND` of the enumeration `http.HTTPStatus` has the value `404`.",
        "The second field of `urllib.parse.SplitResult` is `netloc`.",
        "`asyncio.sleep` is a coroutine function of the module `asyncio`.",
        "The method `datetime.date.today` is a class method.",
    ]
    assert set(known) <= set(facts())


def test_the_checker_sees_what_is_untrue() -> None:
    wrong = [
        "The first parameter of `json.dumps` is `fp`.",
        "The parameter `indent` of `json.dumps` has the default value `4`.",
        "The parameter `obj` of `json.dumps` is keyword-only.",
        "The only base class of `json.JSONDecodeError` is `OSError`.",
        "The constant `errno.ENOENT` has the value `3`.",
        "`asyncio.sleep` is a function of the module `asyncio`.",
        "The documentation of the function `json.dumps` says “Serialize”.",
        "Nothing of the kind is known.",
    ]
    assert untrue(wrong) == [f"not true: {statement}" for statement in wrong]


def test_what_a_sentence_is() -> None:
    doc = (
        "Do one thing, e.g. this. Then do the other\nthing with `code` in it.\n\n"
        "    indented = code\n\n- a list item that is quite long enough.\n\n"
        "See :func:`other` for the rest of the story."
    )
    assert pydocs.documentation_sentences(doc) == [
        "Do one thing, e.g. this",
        "Then do the other thing with code in it",
    ]
    assert pydocs.documentation_sentences("pop(index) -> item, the last one by default") == []


def test_a_sentence_is_unique_if_four_of_its_words_stand_together_nowhere_else() -> None:
    unique = pydocs.Uniqueness(["Return the sum of all.", "Return the sum of one a b c."])
    assert "Return the sum of" not in unique
    assert "sum of one a b c" in unique


def test_long_objects_are_cut_between_facts() -> None:
    found = ["x" * 300, "y" * 600, "z" * 300, "w" * 1200]
    blocks = list(pydocs.split_into_paragraphs(found))
    assert blocks == ["\n".join(found[:2]), found[2], found[3]]


def test_a_python_that_cannot_be_inspected_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydocs.sys, "executable", "/bin/false")
    with pytest.raises(UsageError, match="must be able to inspect /bin/false"):
        next(pydocs.read_library_documents())
