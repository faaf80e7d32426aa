"""The taxonomy that a configuration names: one that ships, or a user's file of classes, read strictly."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import yaml

from kdos.config import Config, TaxonomyConfig
from kdos.errors import ConfigError, InputError
from kdos.rows import list_table_files, read_records, record_error, row_unit
from kdos.run.prompts import list_items, read_small_text
from kdos.taxonomy import SHIPPED, Taxonomy, TaxonomyClass, load_shipped

YAML_SUFFIXES = (".yaml", ".yml")
CLASS_FIELDS = ("name", "description", "examples")
MOST_FILE_BYTES = 1 << 20
LEAST_CLASSES, MOST_CLASSES = 2, 1000
MOST_CLASSES_ASKED = 200
"""Where a model finds the class: every request holds all of them."""
MOST_NAME_CHARS, MOST_DESCRIPTION_CHARS, MOST_EXAMPLES, MOST_EXAMPLE_CHARS = 100, 2_000, 100, 1_000
"""Of one class; what ships has half of that at most (our choice)."""
SHOWN_NAMES = 20
Fault = Callable[..., InputError]
"""Makes the error of one class from a message and, where it is one, its field."""


def read_taxonomy(config: Config) -> Taxonomy | None:
    """The classes that a configuration names, of which its `disciplines` are some; None where it names none.

    Raises:
        ConfigError: There is no such taxonomy, or a discipline is none of its classes.
        InputError: The file of classes cannot be used.
    """
    if config.taxonomy is None:
        return None
    found = _open_taxonomy(config.taxonomy)
    for name in config.disciplines:
        if name not in found.names:
            raise ConfigError(
                f"`disciplines` must be classes of the taxonomy {config.taxonomy.classes}. Got {name!r}. "
                f"{_suggest_name(name, found.names)}"
            )
    return found


def taxonomy_file(config: Config) -> str | None:
    """The file of a user's own classes, where the configuration names one."""
    named = config.taxonomy and config.taxonomy.classes
    return named if named and named not in SHIPPED else None


def _suggest_name(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    shown = list(islice(known, SHOWN_NAMES + 1))
    more = ", …" if len(shown) > SHOWN_NAMES else ""
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(shown[:SHOWN_NAMES])}{more}."


def _open_taxonomy(settings: TaxonomyConfig) -> Taxonomy:
    if settings.classes in SHIPPED:
        return load_shipped(settings.classes)
    path = Path(settings.classes)
    if not path.exists() and path.suffix == "":
        kinds = f"{', '.join(SHIPPED)} or a file of classes"
        raise ConfigError(
            f"`taxonomy` must be {kinds}. Got {settings.classes!r}. {_suggest_name(settings.classes, SHIPPED)}"
        )
    classes = read_classes(path)
    if settings.by == "model" and len(classes) > MOST_CLASSES_ASKED:
        most = f"must hold at most {MOST_CLASSES_ASKED} classes where a model finds them. Got {len(classes):,}"
        raise InputError.at(path, f"{most}. Take some out, or set taxonomy.by to embedding")
    return Taxonomy(tuple(classes))


def read_classes(path: Path) -> list[TaxonomyClass]:
    """The classes in a file: a YAML list, or a table (JSON, JSONL, CSV, TSV), of `CLASS_FIELDS`.

    Raises:
        InputError: It cannot be read, or holds too few, too many or too large classes, or two of one name.
    """
    text = read_small_text(path, most=MOST_FILE_BYTES)
    rows = _read_yaml_rows(text, path) if path.suffix.lower() in YAML_SUFFIXES else _read_table_rows(path)
    found: dict[str, TaxonomyClass] = {}
    for fault, row in rows:
        one = _read_class(row, fault)
        if (key := one.name.casefold()) in found:
            raise fault(f"must be different in every class. Got {one.name!r} twice. Take one out", field="name")
        found[key] = one
    if len(found) < LEAST_CLASSES:
        raise InputError.at(path, f"must hold at least {LEAST_CLASSES} classes. Got {len(found)}. Add some")
    return list(found.values())


def _read_table_rows(path: Path) -> Iterator[tuple[Fault, Mapping[str, Any]]]:
    """Each row with what makes an error of it."""
    list_table_files(path)  # refuses a file of another kind
    unit = row_unit(path)
    with closing(read_records(path)) as records:
        for number, record in enumerate(records):
            _check_count(path, number)
            yield partial(_table_fault, path, position=record.position, unit=unit), record.row


def _table_fault(path: Path, message: str, *, position: int, unit: str, field: str | None = None) -> InputError:
    return record_error(path, message, position=position, unit=unit, field=field)


def _check_count(path: Path, number: int) -> None:
    if number >= MOST_CLASSES:
        raise InputError.at(path, f"must hold at most {MOST_CLASSES:,} classes. Got more. Take some out")


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which no mapping names a key twice; PyYAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"{twice} stands there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _read_yaml_rows(text: str, path: Path) -> Iterator[tuple[Fault, Mapping[str, Any]]]:
    try:
        value: Any = yaml.load(text, _StrictLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "It cannot be read"
        raise InputError.at(path, f"must be YAML. {problem}", line=None if mark is None else mark.line + 1) from error
    if not isinstance(value, list):
        raise InputError.at(path, "must be a list of classes, as in - {name: law, description: Courts and statutes.}")
    for number, row in enumerate(cast("list[Any]", value)):
        _check_count(path, number)
        fault = partial(_table_fault, path, position=number + 1, unit="class")
        if not isinstance(row, dict):
            raise fault("must be a mapping with a name. Got something else")
        yield fault, cast("dict[str, Any]", row)


def _read_class(row: Mapping[str, Any], fault: Fault) -> TaxonomyClass:
    """One class; `fault` makes the error that names its place."""
    for key in row:
        if key not in CLASS_FIELDS:
            near = _suggest_name(str(key), CLASS_FIELDS)
            raise fault(f"a class has no field {key!r}. {near}")
    name = _read_text(row, "name", fault, most=MOST_NAME_CHARS)
    description = _read_text(row, "description", fault, most=MOST_DESCRIPTION_CHARS)
    if not name or len(name.splitlines()) > 1:
        raise fault("must be one line of text in every class. Got none, or several. Give it one", field="name")
    examples = list_items(row.get("examples"))
    if not all(isinstance(one, str) and one.strip() and len(one) <= MOST_EXAMPLE_CHARS for one in examples):
        limit = f"must be texts of at most {MOST_EXAMPLE_CHARS:,} characters"
        raise fault(f"{limit}. One of them is none, or longer. Mend it", field="examples")
    if len(examples) > MOST_EXAMPLES:
        raise fault(f"must be at most {MOST_EXAMPLES}. Got {len(examples):,}. Take some out", field="examples")
    return TaxonomyClass(name, description, tuple(one.strip() for one in examples))


def _read_text(row: Mapping[str, Any], field: str, fault: Fault, *, most: int) -> str:
    """A field's text, empty where it is not there."""
    value = row.get(field)
    text = "" if value is None else value
    if not isinstance(text, str) or len(text) > most:
        raise fault(f"must be text of at most {most:,} characters. Got something else, or more. Mend it", field=field)
    return text.strip()
