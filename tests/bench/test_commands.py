"""The commands that the documentation prints: each module's parser takes them as they are printed.

Nothing is measured: a command's `main` is stopped where its parser has taken the arguments.
"""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

from bench.targets import TARGETS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: Up to the end of a code span, a comment, or a command that follows it.
_COMMAND = re.compile(r"python3? -m (bench(?:\.\w+)*)((?: +[^\s`#&|;,]+)*)")
#: In a line of its own, or within backticks: the words after a command in a sentence are no
#: arguments.
_CODE = re.compile(r"`([^`\n]+)`|^(?: {4}|\$ )(.+)$|^(\S*python3? .+|.*&& .+)$", re.MULTILINE)


class _Taken(BaseException):
    """The parser took the arguments."""


def _commands() -> list[tuple[str, str]]:
    found = {}
    for page in PAGES:
        for code in _CODE.finditer(page.read_text()):
            text = next(filter(None, code.groups()))
            for module, arguments in _COMMAND.findall(text):
                found[module, arguments.strip()] = None
    return list(found)


def _parse(module: str, arguments: list[str], monkeypatch) -> argparse.Namespace:
    parse = argparse.ArgumentParser.parse_args
    taken = []

    def stop(parser, args=None, namespace=None):
        taken.append(parse(parser, args, namespace))
        raise _Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    name = f"{module}.__main__" if module == "bench" else module
    with pytest.raises(_Taken):
        importlib.import_module(name).main(arguments)
    return taken[0]


@pytest.mark.parametrize(("module", "arguments"), _commands())
def test_a_printed_command_is_taken(module, arguments, monkeypatch):
    _parse(module, arguments.split(), monkeypatch)


def test_the_commands_of_the_pages_are_found():
    assert {"bench", "bench.targets", "bench.pools", "bench.blas", "bench.streams",
            "bench.numba_layers"} <= {module for module, _ in _commands()}


@pytest.mark.parametrize("arguments", [[], ["pools"], ["kernels", "pools"]])
def test_targets_takes_any_of_its_groups(arguments, monkeypatch):
    assert (_parse("bench.targets", arguments, monkeypatch).which or [*TARGETS]) == (
        arguments or ["pools", "kernels"])


def test_targets_names_the_groups_that_there_are(capsys):
    from bench.targets import main

    with pytest.raises(SystemExit) as caught:
        main(["kernel"])
    assert caught.value.code == 2
    assert "no group 'kernel'; there are pools, kernels" in capsys.readouterr().err
