"""What readers of documents find of ten files of each kind, made on the spot: words in order, headings, tables, speed.

    python benchmarks/document_readers.py --python markitdown=venvs/markitdown/bin/python

Found: the longest sequence of words that the file says and the reader gives in the same order, as a share of what the file
says. Given: the same as a share of what the reader gives; what is missing are menus, running titles and page numbers.
Headings: the share of headings that stand as a line of their own. Each reader runs in a process of its own, with the
Python given for it; imports are not counted. Needs python-docx, python-pptx, openpyxl, reportlab and rapidfuzz.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from document_files import KINDS, expected_words, library_texts, words_of


def read_kdos():
    from kdos.documents import document_kind, read_document
    from kdos.rows import uncompressed_suffix

    return lambda path: read_document(path, document_kind(path, uncompressed_suffix(path))).text


def read_markitdown():
    from markitdown import MarkItDown

    convert = MarkItDown().convert
    return lambda path: convert(str(path)).text_content


def read_kreuzberg():
    from kreuzberg import extract_file_sync

    return lambda path: extract_file_sync(str(path)).content


def read_unstructured():
    from unstructured.partition.auto import partition

    return lambda path: "\n\n".join(map(str, partition(str(path), strategy="fast")))


def read_pdfplumber():
    import pdfplumber

    def read(path):
        if path.suffix != ".pdf":
            raise ValueError("PDF alone")
        with pdfplumber.open(path) as book:
            return "\n".join(page.extract_text() or "" for page in book.pages)

    return read


READERS = {
    "kdos": (read_kdos, ("pypandoc-binary", "pypdfium2", "openpyxl")),
    "markitdown": (read_markitdown, ("markitdown",)),
    "kreuzberg": (read_kreuzberg, ("kreuzberg",)),
    "unstructured": (read_unstructured, ("unstructured",)),
    "pdfplumber": (read_pdfplumber, ("pdfplumber",)),
}


def work(reader, folder):
    """One reader on all files: texts and seconds by file, or what was wrong."""
    load, packages = READERS[reader]
    read = load()
    found = {}
    for path in sorted(Path(folder).iterdir()):
        begun = time.perf_counter()
        try:
            text = read(path)
        except Exception as error:
            found[path.name] = {"error": f"{type(error).__name__}: {error}"[:200]}
            continue
        found[path.name] = {"text": text, "seconds": time.perf_counter() - begun}
    print(json.dumps({"files": found, "versions": {name: metadata.version(name) for name in packages}}))


def score(found, texts):
    from rapidfuzz.distance import LCSseq

    table = {}
    for kind in KINDS:
        rows = [(sections, found.get(f"{name}.{kind}", {})) for name, sections in texts]
        if any("text" not in row for _, row in rows):
            table[kind] = {"error": next(row.get("error", "not read") for _, row in rows if "text" not in row)}
            continue
        shares = []
        for sections, row in rows:
            wanted, given = expected_words(sections, kind), words_of(row["text"])
            common = LCSseq.similarity(wanted, given)
            lines = {line.strip("#*=- \t") for line in row["text"].splitlines()}
            shares.append(
                (
                    common / len(wanted),
                    common / max(len(given), 1),
                    sum(key in lines for key, _ in sections) / len(sections),
                )
            )
        columns = list(zip(*shares, strict=True))
        table[kind] = {
            "found": round(sum(columns[0]) / len(shares), 4),
            "found_least": round(min(columns[0]), 4),
            "given": round(sum(columns[1]) / len(shares), 4),
            "headings": round(sum(columns[2]) / len(shares), 3),
            "seconds": round(sum(row["seconds"] for _, row in rows) / len(rows), 4),
        }
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], metavar="READER=PYTHON")
    parser.add_argument("--work", nargs=2, metavar=("READER", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.work:
        work(*args.work)
        return
    texts = library_texts(2 if args.quick else 10)
    pythons = {"kdos": sys.executable} | dict(one.split("=", 1) for one in args.python)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, sections in texts:
            for kind, write in KINDS.items():
                write(Path(folder) / f"{name}.{kind}", name, sections)
        for reader, python in pythons.items():
            call = [python, __file__, "--work", reader, folder]
            said = json.loads(
                subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
            )
            results[reader] = {"versions": said["versions"], "kinds": score(said["files"], texts)}
            print(reader, json.dumps(results[reader]["kinds"]))
    if args.quick:
        return
    from density_worlds import write_down  # its packages are not those of a peer's environment

    words = {kind: sum(len(expected_words(sections, kind)) for _, sections in texts) for kind in KINDS}
    write_down("document_readers", {"files": len(texts), "words": words, "readers": results})


if __name__ == "__main__":
    main()
