"""The page: records and a template in, one self-contained HTML file out."""

import base64
import hashlib

from jinja2 import Environment, FunctionLoader, StrictUndefined

from kdos.package_data import read_package_text
from kdos.report import sections, tables
from kdos.report.artefacts import Artefacts
from kdos.report.atlas import map_layers, packed
from kdos.report.wording import figure, percent
from kdos.version import __version__

REFRESH_SECONDS = 10
LIBRARY = (
    "d3-dispatch",
    "d3-timer",
    "d3-ease",
    "d3-color",
    "d3-interpolate",
    "d3-selection",
    "d3-drag",
    "d3-transition",
    "d3-zoom",
)
"""The map's gestures; each file needs those before it. Licences: `vendor/LICENSES.txt`."""


def render_page(run: Artefacts) -> str:
    """The page of a run, finished or not."""
    layers = map_layers(run)
    style, script, library = asset("page.css"), asset("map.js"), vendored()
    template = environment().get_template("page.html")
    return template.render(
        run=run,
        figure=figure,
        percent=percent,
        headline=sections.headline(run),
        panels=sections.panel_rows(run),
        kl=sections.kl_chart(run),
        tv=sections.tv_chart(run),
        fullness=sections.fullness(run),
        comparison=sections.comparison(run),
        fates=tables.fates(run.loop),
        cells=tables.cell_tables(run),
        layers=layers,
        points=packed(layers),
        examples=sections.examples(run),
        balance=tables.balance(run.summary),
        costs=tables.costs(run.summary),
        style=style,
        script=script,
        library=library,
        policy=policy(style, script, library),
        refresh_seconds=REFRESH_SECONDS,
        version=__version__,
    )


def environment() -> Environment:
    """The template engine: every value is escaped, and a name that is not there is an error."""
    return Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def policy(style: str, *scripts: str) -> str:
    """The page's Content-Security-Policy: its own style and scripts, and nothing else at all."""
    allowed = " ".join(f"'{fingerprint(script)}'" for script in scripts)
    return (
        f"default-src 'none'; style-src '{fingerprint(style)}'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def fingerprint(text: str) -> str:
    """The hash by which a Content-Security-Policy knows an inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def vendored() -> str:
    """The library with its licences, which go wherever it goes."""
    licences = asset("vendor/LICENSES.txt")
    return f"/*\n{licences}*/\n" + "\n".join(asset(f"vendor/{name}.min.js") for name in LIBRARY)


def asset(name: str) -> str:
    """A file that lies beside this one."""
    return read_package_text("kdos.report", name)
