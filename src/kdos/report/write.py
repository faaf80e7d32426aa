"""`report/` of a run: the page, and figures for a paper."""

from dataclasses import dataclass
from pathlib import Path

from kdos.report.artefacts import Artefacts, read_run
from kdos.report.page import render_page
from kdos.store import whole_file


@dataclass(frozen=True, slots=True)
class Written:
    """The page, its size in bytes, and the figures beside it."""

    page: Path
    size: int
    figures: list[Path]


def write_report(run: Path, *, png: bool = False) -> Written:
    """Write the page of a run, finished or not, and with `png` its figures.

    Raises:
        InputError: The folder is no run.
    """
    artefacts = read_run(run)
    folder = run / "report"
    page = render_page(artefacts).encode()
    write(folder / "index.html", page)
    figures = drawn(artefacts) if png else {}
    for name, data in figures.items():
        write(folder / name, data)
    return Written(folder / "index.html", len(page), [folder / name for name in figures])


def drawn(artefacts: Artefacts) -> dict[str, bytes]:
    """The figures by file name; Matplotlib is slow to load, and the page does without."""
    from kdos.report.figures import draw_figures

    return draw_figures(artefacts)


def write(path: Path, data: bytes) -> None:
    """Write one file, whole or not at all."""
    with whole_file(path) as file:
        file.write(data)
