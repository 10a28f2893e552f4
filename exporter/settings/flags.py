"""The command line's side of the options."""

from argparse import SUPPRESS, ArgumentParser, HelpFormatter
from typing import Any

from exporter.settings.catalogue import Catalogue, Option
from exporter.settings.kinds import choices_of
from exporter.settings.sources import CONFIG_VARIABLE


def add_options(parser: ArgumentParser) -> None:
    """Add `--config` and a flag for every option to a parser, grouped by section.

    A flag that is not given leaves nothing behind. Values stay text: `load` checks them together with the other
    sources'. Abbreviated flags are switched off, since `--aws.region` is a mistake to be told, not a short form.
    """
    parser.allow_abbrev = False
    parser.formatter_class = _LineByLine
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=SUPPRESS,
        help=f"YAML file to read options from.\nenvironment: {CONFIG_VARIABLE}",
    )
    catalogue = Catalogue.of_settings()
    for section, about in catalogue.sections.items():
        group = parser.add_argument_group(section, about)
        for option in catalogue.options.values():
            if option.section == section:
                group.add_argument(
                    option.flag, dest=option.path, default=SUPPRESS, help=_help(option), **_arity(option)
                )


class _LineByLine(HelpFormatter):
    """Keeps the line breaks of a help text, and wraps what is longer than a line."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [part for line in text.splitlines() for part in super(_LineByLine, self)._split_lines(line, width)]


def _arity(option: Option) -> dict[str, Any]:
    choices = choices_of(option.field)
    name = option.kind.name.removeprefix("list of ").replace(" ", "_").upper()
    if option.is_list:
        return {"action": "append", "metavar": f"{name.removesuffix('S')}[,...]"}
    if option.field.annotation is bool:
        return {"nargs": "?", "const": "true", "metavar": "true|false"}
    return {"metavar": "|".join(choices) or name}


def _help(option: Option) -> str:
    lines = (
        str(option.field.description).replace("`", ""),
        f"accepted: {option.kind.accepts}",
        f"default: {option.default}",
        f"environment: {option.variable}",
    )
    return "\n".join(lines).replace("%", "%%")
