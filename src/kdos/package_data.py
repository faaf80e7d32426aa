"""Text files that are installed beside the code: prompts, templates, styles."""

from importlib.resources import files


def read_package_text(package: str, name: str) -> str:
    """The UTF-8 text of a file of the package; it is part of the program, not the user's."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
