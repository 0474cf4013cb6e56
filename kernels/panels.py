"""One block of rows against a range of column panels: the loop around the microkernel.

Shared by every primitive that is a sum of products. The caller has filled the argument block
(`emit`) with what is the same for all panels (segments, K length, post-ops) and three tables of
row offsets, and says where the panels of B lie:

    full panels   b + panel * b_pitch, rows b_stride apart (packed panels, or B read in place)
    last panel    b_tail, rows as wide as its vectors, always packed (it may be narrower)
"""

from __future__ import annotations

from .compiling import kernel
from .microkernels import emit
from .microkernels.memory import call_microkernel, store_i64

_A_OFFSETS, _P_OFFSETS, _C_OFFSETS = 8 * emit.A_OFFSETS, 8 * emit.P_OFFSETS, 8 * emit.C_OFFSETS
_B, _B_STRIDE, _P, _C = 8 * emit.B, 8 * emit.B_STRIDE, 8 * emit.P, 8 * emit.C
_BIAS, _LANES = 8 * emit.BIAS, 8 * emit.LANES
_LENGTH, _CHAIN, _CHAINS = 8 * emit.LENGTH, 8 * emit.CHAIN, 8 * emit.CHAINS
_CHAIN_STEP = 8 * emit.CHAIN_STEP

#: Chains that a block of a product with a vector is cut into. Others add such products up in the
#: lanes of vectors, with errors that so many chains come close to.
VECTOR_CHAINS = 6


@kernel
def set_length(args, length, vector):
    """Terms of each segment: one chain, or several if one factor of the product is a vector."""
    chain = max(length, 1)
    if vector != 0:
        shortest = VECTOR_CHAINS * emit.STEP
        chain = max((length + shortest - 1) // shortest, 1) * emit.STEP
    store_i64(args + _LENGTH, length)
    store_i64(args + _CHAIN, chain)
    store_i64(args + _CHAIN_STEP, emit.STEP)
    store_i64(args + _CHAINS, max(length - 1, 0) // chain)


@kernel
def tile_rows(microkernel, args, rows, mr_max, nv, a_offsets, p_offsets, c_offsets):
    """Cover `rows` rows with tiles of at most `mr_max`, their heights as even as can be."""
    tiles = (rows + mr_max - 1) // mr_max
    small = rows // tiles
    larger = rows - small * tiles
    row = 0
    for tile in range(tiles):
        mr = small + (1 if tile < larger else 0)
        store_i64(args + _A_OFFSETS, a_offsets + 8 * row)
        store_i64(args + _P_OFFSETS, p_offsets + 8 * row)
        store_i64(args + _C_OFFSETS, c_offsets + 8 * row)
        call_microkernel(microkernel, mr, nv, args)
        row += mr


@kernel
def sweep_panels(
    microkernel, args, rows, a_offsets, p_offsets, c_offsets,
    first, end, columns, lanes, size, mr_table, b, b_pitch, b_stride, b_tail, p, c, bias,
):
    """Apply the microkernel to `rows` rows and the panels `first..end-1` of `columns` columns.

    `mr_table` holds the tile height for each panel width, eight bits a width; its length in vectors
    is that of a full panel. `size` is the bytes of an element. `p`, `c` and `bias` point to column
    0; a `bias` of 0 is none.
    """
    widest = 0
    while (mr_table >> (8 * widest)) != 0:
        widest += 1
    nr = lanes * widest
    for panel in range(first, end):
        valid = min(nr, columns - panel * nr)
        nv = (valid + lanes - 1) // lanes
        shift = size * panel * nr
        if valid == nr:
            store_i64(args + _B, b + panel * b_pitch)
            store_i64(args + _B_STRIDE, b_stride)
        else:
            store_i64(args + _B, b_tail)
            store_i64(args + _B_STRIDE, size * lanes * nv)
        store_i64(args + _P, p + shift)
        store_i64(args + _C, c + shift)
        store_i64(args + _BIAS, 0 if bias == 0 else bias + shift)
        store_i64(args + _LANES, valid - (nv - 1) * lanes)
        mr_max = (mr_table >> (8 * (nv - 1))) & 255
        tile_rows(microkernel, args, rows, mr_max, nv, a_offsets, p_offsets, c_offsets)


@kernel
def balance(n, team, tid):
    """First item of member `tid`: oneDNN's balance211, `balance(n, team, tid + 1)` its end."""
    small = n // team
    return tid * small + min(tid, n - small * team)
