"""The taxonomies that ship: complete, of different classes, and each subject in one broad discipline."""

import gzip
import re
from pathlib import Path

import orjson
import pytest

from kdos.run.taxonomy import MOST_DESCRIPTION_CHARS, MOST_EXAMPLE_CHARS, MOST_EXAMPLES, MOST_NAME_CHARS
from kdos.taxonomy import SHIPPED, load_shipped

DATA = Path(__file__).parents[2] / "../shared/data/exam"
CHINESE = re.compile("[一-鿿]{2}")


@pytest.mark.parametrize(("name", "count"), [("broad", 13), ("mmlu", 57), ("cmmlu", 67)])
def test_each_has_its_classes_with_texts_of_their_own(name, count):
    classes = load_shipped(name).classes
    assert len({one.name for one in classes}) == len(classes) == count
    texts = [text for one in classes for text in one.texts]
    assert all(text == text.strip() and text for text in texts)
    descriptions = [one.description for one in classes]
    assert len(set(descriptions)) == count
    for one in classes:
        assert len(one.name) <= MOST_NAME_CHARS and len(one.description) <= MOST_DESCRIPTION_CHARS
        assert 5 <= len(one.examples) <= MOST_EXAMPLES and len(set(one.examples)) == len(one.examples)
        assert max(map(len, one.examples)) <= MOST_EXAMPLE_CHARS


def test_every_subject_is_a_part_of_one_broad_discipline_and_each_has_some():
    broad = load_shipped("broad")
    subjects = [*load_shipped("mmlu").classes, *load_shipped("cmmlu").classes]
    assert list(broad.subjects) == subjects
    assert {one.broad for one in subjects} == set(broad.names)
    assert {one.broad for one in load_shipped("mmlu").classes} == set(broad.names)


def test_chinese_stands_in_what_is_to_find_chinese():
    for name in ("cmmlu", "broad"):
        for one in load_shipped(name).classes:
            assert CHINESE.search(one.description.splitlines()[1]), one.name
            assert one.short_description.isascii()
    for one in load_shipped("cmmlu").classes:
        assert not any(example.isascii() for example in one.examples), one.name


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "broad"])
@pytest.mark.skipif(not DATA.exists(), reason="needs the development data")
def test_subjects_are_spelled_as_the_benchmark_spells_them(name):
    with gzip.open(DATA / f"{name}.jsonl.gz") as file:
        assert {orjson.loads(line)["subject"] for line in file} == set(load_shipped(name).names)
