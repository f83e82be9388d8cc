"""Fusion: the rule by which a `TrackFuser` joins the track of a source with its own."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ....core import Gaussian


class Fusion(ABC):
    """Base of the rules by which a `TrackFuser` joins what a source says of a target with what it knows itself.

    Example:
        >>> import numpy as np
        >>> class Better(Fusion):
        ...     "The belief that is more certain."
        ...
        ...     def fuse(self, central, source, common):
        ...         best = np.linalg.det(source.cov) < np.linalg.det(central.cov)
        ...         mean = np.where(best[:, None], source.mean, central.mean)
        ...         return Gaussian(central.space, mean, np.where(best[:, None, None], source.cov, central.cov))
    """

    @abstractmethod
    def fuse(self, central: Gaussian, source: Gaussian, common: Gaussian | None) -> Gaussian:
        """The fused beliefs.

        Args:
            central: beliefs of the fuser, with a leading axis ``(N,)``.
            source: beliefs of the source over the same targets and at the same time.
            common: what both knew after the last message between them, predicted to this time; None if there was no
                message about these targets.
        """
