"""The options' table as arguments of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .options import OPTIONS, PREFIX, Option


def add_module(command: argparse.ArgumentParser) -> None:
    """Let a command be given a module."""
    command.add_argument(
        "module",
        metavar="MODULE[:NAME]",
        help="a module's name, such as my.module, or a file, my/module.py; perhaps with a name in it: my.module:routes",
    )


def add_options(command: argparse.ArgumentParser) -> None:
    """Let a command be given every option. What was not given is not in the namespace."""
    command.epilog = (
        f"Every option is an environment variable too, which counts where the option is not given: {PREFIX}PORT=8080, "
        f"{PREFIX}ACCESS_LOG=1, {PREFIX}PROXY_FROM=10.0.0.0/8,unix:."
    )
    for name in dict.fromkeys(option.group for option in OPTIONS):
        group = command.add_argument_group(name)
        for option in OPTIONS:
            if option.group == name:
                _add(group, option)


def _add(group: Any, option: Option) -> None:
    text = option.help.removesuffix(".")
    help_text = (f"{text} (default: {option.default})" if option.default else text).replace("%", "%%")
    if option.is_flag:
        action = argparse.BooleanOptionalAction
        group.add_argument(option.option, action=action, default=argparse.SUPPRESS, help=help_text)
        return
    group.add_argument(
        option.option,
        type=_reading(option),
        action="extend" if option.is_many else "store",
        default=argparse.SUPPRESS,
        metavar=option.metavar,
        help=f"{help_text}; may be given again" if option.is_many else help_text,
    )


def _reading(option: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return option.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
