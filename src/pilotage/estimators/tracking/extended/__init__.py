"""Extended objects: targets that cause several detections in a scan, such as cars in front of a lidar.

`GGIWPMBM` and `GGIWPHD` take the place of the association of a `Tracker`, whose tracks then have an outline: position,
motion, rate of points and extent are one belief.
"""

from __future__ import annotations

from .distance_partitions import DistancePartitions as DistancePartitions
from .ellipse import Ellipse as Ellipse
from .extent import Extent as Extent
from .extent import Outline as Outline
from .ggiw_phd import GGIWPHD as GGIWPHD
from .ggiw_pmbm import GGIWPMBM as GGIWPMBM
from .lidar_scene import LidarScene as LidarScene
from .lidar_scene import lidar_traffic as lidar_traffic
from .line_of_sight import LineOfSight as LineOfSight
from .partitions import Nearby as Nearby
from .partitions import Partitions as Partitions
from .prediction_partitions import PredictionPartitions as PredictionPartitions
from .rectangle import Rectangle as Rectangle
from .rectangle_fit import fit_rectangle as fit_rectangle
from .sampled_partitions import SampledPartitions as SampledPartitions
from .thinning import thinned as thinned
from .wasserstein import SHAPE as SHAPE
from .wasserstein import shape_of as shape_of
from .wasserstein import shape_table as shape_table
from .wasserstein import wasserstein as wasserstein

__all__ = [
    "GGIWPHD",
    "GGIWPMBM",
    "SHAPE",
    "DistancePartitions",
    "Ellipse",
    "Extent",
    "LidarScene",
    "LineOfSight",
    "Nearby",
    "Outline",
    "Partitions",
    "PredictionPartitions",
    "Rectangle",
    "SampledPartitions",
    "fit_rectangle",
    "lidar_traffic",
    "shape_of",
    "shape_table",
    "thinned",
    "wasserstein",
]
