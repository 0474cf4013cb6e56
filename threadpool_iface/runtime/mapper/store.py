"""Results as JSON, so that an interrupted map goes on where it was."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .configurations import Configuration
from .statistics import Run

_FORMAT = 1


class Store:
    """Runs of each configuration, and what failed; written to a file after each change.

    Parameters
    ----------
    path : path, optional
        None: nothing is kept.
    command, cores
        What is measured, and where; other results in the file are refused.

    Raises
    ------
    ValueError
        The file holds something else, or results of another program or other cores.
    """

    def __init__(self, path: str | os.PathLike[str] | None, command: Sequence[str],
                 cores: Sequence[int]) -> None:
        self._path = None if path is None else Path(path)
        self._about = {"format": _FORMAT, "command": list(command), "cores": list(cores)}
        self.runs: dict[Configuration, list[Run]] = {}
        self.failed: dict[Configuration, str] = {}
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def _read(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            about = {name: data[name] for name in self._about}
            self.runs = {Configuration.parsed(name): [Run(*map(float, run)) for run in runs]
                         for name, runs in data["runs"].items()}
            self.failed = {Configuration.parsed(name): str(why)
                           for name, why in data["failed"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} does not hold results of a map: {error!r}") from None
        for name, value in self._about.items():
            if about[name] != value:
                raise ValueError(f"{path} holds results of {name} {about[name]}, not {value}: "
                                 "choose another file, or delete it")

    def add(self, configuration: Configuration, run: Run) -> None:
        """Keep a run."""
        self.runs.setdefault(configuration, []).append(run)
        self._write()

    def fail(self, configuration: Configuration, why: str) -> None:
        """Keep that it cannot run."""
        self.failed[configuration] = why
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        data: dict[str, Any] = self._about | {
            "runs": {str(each): runs for each, runs in self.runs.items()},
            "failed": {str(each): why for each, why in self.failed.items()}}
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
            os.replace(temporary, self._path)
        except BaseException:
            os.unlink(temporary)
            raise
