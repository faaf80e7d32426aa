"""The door to documents: PDF, Office, web, book, mark-up, manual and code files in, text with headings out."""

from kdos.documents.errors import UnreadableError
from kdos.documents.kinds import Reader, document_kind
from kdos.documents.languages import detect_language
from kdos.documents.reading import DocumentText, read_document
from kdos.documents.scripts import lowered, raised

__all__ = [
    "DocumentText", "Reader", "UnreadableError", "detect_language", "document_kind", "lowered", "raised",
    "read_document",
]  # fmt: skip
