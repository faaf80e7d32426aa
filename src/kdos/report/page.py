"""The page: records and a template in, one self-contained HTML file out."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from jinja2 import Environment, FunctionLoader, StrictUndefined

from kdos.artifacts import RunFolder
from kdos.errors import InputError
from kdos.logic import LEVELS
from kdos.outputs import is_run_folder
from kdos.package_data import read_package_text
from kdos.report import charts, panels, samples, tables
from kdos.report.point_map import build_map_layers, pack_map_layers
from kdos.report.saved_run import SavedRun, read_saved_run
from kdos.store import Seal, atomic_file
from kdos.version import __version__

REFRESH_SECONDS = 10
MAX_WRITING_SHARE = 0.05
"""The share of a run's time that writing its page may take (our design)."""
D3_MODULES = (
    *("d3-dispatch", "d3-timer", "d3-ease", "d3-color", "d3-interpolate"),
    *("d3-selection", "d3-drag", "d3-transition", "d3-zoom"),
)
"""The map's gestures; each file needs those before it. Licences: `vendor/LICENSES.txt`."""


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """The page, its size in bytes, and the figures beside it."""

    page: Path
    size: int
    figures: list[Path]


def write_report(run: Path, *, png: bool = False) -> WrittenReport:
    """Write the page of a run, finished or not, and with `png` its figures.

    Raises:
        InputError: The folder is no run.
        StoreError: A file of the run is damaged.
    """
    artefacts = read_saved_run(run)
    folder = RunFolder(run)
    path = folder.page
    _refuse_foreign_page(run, path)
    # A run of an older kdos has no checksums, and gets none for a single file.
    seal = folder.seal if folder.checksums.exists() else None
    page = render_page(artefacts).encode()
    _write_whole_file(path, page, seal)
    figures: dict[str, bytes] = {}
    if png:
        # Matplotlib is slow to load, and the page does without it.
        from kdos.report.figures import draw_png_figures

        figures = draw_png_figures(artefacts)
    for name, data in figures.items():
        _write_whole_file(path.with_name(name), data, seal)
    return WrittenReport(path, len(page), [path.with_name(name) for name in figures])


def _refuse_foreign_page(run: Path, page: Path) -> None:
    """Refuse to replace a page, or to write where a link leads, in a folder that no run made."""
    if page.parent.is_symlink() or page.is_symlink() or (page.exists() and not is_run_folder(run)):
        raise InputError(f"RUN must be a run that wrote its report itself. {page} is not its own. Move it away.")


class LivePage:
    """A run's page that keeps itself new, but not more often than a reader's page reloads."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.due = 0.0

    def refresh(self) -> None:
        """Write the page, if the last one is old enough."""
        begun = monotonic()
        if begun < self.due:
            return
        write_report(self.run)
        ended = monotonic()
        self.due = ended + max(REFRESH_SECONDS, (ended - begun) / MAX_WRITING_SHARE)


def render_page(run: SavedRun) -> str:
    """The page of a run, finished or not."""
    layers = build_map_layers(run)
    style, script = _read_page_asset("page.css"), _read_page_asset("map.js")
    library = _read_d3_modules()
    # Every value is escaped, and a name that is not there is an error.
    loader = FunctionLoader(_read_page_asset)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.get_template("page.html")
    return template.render(
        run=run,
        format_number=tables.format_number,
        format_distance=tables.format_distance,
        format_share=tables.format_share,
        headline=tables.build_headline(run),
        panels=panels.build_panel_rows(run),
        loops=[(name, loop) for name, loop in (("steered", run.loop), ("blind", run.blind)) if loop and loop.parts],
        coverage=charts.build_coverage_chart(run),
        kl=charts.build_kl_chart(run),
        tv=charts.build_tv_chart(run),
        fullness=charts.build_fullness_chart(run),
        comparison=tables.compare_with_blind_run(run),
        draft_outcomes=tables.tabulate_draft_outcomes(run.loop),
        levels=tables.tabulate_levels(run),
        level_names=LEVELS,
        cells=tables.tabulate_cells(run),
        layers=layers,
        points=pack_map_layers(layers),
        examples=samples.build_shown_samples(run),
        balance=tables.tabulate_stages(run.summary),
        costs=tables.tabulate_costs(run),
        style=style,
        script=script,
        library=library,
        policy=_content_security_policy(style, script, library),
        refresh_seconds=REFRESH_SECONDS,
        version=__version__,
    )


def _content_security_policy(style: str, *scripts: str) -> str:
    """The page's Content-Security-Policy: its own style and scripts, and nothing else at all."""
    allowed = " ".join(f"'{_csp_source_hash(script)}'" for script in scripts)
    return (
        f"default-src 'none'; style-src '{_csp_source_hash(style)}'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _csp_source_hash(text: str) -> str:
    # A policy knows an inline text by its hash; the text must be put into the page unchanged.
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read_d3_modules() -> str:
    # The licences go wherever the library goes.
    licences = _read_page_asset("vendor/LICENSES.txt")
    modules = [_read_page_asset(f"vendor/{name}.min.js") for name in D3_MODULES]
    return f"/*\n{licences}*/\n" + "\n".join(modules)


def _read_page_asset(name: str) -> str:
    return read_package_text("kdos.report", name)


def _write_whole_file(path: Path, data: bytes, seal: Seal | None) -> None:
    with atomic_file(path, seal=seal) as file:
        file.write(data)
