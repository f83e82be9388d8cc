"""Building blocks of networks, each rebuilt from its `settings`: torch's own layers wherever it has them.

- `MLP`, `Ensemble`, `DropoutMLP`, `GaussianHead`: perceptrons, several at once, with masks, with a variance
- `Residual`, `Trigonometric`, `Normalized`: inputs
- `ConvEncoder`, `ConvDecoder`, `Recurrent`: images and sequences
- `DeepSet`, `SetAttention`, `GraphNetwork`: sets of objects with masks, and graphs
- `Network`: the base of all blocks
"""

from __future__ import annotations

from .attention import SetAttention as SetAttention
from .convolution import ConvDecoder as ConvDecoder
from .convolution import ConvEncoder as ConvEncoder
from .deep_set import DeepSet as DeepSet
from .dropout import DropoutMLP as DropoutMLP
from .ensemble import Ensemble as Ensemble
from .gaussian_head import GaussianHead as GaussianHead
from .graph import GraphNetwork as GraphNetwork
from .inputs import Normalized as Normalized
from .inputs import Residual as Residual
from .inputs import Trigonometric as Trigonometric
from .mlp import MLP as MLP
from .network import Network as Network
from .network import Outputs as Outputs
from .recurrent import Recurrent as Recurrent

__all__ = [
    "MLP",
    "ConvDecoder",
    "ConvEncoder",
    "DeepSet",
    "DropoutMLP",
    "Ensemble",
    "GaussianHead",
    "GraphNetwork",
    "Network",
    "Normalized",
    "Recurrent",
    "Residual",
    "SetAttention",
    "Trigonometric",
]
