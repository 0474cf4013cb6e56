"""Transforming weights: U = G g G^T, in double precision, rounded once.

    packed[panel][xi][part][ic][j] = U(weights[panel * NR + j, ic])[part][xi]

with as many parts as the taps come in: one, but for long lines.

The last panel is as wide as the vectors it needs; what pads it is multiplied but never stored.
"""

from __future__ import annotations

from ...compiling import c_function, kernel
from ...microkernels import winograd
from ...microkernels.memory import call_microkernel, store_i64
from ...panels import balance
from ...words import TASK, word
from . import layout as w


@kernel
def _pack_panel(context, args, panel):
    oc, nr, lanes, ic = (word(context, w.OC), word(context, w.NR), word(context, w.LANES),
                         word(context, w.IC))
    valid = min(nr, oc - panel * nr)
    nv = (valid + lanes - 1) // lanes
    packed = word(context, w.PACKED) + panel * word(context, w.PANEL_BYTES)
    by_oc = word(context, w.WEIGHTS_OC)
    store_i64(args + 8 * winograd.BY_FILTER, by_oc)
    by_kh, by_kw = word(context, w.WEIGHTS_KH), word(context, w.WEIGHTS_KW)
    if word(context, w.VERTICAL) != 0:  # a line's taps are BY_KW apart
        by_kh, by_kw = by_kw, by_kh
    groups = word(context, w.TAP_GROUPS)
    store_i64(args + 8 * winograd.BY_KH, by_kh)
    store_i64(args + 8 * winograd.BY_KW, by_kw)
    store_i64(args + 8 * winograd.BY_CHANNEL, word(context, w.WEIGHTS_IC))
    store_i64(args + 8 * winograd.CHANNELS, ic)
    store_i64(args + 8 * winograd.TARGET_ROW, 4 * lanes * nv)
    store_i64(args + 8 * winograd.TARGET_STRIDE, 4 * lanes * nv * ic * groups)
    for v in range(nv):
        first = panel * nr + v * lanes
        store_i64(args + 8 * winograd.VALID, min(lanes, oc - first))
        for group in range(groups):
            tap = winograd.LINE_TAPS * group
            store_i64(args + 8 * winograd.FILTERS,
                      word(context, w.WEIGHTS) + by_oc * first + by_kw * tap)
            store_i64(args + 8 * winograd.TAPS, word(context, w.TAPS) - tap)
            store_i64(args + 8 * winograd.TARGET, packed + 4 * lanes * (v + nv * ic * group))
            call_microkernel(word(context, w.FILTER_TRANSFORM), word(context, w.VARIANT), 0, args)


@c_function("Winograd weight packing", TASK)
def pack_task(context, ithr, nthr):
    """Transform this task's share of the panels."""
    args = context + word(context, w.TASKS_OFFSET) + ithr * word(context, w.TASK_BYTES)
    panels = word(context, w.PANELS)
    for panel in range(balance(panels, nthr, ithr), balance(panels, nthr, ithr + 1)):
        _pack_panel(context, args, panel)
    return 0
