"""Keys: out of the environment, or a file named there, and into nothing that is written."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kdos.errors import ConfigError

HIDDEN = "[key]"
SHORTEST = 8  # characters; what is shorter may be a word of the text


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that does not show: not in `repr`, and not in a text that was scrubbed."""

    secret: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """What a request carries to prove itself."""
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def scrub(self, text: str) -> str:
        """The text without the key; servers repeat it in their complaints."""
        if len(self.secret) < SHORTEST or self.secret not in text:
            return text
        return text.replace(self.secret, HIDDEN)


def find_key(name: str | None, environment: Mapping[str, str] = os.environ) -> Key:
    """The key in the variable `name`, or in the file that `name`_FILE names; none without a name.

    Raises:
        ConfigError: Neither is set, or the file cannot be read.
    """
    if not name:
        return Key()
    if secret := environment.get(name, "").strip():
        return Key(secret)
    file = environment.get(f"{name}_FILE", "")
    if not file:
        raise ConfigError(
            f"engine.key_env names the environment variable that holds the key. {name} is not set. "
            f"Set it, or set {name}_FILE to a file that holds the key."
        )
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}_FILE must name a file that holds the key. {error}.") from error
    if not secret:
        raise ConfigError(f"{name}_FILE must name a file that holds the key. {file} is empty.")
    return Key(secret)
