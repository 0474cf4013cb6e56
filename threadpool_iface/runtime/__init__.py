"""Running on chosen cores: `pin` for a block or function, `Task` beside the caller, `MultiStream`
for batches; `report` for programs that `threadpool-iface map` measures."""

from ..launcher.instance import report_throughput as report

__all__ = ["report"]
