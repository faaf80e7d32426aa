"""Documents of many kinds, made on the spot out of doc strings of Python's library, each with its words in order."""

import html
import importlib
import inspect
import json
import re
import textwrap
import zipfile

MODULES = "argparse json logging csv textwrap statistics fractions difflib decimal heapq random shutil tempfile calendar bisect"
SECTIONS, TABLE_ROWS = 40, 8
MENU = "".join(f'<li><a href="#{n}">Menu entry {n}</a></li>' for n in range(12))
TABLE_HEAD = ["Name", "Words", "First sentence"]


def library_texts(count=10):
    """Modules with their functions and classes, each with the paragraphs of its doc string."""
    found = [(name, _sections(name)) for name in MODULES.split()]
    return [(name, sections) for name, sections in found if len(sections) >= 5][:count]


def _sections(name):
    module = importlib.import_module(name)
    parts = [(name, module), *sorted(vars(module).items())]
    found = [(key, _paragraphs(value)) for key, value in parts if _belongs(key, value, module)]
    return [(key, paragraphs) for key, paragraphs in found if paragraphs][:SECTIONS]


def _belongs(key, value, module):
    if key.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value) or value is module):
        return False
    return value is module or getattr(value, "__module__", "").partition(".")[0] == module.__name__


def _paragraphs(value):
    parts = (" ".join(part.split()) for part in re.split(r"\n\s*\n", inspect.getdoc(value) or ""))
    plain = (part for part in parts if len(part.split()) > 6 and part.isascii() and ">>>" not in part)
    # What a format would take for its own marks is no question of how it is read.
    return [re.sub(r"[\\*_`{}|<>$%^~#&\[\]=]", "", part) for part in plain]


def table_rows(sections):
    rows = [
        [key, str(len(" ".join(parts).split())), parts[0].split(". ")[0][:60]] for key, parts in sections[:TABLE_ROWS]
    ]
    return [TABLE_HEAD, *rows]


def expected_words(sections, kind):
    """What a reader has to find, in order."""
    said = [" ".join([key, *parts]) for key, parts in sections]
    if kind not in WITHOUT_TABLE:
        said += [" ".join(row) for row in table_rows(sections)]
    return words_of(" ".join(said))


def words_of(text):
    return re.findall(r"\w+", text)


def write_docx(path, name, sections):
    import docx

    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "A running title"
    document.add_heading(name, 0)
    for key, parts in sections:
        document.add_heading(key, 1)
        for part in parts:
            document.add_paragraph(part)
    rows = table_rows(sections)
    table = document.add_table(len(rows), len(TABLE_HEAD))
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.save(path)


def write_pptx(path, name, sections):
    import pptx
    from pptx.util import Inches

    deck = pptx.Presentation()
    for key, parts in sections:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = key, "\n".join(parts)
    rows = table_rows(sections)
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    table = slide.shapes.add_table(len(rows), len(TABLE_HEAD), Inches(1), Inches(1), Inches(8), Inches(4)).table
    for place, cells in enumerate(rows):
        for column, text in enumerate(cells):
            table.cell(place, column).text = text
    deck.save(path)


def write_xlsx(path, name, sections):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = name
    for key, parts in sections:
        book.active.append([key, *parts])
    book.save(path)


def _page(sections):
    body = "".join(
        f"<h2>{html.escape(key)}</h2>{''.join(f'<p>{html.escape(part)}</p>' for part in parts)}"
        for key, parts in sections
    )
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in table_rows(sections)
    )
    return f"{body}<table>{rows}</table>"


def write_html(path, name, sections):
    path.write_text(
        f"<!DOCTYPE html><html><head><title>{name}</title><meta charset='utf-8'><script>var a = 1;</script></head><body>"
        f"<nav><ul>{MENU}</ul></nav><header>Site header</header><main>{_page(sections)}</main>"
        "<footer>Copyright notice. Privacy policy</footer></body></html>"
    )


def write_epub(path, name, sections):
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{name}</dc:title><dc:language>en</dc:language>'
        '<dc:identifier id="i">x</dc:identifier></metadata><manifest><item id="a" href="a.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
        'full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{name}</title></head><body>{_page(sections)}</body></html>'
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", container)
        book.writestr("c.opf", package)
        book.writestr("a.xhtml", page)


def write_pdf(path, name, sections, columns=1):
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table

    styles = getSampleStyleSheet()
    small = styles["Normal"].clone("small", fontSize=7)
    margin, gap = 60, 20
    width = (A4[0] - 2 * margin - gap * (columns - 1)) / columns
    frames = [Frame(margin + n * (width + gap), 50, width, 750, 0, 0, 0, 0) for n in range(columns)]

    def draw_furniture(canvas, document):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(margin, 820, f"Manual of {name}")
        canvas.drawCentredString(A4[0] / 2, 20, f"Page {document.page}")

    document = BaseDocTemplate(str(path), pagesize=A4)
    document.addPageTemplates(PageTemplate(frames=frames, onPage=draw_furniture))
    flow = []
    for key, parts in sections:
        flow.append(Paragraph(html.escape(key), styles["Heading2"]))
        flow += [Paragraph(html.escape(part), styles["Normal"]) for part in parts]
    cells = [[Paragraph(html.escape(cell), small) for cell in row] for row in table_rows(sections)]
    flow.append(Table(cells, colWidths=[0.3 * width, 0.15 * width, 0.55 * width]))
    document.build(flow)


def write_two_columns(path, name, sections):
    write_pdf(path, name, sections, columns=2)


def write_text(path, name, sections):
    """Prose broken at 72 columns."""
    parts = (
        f"{key}\n{'-' * len(key)}\n\n" + "\n\n".join(textwrap.fill(part, 72) for part in parts)
        for key, parts in sections
    )
    path.write_text("\n\n".join(parts))


def write_markdown(path, name, sections):
    rows = [f"| {' | '.join(row)} |" for row in table_rows(sections)]
    parts = (f"## {key}\n\n" + "\n\n".join(textwrap.fill(part, 72) for part in parts) for key, parts in sections)
    path.write_text("\n\n".join([*parts, "\n".join([rows[0], "|---|---|---|", *rows[1:]])]))


def write_rst(path, name, sections):
    rows = "\n".join(f"   * - {row[0]}\n     - {row[1]}\n     - {row[2]}" for row in table_rows(sections))
    parts = (
        f"{key}\n{'=' * len(key)}\n\n" + "\n\n".join(textwrap.fill(part, 72) for part in parts)
        for key, parts in sections
    )
    path.write_text("\n\n".join([*parts, f".. list-table::\n\n{rows}\n"]))


def write_latex(path, name, sections):
    rows = " \\\\\n".join(" & ".join(row) for row in table_rows(sections))
    parts = (f"\\section{{{key}}}\n\n" + "\n\n".join(parts) for key, parts in sections)
    body = "\n\n".join([*parts, f"\\begin{{tabular}}{{lll}}\n{rows}\n\\end{{tabular}}"])
    path.write_text(f"\\documentclass{{article}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n")


def write_manual(path, name, sections):
    parts = (f".SH {key}\n" + "".join(f".PP\n{_roff(part)}\n" for part in parts) for key, parts in sections)
    path.write_text(f".TH {name.upper()} 3\n" + "".join(parts))


def _roff(part):
    return "\n".join(f"\\&{line}" if line[0] in ".'" else line for line in textwrap.wrap(part, 72))


def write_notebook(path, name, sections):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": f"## {key}\n\n" + "\n\n".join(parts)}
        for key, parts in sections
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


KINDS = {
    "docx": write_docx,
    "pptx": write_pptx,
    "xlsx": write_xlsx,
    "html": write_html,
    "epub": write_epub,
    "pdf": write_pdf,
    "columns.pdf": write_two_columns,
    "txt": write_text,
    "md": write_markdown,
    "rst": write_rst,
    "tex": write_latex,
    "3": write_manual,
    "ipynb": write_notebook,
}
WITHOUT_TABLE = frozenset(("xlsx", "txt", "3", "ipynb"))
