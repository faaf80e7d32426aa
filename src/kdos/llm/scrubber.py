"""Takes secrets out of what a server sends, whole or in part, before anything is cut, read, logged or kept.

A server repeats the key that it was sent: in an error, a header dump, an answer; masked in the middle, with a
backslash before a character or in the escapes of JSON, of programming languages or of HTML, percent-encoded, each of
these within another, in base64 or in hexadecimal digits. `Scrubber` finds every run of `MIN_PART_CHARS` characters of
a secret in any of these forms. Four bytes at each fourth place are looked up in a table of the secrets' own (a run of
seven holds four bytes that begin at a multiple of four), and only what is found there is looked at closely.
"""

import base64
import re
from collections.abc import Iterable, Iterator

import numpy as np

MIN_PART_CHARS = 8
"""Shortest part of a secret that is taken out; a shorter key may be a word of the text."""
MIN_BASE64_CHARS = 9
"""Characters of base64 that hold eight of the secret wherever they begin."""
PLACEHOLDER = b"[key]"

TABLE_BITS = 20
HASH_MULTIPLIER = np.uint32(2654435761)  # 2**32 over the golden ratio: Knuth, TAOCP 3, section 6.4
BLOCK_BYTES = 2**20  # that are looked up at once
BYTES_PER_LOOK = 64  # a body with more to look at closely than one in so many is made to cost time: all of it goes
FREE_LOOKS = 4096

# Each marks one character by its code; the lookbehind keeps a run of backslashes from being read from each of them.
BACKSLASH_ESCAPE = re.compile(rb"(?<!\\)\\++(?:(?:u\{0{0,6}|[uU]0{2,6}|x)([2-7][0-9a-fA-F])\}?|([01][0-7]{2}))")
CODE_MARK = re.compile(rb"\\[uUx01]")
"""In every such escape with a code: in replies of JSON mostly none is, and looking for it takes a tenth as long."""
PERCENT_ESCAPE = re.compile(rb"%([2-7][0-9a-fA-F])")
HTML_ESCAPE = re.compile(rb"&#(?:[xX]0{0,4}([2-7][0-9a-fA-F])|0{0,4}(\d{2,3}));?+")
HTML_NAMES = {b"&amp;": b"&", b"&quot;": b'"', b"&apos;": b"'", b"&lt;": b"<", b"&gt;": b">"}
ESCAPE_MARKS = (b"\\", b"%", b"&")
ESCAPES_IN_ESCAPES = 4
"""How often the escapes of a text are read: what is escaped more deeply is not looked for."""
TOKEN = re.compile(rb"[^\s\"'<>]*[^\s\"'<>\\]")


class Scrubber:
    """What takes `secrets` out of bytes and texts; those under `MIN_PART_CHARS` characters are left alone.

    A secret of lower-case words alone (`my-local-server`), which no provider gives out, is taken out whole only:
    its parts are words of the language.
    """

    __slots__ = ("_fours", "_parts", "_table")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._parts: dict[int, set[bytes]] = {}
        self._fours: set[int] = set()
        for secret in secrets:
            if len(secret) >= MIN_PART_CHARS:
                self._add_secret(secret.encode())
        self._table = self._build_table()

    def scrub_text(self, text: str) -> str:
        """The text without the secrets."""
        if self._table is None:
            return text
        return self.scrub_bytes(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def scrub_bytes(self, raw: bytes) -> bytes:
        """The bytes without the secrets, in any of the forms."""
        if self._table is None:
            return raw
        try:
            clean = self._replace_parts(raw)
            if any(mark in clean for mark in ESCAPE_MARKS) and self._holds_secret(_decode_escapes(clean)):
                clean = TOKEN.sub(self._scrub_token, clean)
                if self._holds_secret(_decode_escapes(clean)):
                    return PLACEHOLDER  # a secret over several tokens: nothing of it is worth a leak
        except _TooManyLooksError:
            return PLACEHOLDER
        return clean

    def _add_secret(self, secret: bytes) -> None:
        words = re.fullmatch(rb"[a-z]+(?:[-_ ][a-z]+)*", secret) is not None
        # As it is, as JSON repeats it, and as it is where escapes were read, which leaves no backslash.
        escaped = secret.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        for form in (secret, escaped, secret.replace(b"\\", b"")):
            self._add_form(form, len(secret) if words else MIN_PART_CHARS)
        for form in _base64_forms(secret):
            self._add_form(form, len(form) if words else MIN_BASE64_CHARS)
        for form in (secret.hex().encode(), secret.hex().upper().encode()):
            self._add_form(form, len(form) if words else 2 * MIN_PART_CHARS)

    def _add_form(self, form: bytes, size: int) -> None:
        if len(form) >= size:
            self._parts.setdefault(size, set()).update(form[i : i + size] for i in range(len(form) - size + 1))
            self._fours.update(int.from_bytes(form[i : i + 4], "little") for i in range(len(form) - 3))

    def _build_table(self) -> np.ndarray | None:
        if not self._fours:
            return None
        table = np.zeros(2**TABLE_BITS, np.bool_)
        table[_hash_fours(np.array(sorted(self._fours), np.uint32))] = True
        return table

    def _replace_parts(self, raw: bytes) -> bytes:
        """The bytes with every run that is part of a secret replaced."""
        pieces: list[bytes] = []
        end = 0
        for start, stop in _merge_spans(self._find_parts(raw)):
            pieces += [raw[end:start], PLACEHOLDER]
            end = stop
        return b"".join([*pieces, raw[end:]]) if pieces else raw

    def _holds_secret(self, raw: bytes) -> bool:
        return next(self._find_parts(raw), None) is not None

    def _find_parts(self, raw: bytes) -> Iterator[tuple[int, int]]:
        """Where parts of secrets stand, as start and stop, by start roughly."""
        allowed = FREE_LOOKS + len(raw) // BYTES_PER_LOOK
        for looks, place in enumerate(self._find_fours(raw)):
            if looks > allowed:
                raise _TooManyLooksError
            for size, parts in self._parts.items():
                for start in range(max(0, place - size + 4), place + 1):
                    if raw[start : start + size] in parts:
                        yield start, start + size

    def _find_fours(self, raw: bytes) -> Iterator[int]:
        """The multiples of four at which four bytes of a secret stand."""
        table = self._table
        if table is None:
            return
        for begin in range(0, len(raw) - 3, BLOCK_BYTES):
            count = min(BLOCK_BYTES, len(raw) - begin) // 4
            codes = np.frombuffer(raw, "<u4", count, begin)
            for found in np.flatnonzero(table[_hash_fours(codes)]):
                if int(codes[found]) in self._fours:
                    yield begin + 4 * int(found)

    def _scrub_token(self, token: re.Match[bytes]) -> bytes:
        text = token.group()
        return PLACEHOLDER if self._holds_secret(_decode_escapes(text)) else text


class _TooManyLooksError(Exception):
    """A body is full of what begins like a secret."""


def _hash_fours(codes: np.ndarray) -> np.ndarray:
    return (codes * HASH_MULTIPLIER) >> np.uint32(32 - TABLE_BITS)


def _merge_spans(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that touch or overlap, as one."""
    merged: list[list[int]] = []
    for start, stop in sorted(set(spans)):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    return ((start, stop) for start, stop in merged)


def _decode_escapes(raw: bytes) -> bytes:
    """The bytes with the escapes of printable ASCII characters read, those within others too."""
    for _ in range(ESCAPES_IN_ESCAPES):
        before = raw
        # One that marks nothing by a code stands before a character that is what it is.
        raw = BACKSLASH_ESCAPE.sub(_decode_backslash, raw) if CODE_MARK.search(raw) else raw
        raw = raw.replace(b"\\", b"")
        raw = PERCENT_ESCAPE.sub(lambda found: _from_hex(found.group(1)), raw)
        if b"&" in raw:
            for name, character in HTML_NAMES.items():
                raw = raw.replace(name, character)
            raw = HTML_ESCAPE.sub(_decode_html, raw)
        if raw == before:
            break
    return raw


def _from_hex(digits: bytes) -> bytes:
    return bytes((int(digits, 16),))


def _decode_backslash(found: re.Match[bytes]) -> bytes:
    return _from_hex(found.group(1)) if found.group(1) else bytes((int(found.group(2), 8),))


def _decode_html(found: re.Match[bytes]) -> bytes:
    code = int(found.group(1), 16) if found.group(1) else int(found.group(2))
    return bytes((code,)) if code < 128 else found.group()


def _base64_forms(secret: bytes) -> set[bytes]:
    """What is fixed of the secret's base64 wherever in a text it begins, in both alphabets."""
    forms: set[bytes] = set()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret).rstrip(b"=")
        # The first characters hold bits of what stands before, the last of what follows.
        first, last = (8 * before + 5) // 6, 8 * (before + len(secret)) // 6
        forms.add(whole[first:last])
    return forms | {form.translate(bytes.maketrans(b"+/", b"-_")) for form in forms}
