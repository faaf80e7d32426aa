"""Keys: out of the environment, or a file named there, and into nothing that is written."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kdos.errors import ConfigError

KEY_PLACEHOLDER = "[key]"
MIN_REDACTED_CHARS = 8  # characters; what is shorter may be a word of the text


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A secret that does not show: not in `repr`, and not in a text that was scrubbed."""

    secret: str = field(default="", repr=False)

    def authorization_headers(self) -> dict[str, str]:
        """What a request carries to prove itself."""
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def redact_text(self, text: str) -> str:
        """The text without the key; servers repeat it in their complaints."""
        if len(self.secret) < MIN_REDACTED_CHARS or self.secret not in text:
            return text
        return text.replace(self.secret, KEY_PLACEHOLDER)


def find_api_key(name: str | None, environment: Mapping[str, str] = os.environ) -> ApiKey:
    """The key in the variable `name`, or in the file that `name`_FILE names; none without a name.

    Raises:
        ConfigError: Neither is set, or the file cannot be read.
    """
    if not name:
        return ApiKey()
    if secret := environment.get(name, "").strip():
        return ApiKey(secret)
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
    return ApiKey(secret)
