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
        _import_gives(self.__name__, self)

    def take_out(self) -> None:
        """Let an import give the module again."""
        _import_gives(self.__name__, self._real)


def _import_gives(name: str, module: ModuleType | None) -> None:
    package, _, short = name.rpartition(".")
    if module is not None:
        sys.modules[name] = module
        setattr(sys.modules[package], short, module)
    else:
        del sys.modules[name]
        delattr(sys.modules[package], short)


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
    check_layer(importlib.import_module(f"{PACKAGE}.workqueue"))
    for short in MODULES.values():
        spec = find_spec(f"{PACKAGE}.{short}")
        if spec is not None:
            StandIn(spec, chosen).put()


def step_back() -> None:
    """Take the stand-ins out again."""
    for short in MODULES.values():
        module = sys.modules.get(f"{PACKAGE}.{short}")
        if isinstance(module, StandIn):
            module.take_out()
