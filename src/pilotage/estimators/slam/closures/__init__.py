"""Loop closures: where a robot may be back at a place it has seen, and which of these measurements to believe.

- `drift`: the uncertainty of a pose relative to all others, which says where to search
- `PairHistogram`, `similarity`: descriptors that find places that look alike
- `Closure`, `disagreement`, `consistent`: the closures that agree with each other
"""

from __future__ import annotations

from .consistency import Closure as Closure
from .consistency import consistent as consistent
from .consistency import disagreement as disagreement
from .descriptor import PairHistogram as PairHistogram
from .descriptor import similarity as similarity
from .drift import drift as drift

__all__ = ["Closure", "PairHistogram", "consistent", "disagreement", "drift", "similarity"]
