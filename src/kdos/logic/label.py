"""What a label says, without the markup around it."""

import html
import re

_BREAK = re.compile(r"<br[ \t]*/?>|\\n", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|sub|sup|span|p|div|code|small|font|center)(?:\s[^<>]*)?>", re.IGNORECASE
)
_CODE = re.compile(r"#(\w+);")
_QUOTED = re.compile(r"""(["'“”„])(.*)["'“”]""", re.DOTALL)
# Nearly no label holds any of these: looking for them first saves the four substitutions.
_MARK = re.compile(r"[<&#\\`]")


def clean_label(label: str) -> str:
    """The label without HTML, Mermaid's character codes, Markdown's backticks and extra space."""
    if _MARK.search(label) is None and _evenly_spaced(label):
        return label
    text = label.strip()
    if len(text) > 1 and text[0] == text[-1] == "`" and text.count("`") == 2:
        text = text[1:-1]
    text = _TAG.sub("", _BREAK.sub(" ", text.replace('\\"', '"')))
    return " ".join(html.unescape(_CODE.sub(_html_entity, text)).split())


def strip_quotes(label: str) -> str:
    """The label without one pair of quotes around all of it."""
    found = _QUOTED.fullmatch(label.strip())
    return found[2] if found and found[1] not in found[2] else label


def _evenly_spaced(label: str) -> bool:
    """Are there single spaces between words and no other white space, which is not printable?"""
    if not label.isprintable() or "  " in label:
        return False
    return not label.startswith(" ") and not label.endswith(" ")


def _html_entity(code: re.Match[str]) -> str:
    """Mermaid's ``#quot;`` or ``#35;`` as HTML writes it."""
    return f"&#{code[1]};" if code[1].isdigit() else f"&{code[1]};"
