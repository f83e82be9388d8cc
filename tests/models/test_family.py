"""Families made by decorators: misfits raise clear errors, members keep what they were given."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import PilotageError, Space
from pilotage.maps import OccupancyGrid
from pilotage.models import (
    bicycle,
    compass,
    constant_turn,
    constant_velocity,
    discrete_dynamics,
    dynamics,
    gnss,
    planar_arm,
    radar,
    sensor,
    singer,
    task,
    unicycle,
)
from pilotage.models.trace import model
from pilotage.models.trace.family import KEPT

LINE, PUSH = Space("x [m]"), Space("u [m/s]")


def moves(body: Any, **settings: Any) -> Any:
    return dynamics(**{"state": LINE, "action": PUSH, **settings})(body)


def reads(body: Any, **settings: Any) -> Any:
    return sensor(**{"state": LINE, "reading": Space("z [m]"), **settings})(body)


def costs(body: Any, **settings: Any) -> Any:
    return task(**{"state": LINE, "action": PUSH, **settings})(body)


def still(x: Any, u: Any, p: Any, m: Any) -> Any:
    return u


def seen(x: Any, c: Any, p: Any, m: Any) -> Any:
    return x


def effort(x: Any, u: Any, p: Any, m: Any) -> Any:
    return u[0] * u[0]


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "rates of three": (lambda: moves(lambda x, u, m: u), r"takes \(x, u, p, m\); <lambda> takes \(x, u, m\)"),
    "a step without dt": (
        lambda: discrete_dynamics(state=LINE, action=PUSH)(still),
        r"takes \(x, u, dt, p, m\); still takes \(x, u, p, m\)",
    ),
    "a sensor of three": (lambda: reads(lambda x, p, m: x), r"a sensor function takes \(x, c, p, m\)"),
    "a cost without reference": (lambda: costs(effort, stage=Space("a b")), r"takes \(x, u, r, p, m\); effort takes"),
    "a terminal cost of two": (
        lambda: costs(effort, terminal=lambda x, m: 0.0),
        r"the terminal function of effort takes \(x, p, m\)",
    ),
    "noise of two": (lambda: moves(still, noise=lambda x, u: (1.0,))(), r"the noise function of still takes"),
    "noise of two of a sensor": (lambda: reads(seen, noise=lambda x, c: (1.0,))(), "the noise function of seen takes"),
    "noise that is nothing": (
        lambda: moves(still, noise=lambda x, u, dt, p, m: None)(),
        "the noise of still must be 1 variances or 1 rows of 1; None was returned",
    ),
    "noise that is negative": (lambda: reads(seen, noise=lambda x, c, p, m: (-2.0,))(), "has the variance -2.0"),
    "noise of text": (lambda: moves(still, noise="loud")(), "noise of still must be 1 standard deviations"),
    "noise without end": (lambda: moves(still, noise=np.inf)(), "noise of still must be 1 standard deviations"),
    "noise as a matrix": (lambda: moves(still, noise=np.eye(2))(), "noise of still must be 1 standard deviations"),
    "no function": (lambda: moves(3.0), r"is written with def and takes \(x, u, p, m\); 3.0 was given"),
    "no space": (lambda: moves(still, state="x"), "the state of still must be a Space, not 'x'"),
    "no state": (lambda: moves(still, state=Space()), "the state of still has no components"),
    "no reading": (lambda: reads(seen, reading=Space()), "the reading of seen has no components"),
    "a parameter like a setting": (lambda: reads(seen, params={"std": 1.0}), "'std' of seen has the name of a setting"),
    "a context of half": (lambda: reads(seen, context=1.5), "context of seen is 1.5; a Space was expected"),
    "a stage of numbers": (lambda: costs(effort, stage=2), "the stage of effort is 2; a Space was expected"),
    "a cost that forgot to return": (lambda: costs(lambda x, u, p, m: None)(), "returned None .* a cost is one number"),
    "two costs": (lambda: costs(lambda x, u, p, m: (1.0, 2.0))(), "returned a tuple; a cost is one number"),
    "a cost that decides": (lambda: costs(lambda x, u, p, m: 1.0 if x[0] > 0 else 2.0)(), "write m.where"),
    "an endless task": (lambda: costs(effort)(horizon=2.5), "horizon of effort is 2.5; expected a whole number, 1"),
    "a task in no time": (lambda: costs(effort)(dt=np.nan), "dt of effort is nan"),
    "a task of no steps": (lambda: costs(effort)(horizon=0), "horizon of effort is 0; expected a whole number, 1"),
    "a task that stands still": (lambda: costs(effort)(dt=0), "dt of effort is 0; expected a positive number"),
    "a task back in time": (lambda: costs(effort)(dt=-0.1), "dt of effort is -0.1; expected a positive number"),
    "a wheelbase without name": (lambda: bicycle(2.7), r"parameters go by name: bicycle\(wheelbase=2.7\)"),
    "a sensor of two": (lambda: compass(0.1), r"parameters go by name: compass\(declination=0.1\)"),
    "a goal without name": (lambda: costs(effort)(0.05), r"parameters go by name: effort\(initial=0.05\)"),
    "dynamics without parentheses": (lambda: dynamics(still), r"@dynamics\(state=...\)"),
    "steps without parentheses": (lambda: discrete_dynamics(still), r"@discrete_dynamics\(state=...\)"),
    "a sensor without parentheses": (
        lambda: sensor(seen),
        r"@sensor needs parentheses .* @sensor\(state=..., reading=...",
    ),
    "a task without parentheses": (lambda: task(effort), r"@task needs parentheses"),
    "a map as it is": (
        lambda: moves(still, params={"room": OccupancyGrid.from_ascii("#.")})(),
        r"room must be a number, .* or a Raster, not OccupancyGrid.*grid.distance_field\(\)",
    ),
    "done that is none": (lambda: costs(effort)(done=True), "done of effort must be a function, not True"),
    "limits in a row": (lambda: bicycle(limits=[(-1.0, 1.0)]), "limits of bicycle are bounds by name"),
    "mounted on a name": (lambda: compass().on("yaw"), "compass is mounted on the space of a state, not on 'yaw'"),
    "done of a longer state": (lambda: costs(effort)(done=bool).done([1.0, 2.0]), "state for effort has shape"),
    "reads of numbers": (lambda: compass(reads=3), "reads names components of the state"),
    "a typo in a parameter": (lambda: radar(plaec=(0.0, 0.0)), "has no parameter 'plaec'.* did you mean place"),
    "a typo in a setting": (lambda: costs(effort)(horizn=3), "has no parameter 'horizn'.* did you mean horizon"),
    "half an axis": (lambda: gnss(2.5), "number of axes is 2.5"),
    "no time to manoeuvre": (lambda: singer(1, tau=0.0), "parameter tau is 0.0; it must be greater than 0"),
    "parameters in a row": (lambda: moves(still, params=["gain"]), "params are values by name, .* not .'gain'."),
    "text for a parameter": (lambda: bicycle(wheelbase="2.7"), "parameter wheelbase is '2.7'; finite numbers"),
    "text in a parameter": (lambda: planar_arm(2, masses=("1", "2")), "parameter masses is .* finite numbers"),
    "an unknown integrator": (lambda: moves(still, integrator="rk5"), "there is no integrator 'rk5'; choose one of"),
    "a step as an integrator": (lambda: moves(still)(integrator="step"), "there is no integrator 'step'"),
    "a negative density": (lambda: constant_velocity(1, density=-1.0), "density is -1.0; it must be 0 or more"),
    "a negative turn": (lambda: constant_turn(turn_density=-1), "turn_density is -1; it must be 0 or more"),
    "a negative acceleration": (lambda: singer(1).replace(accel_std=-1.0), "accel_std is -1.0; it must be 0 or more"),
    "a negative noise": (lambda: gnss(std=-1), "std of gnss .*, none of them negative; -1 was given"),
    "a place in space": (
        lambda: radar(place=(1.0, 2.0, 3.0)),
        r"parameter place of radar is \(1.0, 2.0, 3.0\); it has 2 numbers",
    ),
    "a place in space, as an array": (lambda: radar().replace(place=np.zeros(3)), "place of radar is .* 2 numbers"),
    "no wheelbase": (
        lambda: bicycle().replace(wheelbase=-1.0),
        "parameter wheelbase is -1.0; it must be greater than 0",
    ),
    "half an arm": (
        lambda: planar_arm(2, lengths=(0.5, 0.0)),
        r"parameter lengths is \(0.5, 0.0\); it must be greater",
    ),
    "a positive that is none": (lambda: moves(still, positive="mass"), "there is no parameter 'mass' .* there is none"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_a_sentence(case: str) -> None:
    call, sentence = WRONG[case]
    with pytest.raises(PilotageError, match=sentence):
        call()


def test_one_number_serves_all_components() -> None:
    assert np.diag(unicycle(noise=0.5).noise(np.zeros(3), np.zeros(2), 2.0)).tolist() == [0.5] * 3
    assert np.diag(gnss(std=np.float64(2.0)).noise(np.zeros(2))).tolist() == [4.0, 4.0]


def test_parameters_are_those_of_the_call() -> None:
    """A member does not see what becomes of the array or list it was made from, nor can it be changed."""
    lengths, masses = np.array([0.5, 0.4]), [1.0, 2.0]
    arm, same = planar_arm(2, lengths=lengths, masses=masses), planar_arm(2, lengths=(0.5, 0.4), masses=(1.0, 2.0))
    x, u = same.state.sample(rng=0), same.action.sample(rng=0)
    lengths[:], masses[0] = 9.0, 9.0
    np.testing.assert_array_equal(arm.step(x, u, 0.1), same.step(x, u, 0.1))
    np.testing.assert_array_equal(arm.linearize(x, u, 0.1)[0], same.linearize(x, u, 0.1)[0])
    np.testing.assert_array_equal(arm.vector(), same.vector())
    with pytest.raises(ValueError, match="read-only"):
        arm.params["lengths"][0] = 3.0
    with pytest.raises(PilotageError, match=r"model.replace\(wheelbase=3.0\) makes another model"):
        bicycle().params["wheelbase"] = 3.0  # type: ignore[index]


def test_the_noise_is_that_of_the_call() -> None:
    std = [1.0, 2.0]
    sensor_of_two = gnss(std=std)
    std[0] = 9.0
    for same in (sensor_of_two, sensor_of_two.on(Space("x y z [m]")), copy.deepcopy(sensor_of_two)):
        assert np.diag(same.noise(np.zeros(same.state.size))).tolist() == [1.0, 4.0]


def test_a_parameter_may_have_any_name() -> None:
    def driven(x: Any, u: Any, p: Any, m: Any) -> Any:
        return p.noise_density * u[0]

    model = moves(driven, params={"noise_density": 2.0}, noise=0.5)()
    assert model.step([0.0], [1.0], 0.1).tolist() == [0.2]
    assert model.noise([0.0], [1.0], 1.0).tolist() == [[0.25]]
    with pytest.raises(PilotageError, match="reads p.gain, but its parameters are noise_density$"):
        moves(lambda x, u, p, m: p.gain * u[0], params={"noise_density": 2.0}, noise=0.5)()


def test_parameters_are_learnt() -> None:
    """The lengths of an arm from how it moved, by gradients; afterwards every backend has the lengths found."""
    torch = pytest.importorskip("torch")
    lengths = torch.tensor([0.6, 0.6], dtype=torch.float64, requires_grad=True)
    arm, true = planar_arm(2, lengths=lengths), planar_arm(2, lengths=(0.5, 0.8))
    x, u = true.state.sample(100, rng=0), true.action.sample(100, rng=1)
    states, actions, seen = (torch.as_tensor(a) for a in (x, u, true.step(x, u, 0.02)))
    optimiser = torch.optim.Adam([lengths], lr=0.05)
    for _ in range(120):
        optimiser.zero_grad()
        loss = ((arm.step(states, actions, 0.02) - seen)[:, 2:] ** 2).mean()
        loss.backward()
        optimiser.step()
    np.testing.assert_allclose(lengths.detach(), [0.5, 0.8], atol=2e-3)
    assert repr(arm).startswith("planar_arm(masses=(1.0, 1.0), lengths=tensor([")
    found = planar_arm(2, lengths=lengths.detach().numpy())
    np.testing.assert_array_equal(arm.vector(), found.vector())
    np.testing.assert_array_equal(arm.step(x, u, 0.02), found.step(x, u, 0.02))
    np.testing.assert_array_equal(arm.linearize(x, u, 0.02)[0], found.linearize(x, u, 0.02)[0])
    np.testing.assert_allclose(arm.step(states, actions, 0.02).detach(), found.step(x, u, 0.02), atol=1e-12)


def test_equal_calls_give_one_member() -> None:
    assert gnss(std=1.5) is gnss(std=1.5)
    assert bicycle(limits={"steer": (-0.4, 0.4)}) is bicycle(limits={"steer": (-0.4, 0.4)})
    assert repr(bicycle(wheelbase=2)) == "bicycle(wheelbase=2)"
    assert repr(bicycle(wheelbase=2.0)) == "bicycle(wheelbase=2.0)"
    lowest, highest = compass(declination=-0.0), compass(declination=0.0)
    assert [np.signbit(each.vector()[0]) for each in (lowest, highest)] == [True, False]


def test_a_call_after_a_change_gives_another_member() -> None:
    gain, lengths = 2.0, [0.5, 0.4]

    def driven(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (gain * u[0],)

    family = moves(driven)
    before = family()
    assert family() is before
    gain = 3.0
    assert (before.frozen, family().frozen) == ({"gain": 2.0}, {"gain": 3.0})
    arm = planar_arm(2, lengths=lengths)
    lengths[0] = 0.6
    assert planar_arm(2, lengths=lengths).params["lengths"] != arm.params["lengths"]


def test_a_family_keeps_few_members() -> None:
    family = moves(lambda x, u, p, m: p.gain * u[0], params={"gain": 1.0})
    kept = [weakref.ref(family(gain=float(gain))) for gain in range(KEPT + 10)]
    gc.collect()
    assert kept[9]() is None, "of the others than the first, which made the trace"
    assert kept[-KEPT]() is not None


def test_models_that_live_share_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many other models were traced in the meantime; what has no model any more is let go."""
    monkeypatch.setattr(model, "KEPT", 4)
    family = moves(lambda x, u, p, m: p.gain * u[0], params={"gain": 1.0})
    first = family(gain=1.0)
    first.source("B")  # it grows by what is derived from it
    others = [weakref.ref(moves(lambda x, u, p, m: u[0])()._function) for _ in range(6)]
    second = family(gain=2.0)
    assert second._function is first._function
    assert second.source("y F") == first.source("y F")
    gc.collect()
    assert [other() is None for other in others] == [True] * 3 + [False] * 3
    assert len(model._kept) == 4


def test_members_can_be_copied() -> None:
    car = bicycle(wheelbase=1.7)
    x, u = np.array([0.0, 0.0, 0.1, 2.0]), np.array([0.1, 0.2])
    y = car.step(x, u, 0.1)
    np.testing.assert_array_equal(copy.deepcopy(car).step(x, u, 0.1), y)


def test_a_task_under_other_names_takes_other_parameters() -> None:
    @task(state=Space("yaw: angle"), action=Space("rate [rad/s]"), params={"weight": 1.0})
    def turned(x: Any, u: Any, p: Any, m: Any) -> Any:
        return p.weight * x[0] * x[0]

    other = turned(reads="theta").replace(weight=3.0)
    assert float(other.cost([2.0], [0.0])) == 12.0
    assert float(other.on(Space("w [m]", "theta: angle")).replace(weight=5.0).cost([7.0, 2.0], [0.0])) == 20.0


def test_no_constraint_has_the_batch_of_state_and_action() -> None:
    assert costs(effort)().constraint(np.zeros((3, 1)), np.zeros((2, 1, 1))).shape == (2, 3, 0)


def test_families_name_themselves() -> None:
    assert repr(bicycle) == "<dynamics bicycle(wheelbase)>"
    assert repr(compass) == "<sensor compass(declination)>"
    assert repr(costs(effort)) == "<task effort()>"
