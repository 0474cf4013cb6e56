"""What networks need beside sums of products: functions, arithmetic, normalisation, copies."""

from .batch_norm import BatchNorm
from .binary import Binary
from .concat import Concat
from .eltwise import Eltwise
from .reorder import Reorder
from .softmax import Softmax

__all__ = ["BatchNorm", "Binary", "Concat", "Eltwise", "Reorder", "Softmax"]
