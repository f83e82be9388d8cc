"""Settings that the filters of extended objects share: the objects, and how their points are divided."""

from __future__ import annotations

from ....core.errors import SettingError
from ....core.settings import instances, settings
from .._state import Hypotheses, Parts
from ._body_targets import BodyTargets
from .distance_partitions import DistancePartitions
from .ellipse import Ellipse
from .extent import Extent
from .line_of_sight import LineOfSight
from .partitions import Partitions
from .prediction_partitions import PredictionPartitions
from .sampled_partitions import SampledPartitions

Ways = tuple[Partitions, ...]


@settings
class ExtendedObjects(Hypotheses):
    """Base of the settings of filters of extended objects; see `GGIWPMBM`."""

    extent: Extent | tuple[Extent, ...] = Ellipse()
    partitions: Partitions | tuple[Partitions, ...] = (
        DistancePartitions(),
        PredictionPartitions(),
        SampledPartitions(steps=10),
    )
    sight: LineOfSight | None = None

    @property
    def ways(self) -> Ways:
        """The ways in which points are divided."""
        given = (self.partitions,) if isinstance(self.partitions, Partitions) else self.partitions
        return instances(given, Partitions, type(self).__name__)

    @property
    def kinds(self) -> tuple[Extent, ...]:
        """The kinds of objects."""
        given = (self.extent,) if isinstance(self.extent, Extent) else self.extent
        found = instances(given, Extent, type(self).__name__)
        if not found or not self.ways:
            raise SettingError(f"{type(self).__name__} has no extent or no partitions; give one of each at least")
        return found

    def bodies(self, parts: Parts) -> BodyTargets:
        """The filter of single objects."""
        return BodyTargets(parts.targets, self.kinds, self.sight)
