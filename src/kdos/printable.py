"""Foreign text made fit to be shown: the one place that everything printed goes through.

Texts of documents, names of fields and files, bodies of servers and messages about them may hold what a terminal
obeys: escape sequences (OSC 52 writes the clipboard), line ends that fake a line of ours, marks that turn the
direction of writing. Here they become text that says what they are.
"""

import re

MOST_LINE_CHARS = 4000
"""Characters of one line that is shown; of a longer one the middle is left out."""
# Escaped: C0, DEL and C1 controls, lone surrogates (bytes of file names that are no UTF-8), marks that turn the
# direction of writing, interlinear and tag characters, and the byte order mark. Joiners stay: scripts need them.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SPACES = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_NOT_ASCII = re.compile("[^\x20-\x7e\n]")


def printable_line(text: str, *, most: int = MOST_LINE_CHARS) -> str:
    """The text as one line of at most `most` characters (and the note of what was left out) that moves nothing.

    Line ends and tabs become a space; other characters that a terminal obeys stand as ``\\x1b`` or ``\\u202e``.
    """
    half = most // 2
    # Cut first: what is shown stays bounded whatever the text's length, and so does the work.
    if len(text) > most:
        text = f"{text[:half]} … ({len(text) - 2 * half:,} characters left out) … {text[len(text) - half :]}"
    return _UNPRINTABLE.sub(_escape, _SPACES.sub(" ", text))


def printable_block(text: str) -> str:
    """The lines of a text, each as `printable_line` gives it."""
    return "\n".join(printable_line(line) for line in text.split("\n"))


def ascii_json(text: str) -> str:
    """JSON text with every character beyond ASCII as its escape: the same value, fit for any terminal."""
    return _NOT_ASCII.sub(_escape_json, text)


def replace_surrogates(value: object) -> object:
    """A JSON value whose texts hold no lone surrogate, which has no UTF-8 form: U+FFFD stands there."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_surrogates(item) for item in value]
    return value


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
