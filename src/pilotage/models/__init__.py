"""Models written once: a function of scalar components, from which every backend is derived."""

from __future__ import annotations

from .bind import FAST as FAST
from .bind import STRICT as STRICT
from .bind import bind as bind
from .bind import parameters as parameters
from .cache import cache_folder as cache_folder
from .cache import clear_cache as clear_cache
from .traced_dynamics import TracedDynamics as TracedDynamics
from .traced_dynamics import discrete_dynamics as discrete_dynamics
from .traced_dynamics import dynamics as dynamics
from .traced_sensor import TracedSensor as TracedSensor
from .traced_sensor import sensor as sensor
from .traced_task import TracedTask as TracedTask
from .traced_task import task as task
