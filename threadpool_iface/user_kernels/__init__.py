"""Compiled task bodies: an `@njit` function is a task of `parallel`, `parallel_for` and their like.

    dispatch        from Python: which launcher runs a body
    launchers       a compiled function for each body that starts its region, and its disk cache
    nopython_calls  from other compiled code: the same functions, made known to numba
    bodies          a body's compiled form: checked, typed, called from LLVM
    regions         the task that a region runs, as LLVM, and how its failure reaches the caller
    points          parallel_nd, upon loops
    chunks          parallel_reduce and parallel_scan, upon loops
    failures        the exceptions that a region's codes stand for

Nothing here is imported before the first compiled body, or numba itself, asks for it.
"""
