"""Is a sample about the standard library true? Found out by introspection alone.

Shares no code with kdos: the sentences and questions are read with patterns of this folder's own,
and every value is derived anew from the running Python. Run with ``python -I`` and the folder,
since test runners change the library: it reads a line of JSON for each sample from stdin, a text
for a single statement, and writes what is wrong with it, a list, to stdout.
"""

import json
import re
import sys
from collections.abc import Iterator

from homes import find_homes, topics_in, write_full_names
from introspection import Fields, derive_values
from library import Names, find_documented
from patterns import QUESTIONS, STATEMENTS


def find_errors(question: str, answer: str, knowledge_points: list[str]) -> list[str]:
    """What is untrue of a sample: nothing, if all is well."""
    found = [f"not true: {point}" for point in knowledge_points if not is_true(point)]
    answers = right_answers(question)
    if not answers or any(answer not in names for names in answers):
        found.append(f"{question} -> {[sorted(names) for names in answers]}, not {answer}")
    return found


def is_true(statement: str) -> bool:
    """Does introspection find what the sentence says?"""
    for relation, pattern in STATEMENTS.items():
        if match := re.fullmatch(pattern + r"\.", statement):
            fields = {name: text for name, text in match.groupdict().items() if text is not None}
            if relation == "documented":
                found = find_documented(fields["value"], fields["noun"])
                return len(found) == 1 and fields["topic"] in found[0]
            return any(fields["value"] in names for names in derive_values(relation, fields))
    return False


def right_answers(question: str) -> list[Names]:
    """Every answer that introspection finds to the question, whichever way it can be read."""
    plain = write_full_names(question)
    homes = find_homes(plain)
    answers: list[Names] = []
    for relation, pattern in QUESTIONS:
        for match in re.finditer(pattern, plain, re.IGNORECASE):
            fields = {name: text for name, text in match.groupdict().items() if text is not None}
            answers += answer_reading(relation, fields, homes)
    return answers


def answer_reading(relation: str, fields: Fields, homes: list[str]) -> Iterator[Names]:
    """The answers to one reading of a question."""
    if relation == "documented":
        yield from find_documented(fields["it"], fields["noun"].lower())
    elif "trait" in fields:
        for names in find_documented(fields.pop("trait"), fields.pop("noun").lower()):
            yield from derive_values(relation, fields | {"topic": min(names)})
    else:
        for topic in topics_in(homes, fields["topic"]):
            yield from derive_values(relation, fields | {"topic": topic})


def main() -> None:
    """Judge every line of stdin."""
    for line in sys.stdin:
        sample = json.loads(line)
        if isinstance(sample, str):
            found = [] if is_true(sample) else [f"not true: {sample}"]
        else:
            found = find_errors(sample["question"], sample["answer"], sample["knowledge_points"])
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
