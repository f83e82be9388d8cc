"""Fits on disk: one that was interrupted ends with the same model, and what does not fit is refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import FormatError, PilotageError, SettingError, ShapeError, Space
from pilotage.learning import (
    DropoutMLP,
    FitSettings,
    GaussianHead,
    LearnedDynamics,
    ParametricDynamics,
    ResidualDynamics,
    TensorBoard,
    fit,
    fit_parameters,
    read_settings,
)
from pilotage.learning.regression import Regression
from pilotage.models import pendulum

REAL, SWING, DT = pendulum(damping=0.4), pendulum(damping=0.1), 0.05
US = np.random.default_rng(0).uniform(-2.0, 2.0, (12, 8, 1))
XS = REAL.rollout(REAL.state.sample(12, rng=0), US, DT)
GIVEN: dict[str, Any] = {"epochs": 6, "batch": 32}
HEADS: Any = lambda i, o: GaussianHead.ensemble(2, i, o, hidden=(8,))
MASKS: Any = lambda i, o: DropoutMLP(i, o, hidden=(8,))
MODELS: dict[str, tuple[Callable[..., Any], Any, list[Any]]] = {
    "residual": (
        fit,
        lambda: ResidualDynamics(SWING, lambda i, o: GaussianHead.ensemble(2, i, o, hidden=(8,))),
        [SWING],
    ),
    "learned": (
        fit,
        lambda: LearnedDynamics(SWING.state, SWING.action, lambda i, o: DropoutMLP(i, o, hidden=(8,))),
        [],
    ),
    "parametric": (fit_parameters, lambda: ParametricDynamics(SWING, {"damping": (0.0, 1.0)}), [SWING]),
}


def ends_after(epoch: int) -> Callable[[Any], None]:
    def progress(seen: Any) -> None:
        if seen.number == epoch:
            raise KeyboardInterrupt

    return progress


def same(a: Any, b: Any) -> None:
    x, u = SWING.state.sample(5, rng=1), SWING.action.sample(5, rng=2)
    np.testing.assert_array_equal(a.step(x, u, DT), b.step(x, u, DT))
    np.testing.assert_array_equal(a.noise(x, u, DT), b.noise(x, u, DT))


@pytest.mark.parametrize(("train", "make", "prior"), MODELS.values(), ids=MODELS)
def test_a_fit_that_was_interrupted_ends_with_the_same_model(
    train: Any, make: Any, prior: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = train(make(), XS, US, DT, rng=5, **GIVEN)
    schedule = Regression.schedule
    monkeypatch.setattr(Regression, "schedule", lambda *given: {**schedule(*given), "save_every": 2})
    with pytest.raises(KeyboardInterrupt):
        train(make(), XS, US, DT, rng=5, folder=tmp_path, progress=ends_after(4), **GIVEN)
    seen: list[Any] = []
    found = train(make(), XS, US, DT, folder=tmp_path, resume=True, progress=seen.append, **GIVEN)
    assert (found.epochs, found.seed) == (reference.epochs, 5)
    assert [epoch.number for epoch in seen] == [4, 5, 6], "it went on from a checkpoint"
    same(found.model, reference.model)
    same(type(found.model).load(tmp_path, *prior), reference.model)
    again = train(make(), XS, US, DT, folder=tmp_path, resume=True, **GIVEN)  # one that has ended
    same(again.model, reference.model)
    assert again.epochs == reference.epochs


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_to_episodes_of_any_lengths_is_kept_and_resumed(name: str, tmp_path: Path) -> None:
    train, make, _ = MODELS[name]
    xs, us = [XS[0], XS[1][:4], XS[2][:7]], [US[0], US[1][:3], US[2][:6]]
    first = train(make(), xs, us, DT, rng=5, folder=tmp_path, **GIVEN)
    again = train(make(), xs, us, DT, folder=tmp_path, resume=True, **GIVEN)
    assert again.epochs == first.epochs
    same(again.model, first.model)
    with pytest.raises(SettingError, match="states, actions or initial weights differ"):
        train(make(), [xs[1], xs[0], xs[2]], [us[1], us[0], us[2]], DT, folder=tmp_path, resume=True, **GIVEN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("fit")
    fit(ResidualDynamics(SWING), XS, US, DT, rng=5, folder=found, **GIVEN)
    return found


def test_the_settings_of_a_fit_are_kept(folder: Path) -> None:
    kept = read_settings(folder, FitSettings)
    assert (kept.epochs, kept.batch, kept.seed, kept.dt) == (6, 32, 5, DT)


OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "epochs": ({"epochs": 7}, "epochs is 7, .* begun with 6"),
    "batch": ({"batch": 31}, "batch is 31, .* begun with 32"),
    "rate": ({"rate": 0.1}, "rate is 0.1, .* begun with 0.003"),
    "held_out": ({"held_out": 0.2}, "held_out is 0.2"),
    "rng": ({"rng": 6}, "rng is 6, .* begun with 5; give rng=5"),
    "generator": ({"rng": np.random.default_rng(0)}, "rng is a Generator"),
    "states": ({"states": XS + 1e-9}, "states, actions or initial weights differ"),
    "not resumed": ({"resume": False}, "resume=True continues it"),
    "no folder": ({"folder": None}, "resume=True needs the folder"),
    "resume": ({"resume": "yes"}, "resume is 'yes'"),
}


@pytest.mark.parametrize(("other", "said"), OTHER.values(), ids=OTHER)
def test_other_settings_or_data_are_refused(other: dict[str, Any], said: str, folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    given = {"states": XS, "actions": US, "dt": DT, "folder": folder, "resume": True, **GIVEN, **other}
    with pytest.raises(SettingError, match=said):
        fit(ResidualDynamics(SWING), **given)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_another_architecture_is_refused(folder: Path) -> None:
    """Its initial weights differ."""
    wide = ResidualDynamics(SWING, lambda i, o: GaussianHead.ensemble(2, i, o))
    with pytest.raises((SettingError, FormatError), match="weights differ|architecture"):
        fit(wide, XS, US, DT, folder=folder, resume=True, **GIVEN)


def test_curves_of_a_fit_for_tensorboard(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with TensorBoard(tmp_path) as board:
        found = fit(ResidualDynamics(SWING), XS, US, DT, rng=0, progress=board, **GIVEN)
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    for name in ("loss", "validation"):
        curve = [(event.step, event.value) for event in events.Scalars(name)]
        assert curve == [(epoch.number, pytest.approx(getattr(epoch, name))) for epoch in found.epochs]


RAGGED = [[[0.0, 0.0]] * 3, [[0.0, 0.0]] * 2]
HUGE = XS + np.where(np.arange(9)[:, None] % 2, 1.5e308, -1.5e308)
DATA: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "ragged episodes": (RAGGED, [[[0.0]] * 2, [[0.0]] * 1], ShapeError, "states"),
    "as many actions as states": (XS, np.zeros((12, 9, 1)), ShapeError, r"\(12, 9, 2\).*\(12, 9, 1\)"),
    "other episodes": (XS, US[:3], ShapeError, r"\(3, 8, 1\)"),
    "other components": (XS[..., :1], US, ShapeError, "states"),
    "one transition": (XS[:1, :2], US[:1, :1], ShapeError, "1 transitions are too few"),
    "no transition": (XS[:0], US[:0], ShapeError, "0 transitions are too few"),
    "NaN": (np.where(XS[3, 4, 1] == XS, np.nan, XS), US, PilotageError, "states"),
    "infinite actions": (XS, np.where(US[2, 2, 0] == US, np.inf, US), PilotageError, "actions"),
    "numbers with infinite squares": (XS * [1.0, 1e200], US, PilotageError, "velocities up to"),
    "huge numbers": (HUGE, US, PilotageError, "velocity of transition|velocities up to"),
    "actions with infinite squares": (XS, US * 1e200, PilotageError, "features are up to|velocity of transition"),
    "text": ("fast", US, ShapeError, "states"),
}


@pytest.mark.parametrize(("xs", "us", "kind", "said"), DATA.values(), ids=DATA)
@pytest.mark.parametrize("name", MODELS)
def test_data_that_do_not_fit_are_refused(name: str, xs: Any, us: Any, kind: Any, said: str) -> None:
    train, make, _ = MODELS[name]
    with pytest.raises(kind, match=said):
        train(make(), xs, us, DT, epochs=1, rng=0)


def test_processes_need_a_common_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would hold out different data."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match="rng is None"):
        fit(ResidualDynamics(SWING), XS, US, DT)


def test_models_that_are_not_fitted_are_refused() -> None:
    for wrong in (SWING, ParametricDynamics(SWING, {"damping": (0.0, 1.0)}), LearnedDynamics):
        with pytest.raises(SettingError, match="fit needs ResidualDynamics or LearnedDynamics"):
            fit(wrong, XS, US, DT)  # type: ignore[type-var]
    with pytest.raises(SettingError, match="fit_parameters needs"):
        fit_parameters(ResidualDynamics(SWING), XS, US, DT)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="LearnedDynamics needs"):
        LearnedDynamics(Space("x"), None)  # type: ignore[arg-type]
