"""Transforming weights: U = G g G^T, in double precision, rounded once.

    packed[panel][xi][ic][j] = U(weights[panel * NR + j, ic])[xi]

The last panel is as wide as the vectors it needs, padded with zeros that are multiplied but never
stored.
"""

from __future__ import annotations

from numba import types

from ...compiling import c_function, kernel
from ...microkernels.memory import load_f32, store_f32
from ...panels import balance
from ...words import TASK, word
from . import layout as w


@kernel
def _filter4(x, y, z):
    """G (x, y, z) for F(4): points 0, +-sqrt(1/2), +-sqrt(2), infinity; see microkernels.winograd.

    A finite point p has the row (1, p, p^2) / product of its distances to the others.
    """
    small, large = 0.7071067811865476, 1.4142135623730951
    near_even, near_odd = (x + 0.5 * z) / -1.5, small * y / -1.5
    far_even, far_odd = (x + 2.0 * z) / 6.0, large * y / 6.0
    return (x, near_even + near_odd, near_even - near_odd,
            far_even + far_odd, far_even - far_odd, z)


@kernel
def _filter2(x, y, z):
    """G (x, y, z) for F(2): points 0, 1, -1, infinity."""
    return (x, 0.5 * (x + y + z), 0.5 * (x - y + z), z)


@kernel
def _load(source, by_kh, by_kw, y, x):
    return types.float64(load_f32(source + by_kh * y + by_kw * x))


@kernel
def _transform4(source, by_kh, by_kw, target, stride):
    a = _filter4(_load(source, by_kh, by_kw, 0, 0), _load(source, by_kh, by_kw, 1, 0),
                 _load(source, by_kh, by_kw, 2, 0))
    b = _filter4(_load(source, by_kh, by_kw, 0, 1), _load(source, by_kh, by_kw, 1, 1),
                 _load(source, by_kh, by_kw, 2, 1))
    c = _filter4(_load(source, by_kh, by_kw, 0, 2), _load(source, by_kh, by_kw, 1, 2),
                 _load(source, by_kh, by_kw, 2, 2))
    for i in range(6):
        row = _filter4(a[i], b[i], c[i])
        for j in range(6):
            store_f32(target + stride * (6 * i + j), types.float32(row[j]))


@kernel
def _transform2(source, by_kh, by_kw, target, stride):
    a = _filter2(_load(source, by_kh, by_kw, 0, 0), _load(source, by_kh, by_kw, 1, 0),
                 _load(source, by_kh, by_kw, 2, 0))
    b = _filter2(_load(source, by_kh, by_kw, 0, 1), _load(source, by_kh, by_kw, 1, 1),
                 _load(source, by_kh, by_kw, 2, 1))
    c = _filter2(_load(source, by_kh, by_kw, 0, 2), _load(source, by_kh, by_kw, 1, 2),
                 _load(source, by_kh, by_kw, 2, 2))
    for i in range(4):
        row = _filter2(a[i], b[i], c[i])
        for j in range(4):
            store_f32(target + stride * (4 * i + j), types.float32(row[j]))


@kernel
def _pack_panel(context, panel):
    oc, nr, lanes, ic = (word(context, w.OC), word(context, w.NR), word(context, w.LANES),
                         word(context, w.IC))
    by_oc, by_ic = word(context, w.WEIGHTS_OC), word(context, w.WEIGHTS_IC)
    by_kh, by_kw = word(context, w.WEIGHTS_KH), word(context, w.WEIGHTS_KW)
    valid = min(nr, oc - panel * nr)
    width = (valid + lanes - 1) // lanes * lanes
    packed = word(context, w.PACKED) + panel * word(context, w.PANEL_BYTES)
    stride, m = 4 * width * ic, word(context, w.M)
    source = word(context, w.WEIGHTS) + by_oc * panel * nr
    for k in range(ic):
        for j in range(valid):
            filter_, target = source + by_ic * k + by_oc * j, packed + 4 * (width * k + j)
            if m == 4:
                _transform4(filter_, by_kh, by_kw, target, stride)
            else:
                _transform2(filter_, by_kh, by_kw, target, stride)
        for xi in range((m + 2) * (m + 2)):
            for j in range(valid, width):
                store_f32(packed + stride * xi + 4 * (width * k + j), 0.0)


@c_function("Winograd weight transform", TASK)
def pack_task(context, ithr, nthr):
    """Transform this task's share of the panels."""
    panels = word(context, w.PANELS)
    for panel in range(balance(panels, nthr, ithr), balance(panels, nthr, ithr + 1)):
        _pack_panel(context, panel)
    return 0
