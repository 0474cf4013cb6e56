"""How many instances of a program, on how many cores each: measured, for `threadpool-iface map`.

`configurations` lists what is tried, `instances` runs one configuration, `statistics` makes figures
of what it reported, `measuring` runs all in turns, `store` keeps them, `choice` says which is best,
`picture` draws them.
"""

from .choice import Map
from .configurations import Configuration, configurations
from .measuring import Progress, measure
from .statistics import Run

__all__ = ["Configuration", "Map", "Progress", "Run", "configurations", "measure"]
