"""Bytes as text, in whatever encoding they are."""

import codecs

from kdos.documents.errors import UnreadableError
from kdos.errors import UsageError

SAMPLED_BYTES = 1 << 16
"""What is looked at, of a text that says nothing of its encoding and is not UTF-8."""
CONTROL_SHARE = 0.02
"""Control characters in a text at most: more are data (our choice)."""
LEAST_WIDE_BYTES = 16
"""Fewer bytes do not show that every other one is zero."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27})


def decode_text(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding: by its mark, else UTF-8, else UTF-16 by its zeros, else found out.

    Raises:
        UnreadableError: The bytes are no text (`binary`), or in no encoding that fits (`unknown_encoding`).
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decode(data, name), name.removesuffix("-sig")
    if wide := _find_utf16(data):
        text = _decode(data, wide)
        _refuse_binary(text.encode(errors="replace"))
        return text, wide
    _refuse_binary(data)
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        name = _guess(data)
    return _decode(data, name), name


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        raise UnreadableError("unknown_encoding", f"{name} until byte {error.start:,}") from error


def _refuse_binary(data: bytes) -> None:
    sample = data[:SAMPLED_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if b"\0" in sample or controls > CONTROL_SHARE * len(sample):
        raise UnreadableError("binary", "not a text")


def _find_utf16(data: bytes) -> str:
    """UTF-16 without a mark: every other byte of much text is zero."""
    sample = data[:4096]
    if len(sample) < LEAST_WIDE_BYTES:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > 0.3 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 * half and odd < 0.05 * half else ""


def _guess(data: bytes) -> str:
    try:
        import chardet
    except ImportError as error:
        message = "a text that is not UTF-8 needs the package `chardet`: pip install 'kdos[documents]'"
        raise UsageError(message) from error
    # A cut at a line's end: half a character at the end would speak against the right encoding.
    end = data.rfind(b"\n", 0, SAMPLED_BYTES) if len(data) > SAMPLED_BYTES else len(data)
    eras = chardet.EncodingEra.MODERN_WEB | chardet.EncodingEra.LEGACY_ISO
    found = chardet.detect(data[: end if end > 0 else SAMPLED_BYTES], encoding_era=eras)
    if not found["encoding"]:
        raise UnreadableError("unknown_encoding")
    return str(codecs.lookup(found["encoding"]).name)
