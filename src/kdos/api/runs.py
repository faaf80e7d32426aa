"""Runs from Python: make one, look at it, write its report."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import pyarrow as pa
import yaml

from kdos.api.html import SHOWN_ROWS, facts_table, figure_image, rows_table
from kdos.artifacts import RunFolder
from kdos.config import Config, read_config
from kdos.errors import ConfigError, InputError
from kdos.export import read_samples
from kdos.outputs import check_output_folder
from kdos.report import WrittenReport, write_report
from kdos.run import describe_result
from kdos.run import run_config as run_config
from kdos.run.forecast import Forecast, foretell_run
from kdos.store import read_json_file


@overload
def run(
    config: Config | Mapping[str, Any] | str | Path,
    out: str | Path,
    *,
    samples: int | None = None,
    cache: str | Path | None = None,
    dry_run: Literal[False] = False,
) -> "RunResult": ...


@overload
def run(
    config: Config | Mapping[str, Any] | str | Path,
    out: str | Path,
    *,
    samples: int | None = None,
    cache: str | Path | None = None,
    dry_run: Literal[True],
) -> Forecast: ...


def run(
    config: Config | Mapping[str, Any] | str | Path,
    out: str | Path,
    *,
    samples: int | None = None,
    cache: str | Path | None = None,
    dry_run: bool = False,
) -> "RunResult | Forecast":
    """Turn a source into a balanced dataset, as a configuration says; the same again resumes.

    Args:
        config: A configuration, the mapping that YAML gives, or the path of a YAML file.
        out: The run's folder; made where it is not there.
        samples: How many samples to make at most, in place of `budget.samples`.
        cache: A ledger that several runs share: what it holds is not asked, or paid for, again.
        dry_run: Foretell what the run comes to instead: no model is asked, and nothing is written.

    Raises:
        ConfigError: A key or value is wrong, or `out` holds a run with another configuration.
        InputError: The source cannot be read.
    """
    read = [Path(config)] if isinstance(config, str | Path) else []
    folder = check_output_folder(out)
    chosen = override_config(read_any_config(config, folder), samples=samples)
    if dry_run:
        return foretell_run(chosen, folder, read=read)
    run_config(chosen, folder, cache=None if cache is None else Path(cache), read=read)
    return RunResult(folder)


def override_config(config: Config, *, samples: int | None = None, workers: int | None = None) -> Config:
    """The configuration with what was said beside it, as if it stood there; None leaves it as it is.

    Raises:
        ConfigError: A value is of the wrong type or range.
    """
    value = config.to_dict()
    if samples is not None:
        value["budget"]["samples"] = samples
    if workers is not None:
        value["workers"] = workers
    return read_config(value)


def read_any_config(config: Config | Mapping[str, Any] | str | Path, out: Path) -> Config:
    """The configuration that any of these stands for, of a run in `out`."""
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return read_config(RunFolder(out).keep_former_defaults(config))
    return load_config(Path(config), out)


def load_config(path: Path, out: Path | None = None) -> Config:
    """The configuration in a YAML file, of a run in `out`.

    Raises:
        InputError: There is no such file, or it is no YAML.
        ConfigError: A key or value is wrong; the message names the file.
    """
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.at(path, f"must be a YAML file. {error}") from error
    except yaml.YAMLError as error:
        # What stands in the line is not shown: it may be a key.
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "It cannot be read"
        line = None if mark is None else mark.line + 1
        raise InputError.at(path, f"must be YAML. {problem}", line=line) from error
    try:
        if out is not None and isinstance(value, Mapping):
            value = RunFolder(out).keep_former_defaults(value)
        return read_config(value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


@dataclass(frozen=True)
class RunResult:
    """A finished run's folder, read where it is asked for."""

    path: Path

    def __repr__(self) -> str:
        return (
            f"RunResult({str(self.path)!r}: {describe_result(self.summary)}; stopped by {self.summary['stop_reason']})"
        )

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``kdos run`` prints."""
        return read_json_file(RunFolder(self.path).summary)

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return RunFolder(self.path).page

    def samples(self) -> pa.Table:
        """The samples: question, answer, knowledge points, logic, evidence and provenance."""
        return read_samples(self.path)

    def kl_by_part(self) -> list[float]:
        """KL to the target in nats after each part."""
        return [each["kl"] for each in RunFolder(self.path).read_part_facts()]

    def distinct_by_samples(self) -> list[tuple[int, int]]:
        """Samples, and distinct knowledge points of the source that they hold, after each part."""
        facts = RunFolder(self.path).read_part_facts()
        return [(each["samples"], each["distinct"]) for each in facts if "distinct" in each]

    def plot(self) -> Any:
        """A Matplotlib figure: distinct knowledge points over samples, and the gap by part with its noise floor."""
        from matplotlib.figure import Figure  # slow to load

        kl, held = self.kl_by_part(), [(0, 0), *self.distinct_by_samples()]
        figure = Figure(figsize=(10, 3.5), layout="constrained")
        coverage, axes = figure.subplots(1, 2)
        coverage.plot(*zip(*held, strict=True), marker="o")
        coverage.set(xlabel="samples", ylabel="distinct knowledge points")
        axes.plot(range(1, len(kl) + 1), kl, marker="o")
        axes.axhline(self.summary["kl_floor"], linestyle="--", color="0.5", label="noise floor")
        axes.set(xlabel="part", ylabel="KL to the target, nats", yscale="log")
        axes.legend()
        return figure

    def _repr_html_(self) -> str:
        shown = {key: value for key, value in self.summary.items() if not isinstance(value, dict)}
        samples = rows_table(self.samples().slice(0, SHOWN_ROWS))
        headline = f"<p>{html.escape(describe_result(self.summary))}</p>"
        return headline + facts_table(shown) + figure_image(self.plot()) + samples


def report(run: str | Path, *, png: bool = False) -> WrittenReport:
    """Write the page ``report/index.html`` of a run, finished or still going.

    With `png` the figures are written as PNG files beside it.

    Raises:
        InputError: The folder is no run.
        DamageError: A file of the run is not as it was written.
    """
    RunFolder(Path(run)).require_intact()
    return write_report(Path(run), png=png)
