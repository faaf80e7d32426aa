"""What a label says, without the markup around it."""

import html
import re

_BREAK = re.compile(r"<br[ \t]*/?>|\\n", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|sub|sup|span|p|div|code|small|font|center)(?:\s[^<>]*)?>", re.IGNORECASE
)
_CODE = re.compile(r"#(\w+);")
_QUOTES = {'"': '"', "“": "”", "„": "“", "”": "”", "'": "'", "`": "`"}
_PLAIN = re.compile(r"[^<&#\\\s\"“”„'`]+(?: [^<&#\\\s\"“”„'`]+)*")


def clean_label(label: str) -> str:
    """The label without quotes around it, HTML, Mermaid's character codes and extra space."""
    if _PLAIN.fullmatch(label):
        return label
    text = _TAG.sub("", _BREAK.sub(" ", label.replace('\\"', '"')))
    return " ".join(_unquote(html.unescape(_CODE.sub(_entity, text))).split())


def _entity(code: re.Match[str]) -> str:
    """Mermaid's ``#quot;`` or ``#35;`` as HTML writes it."""
    return f"&#{code[1]};" if code[1].isdigit() else f"&{code[1]};"


def _unquote(text: str) -> str:
    """The text without one pair of quotes, or Markdown's backticks, around all of it."""
    inside = text.strip()
    while len(inside) >= 2 and inside[0] in _QUOTES and _QUOTES[inside[0]] == inside[-1]:
        if inside[0] in inside[1:-1]:
            break
        inside = inside[1:-1].strip()
    return inside
