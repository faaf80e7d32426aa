"""Results as HTML, for notebooks; every text is escaped."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from kdos.density import CellView

SHOWN_ROWS = 5
"""Rows of a table, and cells of each kind, in a notebook's view."""
SHOWN_CHARS = 160
"""Characters of a text in a notebook's view."""


def facts_table(values: Mapping[str, Any]) -> str:
    """Names and values as an HTML table."""
    rows = [(name, f"{v:,.4g}" if isinstance(v, float) else v) for name, v in values.items()]
    return html_table(["", ""], rows)


def cells_table(title: str, views: Sequence[CellView]) -> str:
    """Cells with what they are about, as HTML."""
    rows = [(v.cell, v.count, f"{v.log10_density:.2f}", " ".join(v.terms), " · ".join(v.examples)) for v in views]
    return html_table([f"{title} cell", "rows", "log10 density", "words", "examples"], rows)


def rows_table(rows: pa.Table) -> str:
    """A few rows of a dataset as HTML."""
    return html_table(rows.column_names, [tuple(row.values()) for row in rows.to_pylist()])


def html_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An HTML table; every text in it is escaped."""

    def cell(tag: str, value: Any) -> str:
        text = str(value)
        shown = text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
        return f"<{tag}>{html.escape(shown)}</{tag}>"

    head = "".join(cell("th", name) for name in heads)
    body = "".join(f"<tr>{''.join(cell('td', value) for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figure_image(figure: Any) -> str:
    """A Matplotlib figure as an HTML image."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    code = base64.b64encode(data.getvalue()).decode()
    return f'<img alt="" src="data:image/png;base64,{code}">'
