"""The cost model's machine: one core of a server CPU with AVX-512, in round numbers.

Only ratios matter, and only to weigh balance against traffic and the cost of going parallel; they
choose a grid and can change no result.
"""

from __future__ import annotations

#: About 60-80 % of what one core's FMA units give; a guess that suits AVX-512 machines.
FLOPS_PER_SECOND = 150e9
#: From outside L2, one core: 13-26 GB/s were measured between L3 and memory.
BYTES_PER_SECOND = 20e9
#: A region, whatever it does: a round trip is about 0.5 us hot and 1-3 us after the caller worked
#: alone for a millisecond (`python -m bench --sections latency`).
REGION_SECONDS = 1.5e-6
