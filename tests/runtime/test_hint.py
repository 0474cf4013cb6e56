"""Hint: a value that says along which axes a batch lies."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from threadpool_iface import Hint


def test_hints_with_the_same_axes_are_equal():
    assert Hint(0, None, mask=1) == Hint(0, None, mask=1)
    assert Hint(0) != Hint(1)
    assert Hint(0) != 0


def test_the_repr_makes_it_again():
    hint = Hint(0, (None, [1]), mask={"a": -1})
    assert repr(hint) == "Hint(0, (None, [1]), mask={'a': -1})"
    assert eval(repr(hint)) == hint
    assert pickle.loads(pickle.dumps(hint)) == hint


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot be changed: axes"):
        Hint(0).axes = (1,)


def test_numpy_integers_are_axes():
    assert Hint(np.int64(1)) == Hint(1)


@pytest.mark.parametrize(("make", "why"), [
    (lambda: Hint(True), "axis 0 of Hint must be a batch axis, None, or .* not True"),
    (lambda: Hint(0, "x"), "axis 1 of Hint must be"),
    (lambda: Hint(0, [None, {"a": 0.5}]), r"axis 1 of Hint\[1\]\['a'\] must be .* not 0.5"),
    (lambda: Hint(mask=object), "mask of Hint must be")])
def test_a_leaf_is_an_axis_or_none(make, why):
    with pytest.raises(TypeError, match=why):
        make()
