"""The way in before numba has launched a layer: modules that stand in for numba's.

When numba launches a layer it imports `numba.np.ufunc.omppool`, or another, and takes the addresses
of its functions. Stand-ins have our addresses where ours take a function's place and those of the
module they stand for elsewhere. Which one numba chooses is up to its settings, as ever; that one
becomes the layer of threads without a pool, and is launched when the first of them needs it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

from .names import MODULES, PACKAGE, check_layer
from .own_layer import our_addresses


class StandIn(ModuleType):
    """A layer's module whose pool functions are ours."""

    def __init__(self, spec: ModuleSpec, chosen: Callable[[Any], None]) -> None:
        super().__init__(spec.name)
        self._spec = spec
        self._chosen = chosen
        self._ours = our_addresses()
        self._real = sys.modules.get(spec.name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        real = self._module()
        if name == "launch_threads":  # only numba asks for that, of the layer it has chosen
            self._chosen(real)
        return self._ours[name] if name in self._ours else getattr(real, name)

    def _module(self) -> Any:
        if self._real is None:
            self._real = _loaded(self._spec)
            self.put()  # loading an extension module puts it into sys.modules
        return self._real

    def put(self) -> None:
        """Be what an import of the module gives."""
        package, short = _place(self.__name__)
        sys.modules[self.__name__] = self
        setattr(package, short, self)

    def take_out(self) -> None:
        """Let an import give the module again."""
        package, short = _place(self.__name__)
        if self._real is not None:
            setattr(package, short, self._real)
            sys.modules[self.__name__] = self._real
        else:
            vars(package).pop(short, None)
            sys.modules.pop(self.__name__, None)


def _place(name: str) -> tuple[ModuleType, str]:
    package, _, short = name.rpartition(".")
    return sys.modules[package], short


def _present(name: str) -> StandIn | None:
    """The stand-in of a module, if it is there; in part, where it was interrupted."""
    package, short = _place(name)
    for module in sys.modules.get(name), getattr(package, short, None):
        if isinstance(module, StandIn):
            return module
    return None


def _loaded(spec: ModuleSpec) -> ModuleType:
    module = module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module


def stand_in(chosen: Callable[[Any], None]) -> None:
    """Put stand-ins where numba looks for its layers; `chosen` gets the module of the one it takes.

    Raises
    ------
    UnsupportedError
        The layer that every numba has, and that costs nothing to look at, lacks a function.
    """
    always = f"{PACKAGE}.workqueue"
    if _present(always) is None:
        check_layer(importlib.import_module(always))
    for short in MODULES.values():
        name = f"{PACKAGE}.{short}"
        there = _present(name)
        spec = None if there else find_spec(name)
        if spec is not None:
            there = StandIn(spec, chosen)
        if there is not None:
            there.put()


def step_back() -> None:
    """Take the stand-ins out again."""
    for short in MODULES.values():
        there = _present(f"{PACKAGE}.{short}")
        if there is not None:
            there.take_out()


def launched_layer(parallel: Any) -> Any:
    """The module of the layer that numba has launched."""
    name = f"{PACKAGE}.{MODULES[parallel._threading_layer]}"
    there = _present(name)
    return sys.modules[name] if there is None else there._module()
