"""What stands above or below the line, as plain text: a power is marked, so that 10⁶ does not become 106."""

import re

_POWER = re.compile(r"[-−+]?[\w.,/]+")


def raised(text: str, before: str = "") -> str:
    """What stands above the line: ordinals stay letters, a power is marked, so that 10⁶ is not 106."""
    plain = text.strip()
    if plain.startswith("["):
        return ""
    if plain in {"2", "3"} and before[-1:].isalpha():
        return "²" if plain == "2" else "³"
    if not plain or (plain.isalpha() and not (plain in "nmkxpt" and before[-1:].isdigit())):
        return plain
    return f"^{plain}" if _POWER.fullmatch(plain) else f"^({plain})"


def lowered(text: str, before: str = "") -> str:
    """What stands below the line; marked behind a digit, so that 10₂ is not 102."""
    return f"_{text}" if before[-1:].isdigit() and text[:1].isdigit() else text
