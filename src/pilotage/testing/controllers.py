"""The contract of a controller: what it hands back, every tick, whatever it is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core import Action, ActionStatus, Controller, Dynamics, Gaussian, PilotageError

from .sentences import made, told

TICKS = 5


def check_controller(
    controller: Controller, dynamics: Dynamics, x: Any = None, dt: float = 0.1, *, seed: int = 0
) -> None:
    """Check a controller against its contract, on the vehicle it is made for.

    Actions have the shape of the action space, are finite and inside its bounds; a plan has one action a row; a status
    other than SOLVED has its reason. After ``reset(seed=...)`` the same states give the same actions, so does a belief
    around a state. A state of NaN leads to a fallback that says so, or is refused with a sentence; a state of the wrong
    length is refused; the states handed in are not changed.

    Args:
        controller: what to check.
        dynamics: what it drives.
        x: a state to start from, ``(n,)``; default: the neutral element of the state space.
        dt: seconds between ticks.
        seed: for `reset`.

    Raises:
        AssertionError: with a sentence that says what is wrong.

    Example:
        >>> from pilotage.control import PurePursuit
        >>> from pilotage.models import bicycle
        >>> check_controller(PurePursuit(bicycle(), [[0, 0], [9, 0]]), bicycle())
    """
    made(controller, "reset", "act")
    x = dynamics.state.identity() if x is None else dynamics.state.check(x)
    first = _drive(controller, dynamics, x, dt, seed)
    again = _drive(controller, dynamics, x, dt, seed)
    assert np.array_equal(first, again), "the same seed and the same states gave other actions"
    _check_belief(controller, dynamics, x, seed, first[0])
    _check_broken(controller, dynamics, x, seed)


def _drive(controller: Controller, dynamics: Dynamics, x: Any, dt: float, seed: int) -> np.ndarray:
    """Some ticks of the closed loop, each action checked."""
    with told("`reset` with a seed"):
        controller.reset(seed=seed)
    actions: list[Any] = []
    for tick in range(TICKS):
        handed = x.copy()
        with told(f"`act` in the state {x}"):
            action = controller.act(handed, tick * dt)
        assert np.array_equal(handed, x), "the controller changed the state it was handed"
        _check_action(action, dynamics)
        assert action.status is not ActionStatus.FALLBACK, f"fell back on a sound state {x}: {action.reason}"
        actions.append(np.array(action.u))
        x = dynamics.step(x, action.u, dt)
    return np.array(actions)


def _check_action(action: Any, dynamics: Dynamics) -> None:
    assert isinstance(action, Action), f"`act` must return an Action, not {type(action).__name__}"
    space, u = dynamics.action, np.asarray(action.u)
    assert u.shape == (space.size,), f"u has shape {u.shape}; the action space says ({space.size},)"
    assert np.isfinite(u).all(), f"the action {u} is not finite (status {action.status.value})"
    assert bool(space.contains(u)), f"the action {u} is outside the bounds {space.low} to {space.high}"
    if action.plan is not None:
        assert np.ndim(action.plan) == 2, f"a plan has shape (T, {space.size}), not {np.shape(action.plan)}"
        assert np.shape(action.plan)[1] == space.size, f"a plan has a row per action, not {np.shape(action.plan)}"
    if action.status in (ActionStatus.FALLBACK, ActionStatus.IMPROVED, ActionStatus.STUCK):
        assert action.reason, (
            f"status {action.status.value} needs a `reason`: the policy and its cause, or what is missing"
        )
    assert action.solve_time >= 0.0, f"solve_time is {action.solve_time}"


def _check_belief(controller: Controller, dynamics: Dynamics, x: Any, seed: int, expected: Any) -> None:
    controller.reset(seed=seed)
    with told("`act` on a belief"):
        action = controller.act(Gaussian.of(dynamics.state, x, std=1e-3), 0.0)
    _check_action(action, dynamics)
    close = np.allclose(action.u, expected, rtol=1e-9, atol=1e-9)
    assert close, f"a belief with its mean in a state gave the action {action.u}, the state itself {expected}"


def _check_broken(controller: Controller, dynamics: Dynamics, x: Any, seed: int) -> None:
    controller.reset(seed=seed)
    controller.act(x, 0.0)
    lost = np.full_like(x, np.nan)
    try:
        action = controller.act(lost, 0.1)
    except PilotageError:
        pass
    except Exception as error:
        raise AssertionError(
            f"`act` in a state of NaN raised {type(error).__name__}: {error}; fall back, or raise a PilotageError"
        ) from error
    else:
        assert getattr(action, "status", None) is ActionStatus.FALLBACK, (
            f"in a state of NaN `act` answered {action}; it should be FALLBACK, a finite action, the policy in `reason`"
        )
        _check_action(action, dynamics)
    try:
        controller.act(np.zeros(dynamics.state.size + 1), 0.2)
    except (PilotageError, ValueError):
        return
    raise AssertionError(f"a state of length {dynamics.state.size + 1} was accepted; refuse it with a sentence")
