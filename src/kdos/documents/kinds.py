"""Which files are documents, and who reads each kind."""

import re
from pathlib import Path
from typing import Literal

Reader = Literal["plain", "pandoc", "pdf", "spreadsheet", "source_code", "package"]
PANDOC_FORMATS = {
    ".docx": "docx", ".pptx": "pptx", ".epub": "epub", ".odt": "odt", ".rtf": "rtf", ".html": "html", ".htm": "html",
    ".xhtml": "html", ".md": "markdown", ".markdown": "markdown", ".rst": "rst", ".tex": "latex", ".org": "org",
    ".ipynb": "ipynb", ".man": "man",
}  # fmt: skip
"""What pandoc calls the format of each suffix."""
ZIPPED_SUFFIXES = frozenset((".docx", ".pptx", ".xlsx", ".epub", ".odt"))
PLAIN_SUFFIXES = frozenset((".txt", ".text"))
CODE_SUFFIXES = frozenset((
    ".py", ".pyi", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".java", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cs",
    ".go", ".rs", ".rb", ".php", ".swift", ".kt", ".scala", ".sh", ".bash", ".pl", ".pm", ".r", ".lua", ".hs",
    ".ml", ".sql", ".m", ".f90", ".el", ".clj", ".ex", ".erl", ".dart",
))  # fmt: skip
PACKAGE_FILES = frozenset(("METADATA", "PKG-INFO"))
"""What describes an installed package of Python."""
_OTHER_READERS: dict[str, Reader] = {".pdf": "pdf", ".xlsx": "spreadsheet"}
MANUAL_SUFFIX = re.compile(r"\.[1-9][a-z]{0,4}", re.IGNORECASE)
"""A manual page's section, as in ``ls.1``, ``printf.3p`` and ``openssl.1ssl``."""
_ROFF = re.compile(rb"(?:[.'][ \t]*(?:\\\"|[A-Za-z]{1,3}\b)[^\n]*\n|\.\n|'\\\"[^\n]*\n|\s*\n)")


def document_kind(path: Path, suffix: str) -> Reader | None:
    """Who reads a file with this suffix, its compression's left off; None where nobody does."""
    if path.name in PACKAGE_FILES:
        return "package"
    if suffix in PANDOC_FORMATS or is_manual_suffix(suffix):
        return "pandoc"
    if suffix in PLAIN_SUFFIXES or (not suffix and path.name.isupper()):
        return "plain"  # README, LICENSE, NEWS
    if suffix in CODE_SUFFIXES:
        return "source_code"
    return _OTHER_READERS.get(suffix)


def is_manual_suffix(suffix: str) -> bool:
    """Whether it is that of a manual page."""
    return MANUAL_SUFFIX.fullmatch(suffix) is not None


def is_roff(data: bytes) -> bool:
    """Whether a file begins as manual pages do: with a request or a comment of roff."""
    return _ROFF.match(data) is not None
