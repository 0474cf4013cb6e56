"""Finds the command that was asked for, and runs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from threadpool_iface import __version__

#: Entry points that name a module with HELP, `add_arguments` and `run`.
GROUP = "threadpool_iface.commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `threadpool-iface` with these arguments, by default the program's; its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        _forget_output()
        return 1


def _forget_output() -> None:
    """So that the interpreter does not fail on what it could not write, with a status of its own.
    """
    sys.stderr.close()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="threadpool-iface",
                                     description="Thread pools you choose: the command line.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="command", required=True)
    for name, module_name in sorted(_commands().items()):
        module = import_module(module_name)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _commands() -> dict[str, str]:
    """Modules by command: those beside this one, and those of packages on top of this one."""
    own = {path.stem: f"threadpool_iface.cli.{path.stem}"
           for path in Path(__file__).parent.glob("[!_]*.py")}
    return {entry.name: entry.value for entry in entry_points(group=GROUP)} | own


if __name__ == "__main__":
    sys.exit(main())
