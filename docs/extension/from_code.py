"""What the site shows that is made by the package itself, each time the site is built.

`{commands}` is the command line, from the argument parsers; `{packages}` the public names of the
packages, from their docstrings; `{logic}` a Mermaid diagram as kdos reads and draws it; `{targets}`
a picture of what a target does to a distribution.
"""

import argparse
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from docutils import nodes
from docutils.statemachine import StringList
from logic_drawing import draw_logic_svg
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import kdos
from kdos.cli import COMMANDS
from kdos.logic import Fault, parse
from kdos.targets.distribution import TARGET_EXPONENTS, tempered_target

BAR, HEIGHT, GAP = 9, 60, 24
"""Pixels: a bar's width, the tallest bar, space between panels."""


class Commands(SphinxDirective):
    """A section a command: what it is for, how it is called, what it takes."""

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of ``kdos --help``."""
        return [section_of(command_parser(name), name) for name in COMMANDS]


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command, as the command line makes it."""
    parser = argparse.ArgumentParser(f"kdos {name}", description=COMMANDS[name], add_help=False)
    import_module(f"kdos.commands.{name.replace('-', '_')}").add_arguments(parser)
    return parser


def section_of(parser: argparse.ArgumentParser, name: str) -> nodes.section:
    """A command, its arguments, and then its actions where it has any."""
    section = nodes.section(ids=[nodes.make_id(f"kdos {name}")])
    section += nodes.title(text=f"kdos {name}")
    if parser.description:
        section += nodes.paragraph(text=f"{parser.description[:1].upper()}{parser.description[1:]}.")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    section += nodes.literal_block(usage, usage, language="text", classes=["usage"])
    taken = nodes.definition_list()
    formatter = argparse.HelpFormatter(parser.prog)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, one in action.choices.items():
                one.description = next(c.help for c in action._choices_actions if c.dest == verb)
                section += section_of(one, f"{name} {verb}")
        elif not isinstance(action, argparse._HelpAction):
            said = formatter._expand_help(action) if action.help else ""
            taken += definition(formatter._format_action_invocation(action), said)
    if len(taken):
        section.insert(3 if parser.description else 2, taken)
    return section


def definition(term: str, said: str) -> nodes.definition_list_item:
    """An argument and its meaning."""
    return nodes.definition_list_item(
        "", nodes.term("", "", nodes.literal(text=term)), nodes.definition("", nodes.paragraph(text=said))
    )


class PackageSections(SphinxDirective):
    """A section a package: its sentence, and every public name with its docstring."""

    def run(self) -> list[nodes.Node]:
        """The sections, by name."""
        return [self.section_of(name) for name in public_packages()]

    def section_of(self, name: str) -> nodes.section:
        """One package, by autodoc."""
        section = nodes.section(ids=[nodes.make_id(name)])
        section += nodes.title("", "", nodes.literal(text=name))
        lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```"]
        self.state.nested_parse(StringList(lines, name), 0, section)
        return section


def public_packages() -> Iterator[str]:
    """The packages that say in `__all__` what they offer, but `kdos.api`, which is shown first."""
    for found in pkgutil.iter_modules(kdos.__path__, "kdos."):
        if found.name.endswith("__") or found.name == "kdos.api":
            continue
        if getattr(import_module(found.name), "__all__", None):
            yield found.name


class Picture(SphinxDirective):
    """An SVG in the colour of the text around it."""

    def svg(self) -> str:
        """The picture."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """The SVG, as wide as it likes to be."""
        return [nodes.raw("", f'<div class="picture">{self.svg()}</div>', format="html")]


class LogicPicture(Picture):
    """The Mermaid diagram in the directive's body."""

    has_content: ClassVar[bool] = True

    def svg(self) -> str:
        """As kdos reads it."""
        logic = parse("\n".join(self.content))
        if isinstance(logic, Fault):
            raise self.error(f"The diagram must be Mermaid that kdos reads. {logic}")
        return draw_logic_svg(logic)


class TargetPicture(Picture):
    """Twelve cells of a pool, and how many of 120 knowledge points each target wants in them."""

    def svg(self) -> str:
        """A panel of bars a target."""
        counts = np.array([40, 24, 16, 12, 8, 6, 4, 3, 3, 2, 1, 1])
        log_volumes = np.zeros(len(counts))
        step = len(counts) * BAR + GAP
        panels = [
            panel(name, np.exp(tempered_target(log_volumes, counts, tau)), left=i * step)
            for i, (name, tau) in enumerate(TARGET_EXPONENTS.items())
        ]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(panels) * step} '
            f'{HEIGHT + 22}" role="img" aria-label="Shares of twelve cells under the targets '
            f'{", ".join(TARGET_EXPONENTS)}" font-family="sans-serif" font-size="12" '
            f'fill="currentColor">{"".join(panels)}</svg>'
        )


def panel(name: str, shares: Any, *, left: int) -> str:
    """The shares of the cells under one target; the tallest bar is half of all."""
    bars = [
        f'<rect x="{left + i * BAR}" y="{HEIGHT * (1 - 2 * share):.1f}" width="{BAR - 2}" '
        f'height="{HEIGHT * 2 * share:.1f}" opacity="0.7"/>'
        for i, share in enumerate(shares.tolist())
    ]
    return f'{"".join(bars)}<text x="{left}" y="{HEIGHT + 16}">{name}</text>'


def setup(app: Sphinx) -> dict[str, bool]:
    """Give Sphinx the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("packages", PackageSections)
    app.add_directive("logic", LogicPicture)
    app.add_directive("targets", TargetPicture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
