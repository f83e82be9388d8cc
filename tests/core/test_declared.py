"""Models that forget a space, or give something else, and sensors behind bigger states: errors name what they mean."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, Gaussian, ModelError, Sensor, Space, SpaceError
from pilotage.estimators import EKF, UKF, ParticleFilter
from pilotage.models import gnss

LINE, WIDE = Space("x [m]"), Space("x [m]", "vx [m/s]")


class Forgetful(Dynamics):
    """Has no state."""

    action = Space()

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return x


class Tape(Sensor):
    """Reads too much."""

    state, reading = LINE, Space("tape [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.concatenate([x, x], -1)

    def noise(self, x: Any, context: Any = None) -> Any:
        return np.eye(1)


@dataclass(frozen=True)
class Settled(Dynamics):
    """Declares its spaces as fields."""

    state: Space
    action: Space

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return x


@pytest.mark.parametrize("use", [
    lambda: EKF(Forgetful(), dt=0.1).start(mean=[0.0], std=1.0),
    lambda: ParticleFilter(Forgetful(), dt=0.1).start(mean=[0.0], std=1.0),
    lambda: Forgetful().linearize(np.zeros(1), np.zeros(0), 0.1),
    lambda: Forgetful().noise(np.zeros(1), np.zeros(0), 0.1),
])  # fmt: skip
def test_a_missing_space_is_a_sentence(use: Any) -> None:
    with pytest.raises(ModelError, match=r"Forgetful has no state; declare it: state = Space\(...\)"):
        use()


def test_an_answer_of_another_shape_is_a_sentence() -> None:
    class Short(Settled):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            return x[..., :1]

    class Silent(Settled):
        def step(self, x: Any, u: Any, dt: float) -> Any: ...

    class Listing(Settled):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            return [x[..., 0], x[..., 1]]

    for kind, said in (
        (Short, r"an array of shape \(5, 1\)"),
        (Silent, r"None \(is its `return` missing\?\)"),
        (Listing, "a list"),
    ):
        sentence = rf"{kind.__name__}.step returned {said}; an array \(..., 2\) of x, vx was expected"
        with pytest.raises(ModelError, match=sentence):
            kind(WIDE, Space()).linearize(np.zeros(2), np.zeros(0), 0.1)


def test_a_model_for_one_state_is_told_of_batches() -> None:
    class Single(Settled):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            px, vx = x
            return np.array([px + dt * vx, vx])

    class Broken(Settled):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            raise ValueError("the wheels came off")

    with pytest.raises(
        ModelError, match=r"Single.step takes one state only: .*shape \(5, 2\).*batch \(..., 2\).*x\[..., 0\]"
    ):
        Single(WIDE, Space()).linearize(np.zeros(2), np.zeros(0), 0.1)
    with pytest.raises(ValueError, match="^the wheels came off$"):
        Broken(WIDE, Space()).linearize(np.zeros(2), np.zeros(0), 0.1)


def test_an_error_inside_a_property_is_its_own() -> None:
    """Python asks `__getattr__` when a property fails with an AttributeError; what failed must be seen all the same."""

    class Roundabout(Settled):
        @property
        def wheels(self) -> Any:
            return [4].count_them  # type: ignore[attr-defined]

    class Borrowed(Forgetful):
        @property
        def state(self) -> Any:  # type: ignore[override]
            return [].names  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="no attribute 'count_them'"):
        _ = Roundabout(WIDE, Space()).wheels
    with pytest.raises(AttributeError, match="no attribute 'names'"):
        _ = Borrowed().state


def test_a_noise_of_another_shape_is_a_sentence() -> None:
    class Loose(Tape):
        def observe(self, x: Any, context: Any = None) -> Any:
            return x

        def noise(self, x: Any, context: Any = None) -> Any:
            return 0.1

    loose = Loose().on(WIDE)
    for call in (lambda: loose.log_prob([0.0], np.zeros((3, 2))), lambda: loose.sample(np.zeros(2), rng=1)):
        with pytest.raises(ModelError, match=r"Loose.noise returned a float; a covariance \(..., 1, 1\)"):
            call()


def test_other_attributes_are_missing_as_ever() -> None:
    assert not hasattr(Forgetful(), "state")
    with pytest.raises(AttributeError, match="'Forgetful' object has no attribute 'wheels'"):
        _ = Forgetful().wheels  # type: ignore[attr-defined]
    for model in (Settled(LINE, Space()), Tape(), Tape().on(WIDE)):
        assert copy.deepcopy(model).state == pickle.loads(pickle.dumps(model)).state == model.state


@pytest.mark.parametrize(("value", "hint"), [("x [m]", r"write state = Space\('x \[m\]'\)"), (3, "give it a Space")])
def test_what_is_no_space_is_refused_where_it_is_written(value: Any, hint: str) -> None:
    with pytest.raises(ModelError, match=rf"Cart.state is .*which is no Space; {hint}"):
        type("Cart", (Dynamics,), {"state": value, "step": lambda self, x, u, dt: x})


def test_models_have_names_to_show() -> None:
    assert repr(Settled(WIDE, Space())) == "Settled(state=Space('x [m]', 'vx [m/s]'), action=Space())"
    assert repr(Forgetful()) == "Forgetful(?; no action)"
    assert repr(Tape()) == "Tape(tape from x)"
    assert repr(Tape().on(WIDE)) == "Tape(tape from x) on x, vx"


def test_errors_name_the_sensor_behind_a_bigger_state() -> None:
    belief = Gaussian.of(WIDE, [0.0, 0.0], std=1.0)
    for estimator in (EKF(), UKF(), ParticleFilter(n=5)):
        with pytest.raises(ModelError, match="Tape.observe returned an array of shape"):
            estimator.update(belief, Tape(), [0.0])
    for sensor, name in ((Tape(), "Tape"), (gnss(), "gnss")):
        with pytest.raises(SpaceError, match=f"no component 'x', which {name} reads; it has theta"):
            sensor.on(Space("theta: angle"))
    with pytest.raises(ModelError, match="Tape is mounted on the space of a state, not on 'x'"):
        Tape().on("x")  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match=r"'x', which Tape reads, could be any of front.x, rear.x"):
        Tape().on(Space("front: SE2", "rear: SE2"))


class SilentCart(Settled):
    def step(self, x: Any, u: Any, dt: float) -> Any: ...


class SilentNoise(Settled):
    def noise(self, x: Any, u: Any, dt: float) -> Any: ...


class SilentTape(Tape):
    def observe(self, x: Any, context: Any = None) -> Any: ...


class Lookout(Tape):
    def observe(self, x: Any, context: Any = None) -> Any:
        return x

    def noise(self, x: Any, context: Any = None) -> Any: ...


@pytest.mark.parametrize("estimator", [EKF(), UKF(), ParticleFilter(n=5)])
@pytest.mark.parametrize("kind", [SilentCart, SilentNoise, SilentTape, Lookout])
def test_what_returns_nothing_is_named(estimator: Any, kind: Any) -> None:
    belief = Gaussian.of(LINE, [0.0], std=1.0)
    method = "noise" if kind in (SilentNoise, Lookout) else "step" if kind is SilentCart else "observe"
    with pytest.raises(ModelError, match=rf"{kind.__name__}\.{method} returned None \(is its `return` missing\?\)"):
        if issubclass(kind, Tape):
            estimator.update(belief, kind(), [0.0])
        else:
            estimator.predict(belief, kind(LINE, Space()), [], 0.1)
