"""Beliefs of many targets in tables, a row for each: the engine of batches of filters with several models."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import FilterRun, FilterStatus, Gaussian, Mixture, Sensor, Update
from ..core.results import DeferredUpdate
from ..models.trace._access import has_code
from ._causes import why_prediction, why_update
from ._engine import Engine, Link, followed
from ._gaussian import moments_on
from ._inputs import action, context_of, once_or_rows, reading_of, rows, unflat
from ._jobs import Record, job
from ._launch import Work, launch_rows, measurement, prediction
from ._mixing import Mixing, imm_mix_rows, imm_weigh_rows
from ._steps import PREDICTION_FAILED
from ._switching import joint
from ._timeline import Timeline

if TYPE_CHECKING:
    from ._modes import SeveralModels

ACCEPTED, NO_READING = int(FilterStatus.ACCEPTED), int(FilterStatus.NO_READING)
REMEMBERED = 16
"""Models whose jobs are kept."""


class ModeRows(Engine):
    """Filters of several models for many targets: for each component a table of beliefs, with a row for each target.

    Args:
        estimator: the settings.
        batch: leading axes of the belief.
        belief: with a component for each of the estimator; it may have fewer leading axes.
        alone: whether beliefs are those of the only component, not mixtures.

    Attributes:
        tables: beliefs as the filter of each component keeps them, ``(B, numbers)``.
        weights: of the components, ``(B, M)``.
    """

    def __init__(
        self, estimator: SeveralModels, batch: tuple[int, ...], belief: Mixture, *, alone: bool = False
    ) -> None:
        self.estimator, self.batch, self.alone = estimator, batch, alone
        self.tables, self.weights = self._packed(belief, batch)
        self._build()

    def _build(self) -> None:
        estimator = self.estimator
        self._parts = estimator.components
        self._jobs = [record(filter, model) for filter, model in self._parts]
        self._at = np.array([each.at for each in self._jobs], dtype=np.int64)
        self._sizes = np.array([filter.numbers(model.state) for filter, model in self._parts], dtype=np.int64)
        self._mixing = Mixing(self._parts).memory
        self._work: dict[tuple[int, ...], Work] = {}
        self._shown = lambda: None

    def __getstate__(self) -> dict[str, Any]:
        tables, weights = self.save()
        own = {"estimator": self.estimator, "batch": self.batch, "alone": self.alone}
        return {**own, "tables": tables, "weights": weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._build()

    @property
    def dynamics(self) -> tuple[Any, ...]:
        return tuple(model for _, model in self._parts)

    @property
    def first(self) -> Any:
        return self._parts[0][1]

    @property
    def belief(self) -> Any:
        return self.part(slice(None), self.batch)

    @belief.setter
    def belief(self, belief: Any) -> None:
        self.tables, self.weights = self._packed(self.own(belief), self.batch)

    def own(self, belief: Any) -> Mixture:
        """A belief with a component for each of the estimator."""
        return self.estimator.accepted(Mixture([moments_on(belief)]) if self.alone else belief)

    def part(self, where: Any, batch: tuple[int, ...]) -> Any:
        """The belief of these rows, with these leading axes."""
        tables, weights = self._taken(where)
        return self.mixture([table.copy() for table in tables], weights, batch)

    def put(self, where: Any, belief: Mixture) -> None:
        """Replace these rows by a belief with a single leading axis, or none for all."""
        self._let_go()
        self._put(where, *self._packed(belief, (len(where),)))

    def _packed(self, belief: Mixture, batch: tuple[int, ...]) -> tuple[list[np.ndarray], np.ndarray]:
        """Tables and weights, of rows that are nobody else's."""
        tables = list[np.ndarray]()
        for (filter, model), part in zip(self.estimator.components, belief.components, strict=True):
            tables.append(rows(filter.pack(moments_on(part, model.state)), batch, what="belief"))
        return tables, np.array(rows(belief.weights, batch, what="belief"))

    def mixture(self, tables: Any, weights: np.ndarray, batch: tuple[int, ...]) -> Any:
        """The belief in tables that nobody else changes, with these leading axes."""
        parts = zip(self._parts, tables, strict=True)
        each = tuple(f.unpack(model.state, unflat(table, batch)) for (f, model), table in parts)
        with np.errstate(divide="ignore"):
            return each[0] if self.alone else Mixture.trusted(each, np.log(unflat(weights, batch)))

    def predict(self, u: Any, dt: float) -> None:
        self.predict_rows(slice(None), action(u, self.first.action), dt, self.batch)

    def predict_rows(self, where: Any, u: np.ndarray, dt: float, batch: tuple[int, ...]) -> np.ndarray:
        """Predict these rows, of the leading axes `batch`, under actions ``(..., m)``; a status for each row."""
        self._let_go()
        tables, weights = self._taken(where)
        each = u.ndim > 1
        u = once_or_rows(u, batch, 1, "action") if each else u
        codes = self._moved(tables, weights, u, dt)
        self._put(where, tables, weights)
        status = outcome(codes)
        for i in np.flatnonzero(status):
            j = int(codes[i].argmax())
            filter, model = self._parts[j]
            alone, ui = filter.unpack(model.state, tables[j][i].copy()), u[i] if each else u
            status[i] = why_prediction(model, alone, ui, dt, filter.jacobian)
        return status

    def predict_tables(self, tables: list[np.ndarray], weights: np.ndarray, u: np.ndarray, dt: float) -> np.ndarray:
        """Predict rows of these tables in place, under one action; a row that fails stays, and has a code above 0."""
        return outcome(self._moved(tables, weights, u, dt))

    def _moved(self, tables: list[np.ndarray], weights: np.ndarray, u: np.ndarray, dt: float) -> np.ndarray:
        """Predict the rows of tables; the code of each component, ``(B, M)``. Rows with a bad code are as before."""
        before, T = self._copied(tables, weights, self.dynamics), self.estimator.chain(dt)
        hows = list[np.ndarray]()
        if T is not None and len(tables) > 1:
            at = np.array([table.ctypes.data for table in tables], dtype=np.int64)
            imm_mix_rows.compiled(self._at, at, self._sizes, weights, T, int(self.estimator.pooled), *self._mixing)
        try:
            for j, table in enumerate(tables):
                how, _ = self._launched(j, table, prediction(self._parts[j][1], u, dt))
                hows.append(how)
        except BaseException:
            self._undo(tables, weights, before)
            raise
        codes = together(hows)
        codes *= codes == PREDICTION_FAILED
        self._undo(tables, weights, before, codes)
        return codes

    def update_tables(
        self, tables: list[np.ndarray], weights: np.ndarray, mounted: Sequence[Any], z: np.ndarray, context: Any
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Update rows of these tables in place, with sensors that were checked.

        Gives the codes ``(B, M)`` and what each component found, ``(B, 1, ...)``.
        """
        hows, founds = list[np.ndarray](), list[np.ndarray]()
        for j, (h, table) in enumerate(zip(mounted, tables, strict=True)):
            how, found = self._launched(j, table, measurement(h, z, context))
            hows.append(how)
            founds.append(found)
        return together(hows), founds

    def attach(self, sensor: Sensor) -> Link:
        return RowsLink(self, sensor)

    def update_rows(self, where: Any, sensor: Sensor, z: Any, context: Any, batch: tuple[int, ...]) -> Update:
        """Update these rows, of the leading axes `batch`, with readings ``(..., k)``."""
        self._let_go()
        tables, weights = self._taken(where)
        mounted = [sensor.on(model.state) for _, model in self._parts]
        for (filter, _), h in zip(self._parts, mounted, strict=True):
            filter.check_sensor(h)
        prior, before, count = weights.copy(), self._copied(tables, weights, mounted), len(weights)
        z, given = rows(reading_of(z, mounted[0]), batch, what="reading"), context_of(context, mounted[0])
        if sensor.context is not None:
            given = once_or_rows(given, batch, 1, "context")
            given = given if len(given) == count else given[0]
        try:
            codes, each = self.update_tables(tables, weights, mounted, z, given)
        except BaseException:
            self._undo(tables, weights, before)
            raise
        status, founds = outcome(codes), [found[:, 0] for found in each]
        logs = np.stack([found[:, -1] for found in founds], axis=-1)
        if len(tables) > 1:
            imm_weigh_rows.compiled(weights, logs, self.estimator.least, status)
        self._undo(tables, weights, before, codes)
        self._put(where, tables, weights)
        for i in np.flatnonzero(status > NO_READING):
            status[i] = self._why(int(codes[i].argmax()), int(i), mounted, tables, founds, z, given)
        kept = Shown(tables)
        if isinstance(where, slice):
            self._shown = weakref.ref(kept)
        packed = mounted[0], kept, weights.copy(), prior, founds, logs, z, status, batch
        return DeferredUpdate(self._results, packed, unflat(status, batch))

    def _why(self, j: int, i: int, mounted: Any, tables: Any, founds: Any, z: Any, given: Any) -> FilterStatus:
        """The cause of an update of row i that failed in component j."""
        (filter, model), h = self._parts[j], mounted[j]
        k, m = h.reading.size, h.reading.dim
        S = founds[j][i, k + m : k + m + m * m].reshape(m, m)
        c = given[i] if h.context is not None and given.ndim > 1 else given
        return why_update(h, filter.unpack(model.state, tables[j][i].copy()), z[i], c, S, filter)

    def _results(self, packed: Any) -> tuple[Any, ...]:
        """Fields of an update."""
        sensor, tables, weights, prior, founds, logs, z, status, batch = packed
        reading, failed = sensor.reading, status > NO_READING
        k, m = reading.size, reading.dim
        parts = list[Gaussian]()
        for found in founds:
            mean, S = found[:, :k].copy(), found[:, k + m : k + m + m * m].reshape(-1, m, m).copy()
            mean[failed], S[failed] = reading.identity(), np.eye(m)
            parts.append(Gaussian.trusted(reading, mean, S))
        logs[failed], z[failed] = 0.0, reading.identity()
        with np.errstate(divide="ignore"):
            found = joint(reading, tuple(parts), np.log(prior), logs, z)
        for each in found:
            each[failed] = np.nan
        return self.mixture(tables.own(), weights, batch), *(unflat(each, batch) for each in found)

    def _launched(self, j: int, table: np.ndarray, steps: Timeline) -> tuple[np.ndarray, np.ndarray]:
        """`launch_rows` of component j, with what was made for the same model before."""
        filter, model = self._parts[j]
        key = j, *map(id, steps.sensors)
        if key not in self._work:
            if len(self._work) >= REMEMBERED:
                self._work.clear()
            self._work[key] = Work(filter, model.state, steps)
        return launch_rows(filter, model.state, table, steps, (len(table),), work=self._work[key])

    def _let_go(self) -> None:
        """Let an update that still shows the tables have copies of them, before they change."""
        if shown := self._shown():
            shown.own()
        self._shown = lambda: None

    def _taken(self, where: Any) -> tuple[list[np.ndarray], np.ndarray]:
        """Tables and weights of these rows: views for a slice, else copies."""
        return [table[where] for table in self.tables], self.weights[where]

    def _put(self, where: Any, tables: list[np.ndarray], weights: np.ndarray) -> None:
        if not isinstance(where, slice):
            for table, new in zip(self.tables, tables, strict=True):
                table[where] = new
            self.weights[where] = weights

    def _copied(self, tables: list[np.ndarray], weights: np.ndarray, models: Sequence[Any]) -> Any:
        """What taking back needs: nothing for one model with code, which raises no error; a row that fails stays."""
        if len(tables) == 1 and has_code(type(models[0])):
            return None
        return [table.copy() for table in tables], weights.copy()

    def _undo(self, tables: list[np.ndarray], weights: np.ndarray, before: Any, codes: Any = None) -> None:
        """Take back the rows in which a component failed; without codes all, since a model raised an error."""
        if before is None:
            return
        if codes is None:
            self._take_back(tables, weights, before, slice(None))
        elif (failed := (codes > NO_READING).any(1)).any():
            self._take_back(tables, weights, before, failed)

    def _take_back(self, tables: list[np.ndarray], weights: np.ndarray, before: Any, which: Any) -> None:
        for table, old in zip(tables, before[0], strict=True):
            table[which] = old[which]
        weights[which] = before[1][which]

    def run(self, steps: Timeline) -> FilterRun:
        return followed(self, steps)

    def save(self) -> Any:
        return [table.copy() for table in self.tables], self.weights.copy()

    def restore(self, saved: Any, which: Any = slice(None)) -> None:
        """Belief as it was saved, of these rows."""
        self._let_go()
        self._take_back(self.tables, self.weights, saved, which)


class Shown:
    """Tables that an update shows, which are copied where they change while somebody may still ask for them."""

    def __init__(self, tables: list[np.ndarray]) -> None:
        self._tables, self._copied = tables, False

    def own(self) -> list[np.ndarray]:
        """The tables, which nobody else changes from now on."""
        if not self._copied:
            self._tables, self._copied = [table.copy() for table in self._tables], True
        return self._tables


class RowsLink(Link):
    """A sensor of `ModeRows`."""

    def __init__(self, engine: ModeRows, sensor: Sensor) -> None:
        self._engine, self._sensor = engine, sensor

    def update(self, z: Any, context: Any) -> Update:
        return self._engine.update_rows(slice(None), self._sensor, z, context, self._engine.batch)

    def step(self, u: Any, dt: float, z: Any, context: Any) -> Update:
        self._engine.predict(u, dt)
        return self.update(z, context)


def record(filter: Any, model: Any) -> Record:
    """The job that mixing needs of a filter, for states of this model."""
    state = model.state
    return job(
        filter.inner[:2],
        state,
        False,
        filter.numbers(state),
        filter.constants(state),
        transports=filter.transports,
        vectors=filter.vectors(state),
    )


def together(hows: list[np.ndarray]) -> np.ndarray:
    """The codes of all components ``(B, M)``, from those of each ``(B, 1)``."""
    return hows[0] if len(hows) == 1 else np.concatenate(hows, axis=1)


def outcome(codes: np.ndarray) -> np.ndarray:
    """The status of each row from those of its components ``(B, M)``: the first failure, or whether none accepted."""
    if codes.shape[1] == 1:
        return codes[:, 0].copy()
    worst = np.where(codes > NO_READING, codes, ACCEPTED).max(1)
    return np.where(worst > 0, worst, np.where((codes != ACCEPTED).all(1), codes[:, -1], ACCEPTED))
