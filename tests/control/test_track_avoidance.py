"""Control among predicted tracks: the risk that is declared, the uncertainty of the robot itself, plans in time."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, SpaceTimePursuit, TrackAvoidance, reach
from pilotage.core import ActionStatus, Gaussian, ModelError, PilotageError, SettingError, ShapeError, Space, SpaceError
from pilotage.maps import OccupancyGrid
from pilotage.models import differential_drive, double_integrator, task, unicycle
from pilotage.planners import PredictedTrack
from pilotage.testing import check_controller

ROBOT, TS, EYE = unicycle(noise=0.0, limits={"speed": (-0.5, 1.5)}), np.arange(0.0, 3.1, 0.5), np.eye(2)
RADIUS, PERSON = 0.2, 0.3


def walker(place: Any, velocity: Any = (0.0, 0.0), growth: float = 0.05, at: float = 0.0) -> PredictedTrack:
    """The prediction, made at some time, of a person who is at a place at time 0."""
    ts = at + TS
    means = np.asarray(place, dtype=float) + ts[:, None] * np.asarray(velocity, dtype=float)
    return PredictedTrack(ts, means, (1e-4 + growth * TS**2)[:, None, None] * EYE, PERSON)


def nobody(t: float) -> list[PredictedTrack]:
    return []


def standing(t: float) -> list[PredictedTrack]:
    return [walker([2.0, 0.05], growth=0.0)]


def avoiding(tracks: Any, **settings: Any) -> TrackAvoidance:
    errand = reach(ROBOT, [4.0, 0.0, 0.0], weights=[1.0, 1.0, 0.1], effort=0.05)
    return TrackAvoidance(MPPI(ROBOT, errand, horizon=25, samples=400, rng=0), tracks, **{"radius": RADIUS, **settings})


def discs(drive: TrackAvoidance, given: Any, t: float = 0.0) -> np.ndarray:
    """The discs ``(26, count, 3)`` that the plan keeps clear of, with the radius of the robot in theirs."""
    drive.act(given, t)
    rows, _ = drive.controller.task.references(np.zeros(3), t, 25)
    return rows[:, -3 * drive.count :].reshape(26, drive.count, 3)


@pytest.mark.parametrize("known", [None, np.diag([0.04, 0.01, 0.02])])
def test_the_risk_covers_the_track_and_the_robot(known: Any) -> None:
    """A robot at the edge of a disc is touched with the declared probability at most."""
    rng, risk = np.random.default_rng(1), 0.1
    drive = avoiding(lambda t: [walker([3.0, 1.0], [-0.4, 0.0])], risk=risk, count=2)
    x = np.zeros(3)
    found = discs(drive, x if known is None else Gaussian(ROBOT.state, x, known))
    for k in (5, 10, 25):
        cx, cy, r = found[k, 0]
        own = np.zeros((2, 2)) if known is None else known[:2, :2]
        P = own + (1e-4 + 0.05 * (0.1 * k) ** 2) * EYE
        errors = rng.multivariate_normal(np.zeros(2), P, 20_000)
        for angle in (0.0, 1.0):
            edge = np.array([cx, cy]) + r * np.array([math.cos(angle), math.sin(angle)])
            touched = np.hypot(*(np.array([3.0 - 0.04 * k, 1.0]) + errors - edge).T) < RADIUS + PERSON
            assert touched.mean() <= risk
        assert r == pytest.approx(RADIUS + PERSON + math.sqrt(-2.0 * math.log(risk) * np.linalg.eigvalsh(P)[-1]))
    assert (found[:, 1, :2] > 1e3).all(), "there is no second person"


@pytest.mark.parametrize("share", [0.3, 0.1, 0.01])
def test_the_constraint_along_the_normal_keeps_the_risk_with_less_room(share: float) -> None:
    """A robot at its edge, on the side of the plan, is touched with the declared probability at most, and nearly so."""
    rng, P = np.random.default_rng(2), np.array([[0.09, 0.02], [0.02, 0.01]])
    track = PredictedTrack([0.0, 1.0], [[3.0, 1.0], [3.0, 1.0]], [P, P], PERSON)
    for angle in (0.0, 1.0, 2.5):
        a = np.array([math.cos(angle), math.sin(angle)])
        places = track.means + 2.0 * a
        made = track.obstacle(share, each=True, seen_at=places)
        r = float(made.radius_at(0.5))
        errors = rng.multivariate_normal(np.zeros(2), P, 200_000)
        reached = (errors @ a > r - PERSON).mean()
        touched = (np.hypot(*(errors - r * a).T) < PERSON).mean()
        assert touched <= share and reached == pytest.approx(share, abs=4.0 * math.sqrt(share / 200_000))
        assert r < float(track.obstacle(share, each=True).radius_at(0.5))
    assert np.allclose(track.obstacle(share, each=True, seen_at=track.means).radius, r0(P, share))
    with pytest.raises(ShapeError, match="seen_at"):
        track.obstacle(share, seen_at=np.zeros((3, 2)))


def r0(P: np.ndarray, share: float) -> float:
    """The radius where no direction is known."""
    return PERSON + NormalDist().inv_cdf(1.0 - share) * math.sqrt(np.linalg.eigvalsh(P)[-1])


def test_a_plan_on_the_normal_passes_nearer() -> None:
    """Beside a person of whom it is known well how far he is from the way, and badly how far along it."""
    ts = np.arange(0.0, 3.1, 0.5)
    person = PredictedTrack(ts, [[2.0, 0.05]] * 7, [np.diag([0.2, 0.002])] * 7, PERSON)
    room = []
    for normal in (False, True):
        made = avoiding(lambda t: [person], risk=0.05, count=1, normal=normal)
        xs = drive(made, lambda x: x, 80)
        assert np.hypot(*(xs[-1, :2] - [4.0, 0.0])) < 0.3
        room.append(np.hypot(*(xs[:, :2] - [2.0, 0.05]).T).min())
    assert RADIUS + PERSON < room[1] < room[0] - 0.2


def test_without_a_risk_the_discs_are_those_of_the_means() -> None:
    found = discs(avoiding(lambda t: [walker([3.0, 1.0])], risk=None, count=1), np.zeros(3))
    np.testing.assert_allclose(found[:, 0], np.tile([3.0, 1.0, RADIUS + PERSON], (26, 1)))


def test_covariances_grow_until_the_foresight() -> None:
    open_loop, closed = (
        discs(avoiding(lambda t: [walker([3.0, 1.0], at=t)], foresight=seen, count=1), np.zeros(3), 4.0)[:, 0, 2]
        for seen in (math.inf, 1.0)
    )
    np.testing.assert_allclose(closed[:11], open_loop[:11])
    assert np.allclose(closed[11:], closed[10]) and open_loop[25] > closed[25] + 0.3


def test_the_nearest_tracks_count() -> None:
    crowd = [walker([x, 2.0]) for x in (9.0, 1.0, 5.0, 3.0)]
    found = discs(avoiding(lambda t: crowd, count=2), np.zeros(3))
    assert found[0, :, 0].tolist() == [1.0, 3.0]


def drive(controller: Any, belief: Any, ticks: int = 60) -> np.ndarray:
    xs = [np.zeros(3)]
    for k in range(ticks):
        xs.append(ROBOT.step(xs[-1], controller.act(belief(xs[-1]), 0.1 * k).u, 0.1))
    return np.array(xs)


def test_tracks_keep_their_places_in_the_constraint() -> None:
    """The multipliers of a tick are those of the tracks of the next, though another track is the nearest one then."""
    people = {1.0: (-0.5, 0.0), 3.0: (-4.0, 0.0)}

    def seen(t: float) -> list[PredictedTrack]:
        return [walker([x, 1.0], velocity, at=t) for x, velocity in people.items()]

    made = avoiding(seen, count=3)
    first, second = (discs(made, np.zeros(3), t)[0, :, 0] for t in (0.0, 0.5))
    np.testing.assert_allclose(first[:2], [1.0, 3.0])
    np.testing.assert_allclose(second[:2], [0.75, 1.0])
    third = discs(made, np.zeros(3), 0.9)[0, :, 0]
    np.testing.assert_allclose(third[:2], [0.55, -0.6])
    del people[1.0]
    fourth = discs(made, np.zeros(3), 1.0)[0, :, 0]
    assert fourth[1] == pytest.approx(-1.0) and (fourth[[0, 2]] > 1e3).all()


@pytest.mark.parametrize("iterations", [3, 5])
def test_few_sweeps_a_tick_do_not_freeze_the_robot(iterations: int) -> None:
    """The plan that was not ready in a tick is continued in the next, with its multipliers."""
    errand = reach(ROBOT, [4.0, 0.0, 0.0], weights=[1.0, 1.0, 0.1], effort=0.05)

    def crowd(t: float) -> list[PredictedTrack]:
        moving = [([2.0, 0.05], [0.0, 0.0]), ([3.0, -2.4], [0.0, 0.5]), ([1.4, 1.5], [0.0, -0.4])]
        return [walker(place, velocity, growth=0.02, at=t) for place, velocity in moving]

    made = TrackAvoidance(ILQR(ROBOT, errand, horizon=25, iterations=iterations), crowd, radius=RADIUS, count=3)
    assert np.hypot(*(drive(made, lambda x: x, 80)[-1, :2] - [4.0, 0.0])) < 0.3


def test_a_robot_that_does_not_know_where_it_is_keeps_farther_away() -> None:
    """The chance constraint takes the covariance of the belief."""
    sure = drive(avoiding(standing, count=1), lambda x: x)
    unsure = drive(avoiding(standing, count=1), lambda x: Gaussian(ROBOT.state, x, np.diag([0.02, 0.02, 0.01])))
    room = [np.hypot(*(xs[:, :2] - [2.0, 0.05]).T).min() for xs in (sure, unsure)]
    assert room[0] >= RADIUS + PERSON - 1e-3 and room[1] > room[0] + 0.2
    assert np.hypot(*(sure[-1, :2] - [4.0, 0.0])) < 0.3


@task(state=Space("x y [m]"), action=ROBOT.action, params={"margin": 0.0},
      constraint=lambda x, u, p, m: [x[1] - 0.5 + p.margin])  # fmt: skip
def along_a_wall(x: Any, u: Any, p: Any, m: Any) -> Any:
    """To the place (4, 0.5), which is on a wall."""
    return (x[0] - 4.0) ** 2 + (x[1] - 0.5) ** 2 + 0.01 * u[0] ** 2 + 0.01 * u[1] ** 2


def test_the_margin_to_the_map_is_that_of_the_belief() -> None:
    """As the constraint of the controller's task says at the wall."""
    made = TrackAvoidance(ILQR(ROBOT, along_a_wall(), horizon=10), nobody, risk=0.1, count=1, margin="margin")
    belief = Gaussian(ROBOT.state, np.zeros(3), np.diag([0.01, 0.04, 0.01]))
    for given, expected in ((belief, math.sqrt(-2.0 * math.log(0.1)) * 0.2), (np.zeros(3), 0.0)):
        made.act(given, 0.0)
        row = made.controller.task.references(np.zeros(3), 0.0, 0)[0][0]
        g = made.controller.task.constraint([1.0, 0.5, 0.0], np.zeros(2), row)
        assert g[0] == pytest.approx(expected, abs=1e-9)
    with pytest.raises(SettingError, match="room"):
        TrackAvoidance(ILQR(ROBOT, along_a_wall(), horizon=10), nobody, margin="room")


def test_it_keeps_the_contract_of_controllers() -> None:
    check_controller(avoiding(nobody, risk=0.05), ROBOT)
    check_controller(avoiding(standing, risk=None), ROBOT)
    check_controller(SpaceTimePursuit(ROBOT, HALL, [6.0, 3.0], nobody), ROBOT, [2.0, 2.0, 0.0])
    assert avoiding(standing).act([np.nan, 0.0, 0.0], 0.0).status is ActionStatus.FALLBACK
    assert avoiding(nobody).act([4.0, 0.0, 0.0], 0.0).u.shape == (2,)


def test_bad_settings() -> None:
    errand = reach(ROBOT, [4.0, 0.0, 0.0])
    for settings in ({"risk": 1.0}, {"risk": 0.0}, {"count": 0}, {"radius": -1.0}, {"foresight": -1.0}):
        with pytest.raises(SettingError, match=str(next(iter(settings)))):
            avoiding(nobody, **settings)
    with pytest.raises(SettingError, match="tracks"):
        TrackAvoidance(MPPI(ROBOT, errand, samples=8), [walker([1.0, 1.0])])  # type: ignore[arg-type]
    with pytest.raises(PilotageError, match="answer of tracks"):
        avoiding(lambda t: [3.0]).act(np.zeros(3), 0.0)
    cart = double_integrator(1)
    with pytest.raises(SpaceError, match="x"):
        TrackAvoidance(ILQR(cart, reach(cart, [1.0, 0.0])), nobody)
    with pytest.raises(ShapeError, match="goal"):
        SpaceTimePursuit(ROBOT, HALL, [np.nan, 1.0], nobody)
    with pytest.raises(ModelError, match="actions"):
        SpaceTimePursuit(double_integrator(2), HALL, [1.0, 1.0], nobody)


HALL = OccupancyGrid.from_occupied(np.pad(np.zeros((58, 78), dtype=bool), 1, constant_values=True), resolution=0.1)


def pursued(controller: Any, begin: Any, robot: Any = ROBOT, ticks: int = 150) -> tuple[np.ndarray, list[str]]:
    xs, statuses = [np.asarray(begin, dtype=float)], list[str]()
    for k in range(ticks):
        action = controller.act(xs[-1], 0.1 * k)
        statuses.append(action.status.value)
        if action.status is ActionStatus.DONE:
            break
        xs.append(robot.step(xs[-1], action.u, 0.1))
    return np.array(xs), statuses


@pytest.mark.parametrize("robot", [ROBOT, differential_drive(noise=0.0)])
@pytest.mark.parametrize("yaw", [0.0, 3.0])
def test_a_pursuit_among_nobody_goes_straight_to_the_goal(robot: Any, yaw: float) -> None:
    xs, statuses = pursued(SpaceTimePursuit(robot, HALL, [6.5, 4.5], nobody, speed=0.5), [1.0, 1.0, yaw], robot, 250)
    assert statuses[-1] == "done"
    length = np.hypot(*np.diff(xs[:, :2], axis=0).T).sum()
    assert length < 1.15 * math.hypot(5.5, 3.5)


@pytest.mark.parametrize("lane", [2.4, 3.0, 3.6])
def test_people_who_keep_their_pace_are_not_touched(lane: float) -> None:
    """They cross the way of the robot, or come towards it."""
    moving = [([7.0, lane], [-1.0, 0.0]), ([3.5, 0.0], [0.0, 0.8]), ([5.0, 5.8], [0.0, -0.6])]

    def seen(t: float) -> list[PredictedTrack]:
        return [walker(place, velocity, at=t) for place, velocity in moving]

    xs, statuses = pursued(SpaceTimePursuit(ROBOT, HALL, [7.0, 3.0], seen, radius=RADIUS), [1.0, 3.0, 0.0])
    assert statuses[-1] == "done"
    ts = 0.1 * np.arange(len(xs))[:, None]
    for place, velocity in moving:
        away = np.hypot(*(xs[:, :2] - (np.array(place) + ts * velocity)).T)
        assert away.min() > RADIUS + PERSON


def test_without_a_plan_it_says_why() -> None:
    around = [walker([2.0 + 0.4 * math.cos(a), 2.0 + 0.4 * math.sin(a)]) for a in np.arange(0.0, 6.0, 1.0)]
    action = SpaceTimePursuit(ROBOT, HALL, [6.0, 3.0], lambda t: around).act([2.0, 2.0, 0.0], 0.0)
    assert action.status is ActionStatus.FALLBACK and action.u.tolist() == [0.0, 0.0]
    assert "rest" in action.reason
