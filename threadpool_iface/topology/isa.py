"""Which vector and matrix instructions every CPU of the machine has, from /proc/cpuinfo."""

from __future__ import annotations

from .files import read_text

#: Our name for a feature, and the kernel's flags that it takes.
_FEATURES = {
    "avx2": {"avx2", "fma"},
    "f16c": {"f16c"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx_vnni": {"avx_vnni"},
    "avx512_vnni": {"avx512_vnni"},
    "avx512_bf16": {"avx512_bf16"},
    "avx512_fp16": {"avx512_fp16"},
    "amx_tile": {"amx_tile"},
    "amx_int8": {"amx_int8"},
    "amx_bf16": {"amx_bf16"},
    "amx_fp16": {"amx_fp16"},
    "neon": {"asimd"},
    "fp16": {"asimdhp"},
    "dotprod": {"asimddp"},
    "bf16": {"bf16"},
    "i8mm": {"i8mm"},
    "sve": {"sve"},
    "sve2": {"sve2"},
    "sme": {"sme"},
}
_FLAGS = ("flags", "Features")
_MODELS = ("model name", "Hardware", "cpu model", "uarch")


def read_isa(root: str = "") -> tuple[str, ...]:
    """The features that all CPUs have, such as ("avx2", "f16c", "avx512", "amx_bf16").

    "avx512" stands for the subset that Skylake's servers brought: F, BW, DQ and VL.
    """
    lines = {text for key, text in _fields(root) if key in _FLAGS}
    flags = set.intersection(*(set(line.split()) for line in lines)) if lines else set()
    return tuple(name for name, needed in _FEATURES.items() if needed <= flags)


def read_model(root: str = "") -> str:
    """The CPU's name as the kernel gives it; empty where it gives none, as on most of ARM."""
    return next((text for key, text in _fields(root) if key in _MODELS), "")


def _fields(root: str) -> list[tuple[str, str]]:
    lines = (read_text(f"{root}/proc/cpuinfo") or "").splitlines()
    pairs = (line.partition(":") for line in lines)
    return [(key.strip(), text.strip()) for key, _, text in pairs]
