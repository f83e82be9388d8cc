"""The tasks of following and reaching, driven by MPPI in closed loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pilotage.envs
from pilotage.control import MPPI, PurePursuit, follow, reach
from pilotage.control.paths.follow import TURNED
from pilotage.core import ActionStatus, Gaussian, ModelError, Problem, SettingError, ShapeError, Space, SpaceError
from pilotage.maps import Footprint, FootprintConstraint, OccupancyGrid
from pilotage.models import bicycle, differential_drive, quadrotor, task, tricycle, unicycle
from pilotage.models.trace import code_of
from pilotage.planners import AStar, RRTConnect, Shortcut

ROOM = [
    "########################################",
    *["#......................................#"] * 6,
    "#...........########...................#",
    *["#...........#......#...................#"] * 5,
    "#..................#...................#",
    *["#......................................#"] * 6,
    "########################################",
]
GRID = OccupancyGrid.from_ascii(ROOM, resolution=0.2)
VEHICLES: dict[str, Any] = {
    "unicycle": unicycle(),
    "differential drive": differential_drive(wheel_radius=0.1, track=0.4),
    "bicycle": bicycle(wheelbase=0.4),
    "tricycle": tricycle(wheelbase=0.4),
}

TURTLEBOT3_WORLD = Path(pilotage.envs.__file__).parent / "maps" / "turtlebot3_world.yaml"


def drive_to_the_end(drive: MPPI, model: Any, x: np.ndarray, ticks: int = 400) -> tuple[np.ndarray, list[Any]]:
    xs, actions = [x], []
    for tick in range(ticks):
        actions.append(drive.act(x, 0.1 * tick))
        if actions[-1].status is ActionStatus.DONE:
            break
        x = model.step(x, actions[-1].u, 0.1)
        xs.append(x)
    return np.array(xs), actions


def starting(model: Any, *pose: float) -> np.ndarray:
    x = model.state.identity()
    x[:3] = pose
    return x


@pytest.mark.parametrize("name", VEHICLES)
def test_follows_a_plan_to_its_end_without_collision(name: str) -> None:
    model, radius = VEHICLES[name], 0.2
    plan = AStar().plan(GRID.inflate(radius + 0.1), (1.0, 3.0), (6.8, 1.0))
    assert plan.ok
    drive = MPPI(model, follow(plan, GRID, speed=0.8, radius=radius), samples=500, rng=1)
    xs, actions = drive_to_the_end(drive, model, starting(model, 1.0, 3.0, 0.0))
    assert actions[-1].status is ActionStatus.DONE
    assert {a.status for a in actions[:-1]} == {ActionStatus.SOLVED}
    assert GRID.clearance(xs[:, :2]).min() > radius
    assert np.hypot(*(xs[-1, :2] - plan.xs[-1, :2])) < 0.2
    assert len(xs) < 3.0 * plan.cost / 0.8 / 0.1


@pytest.mark.parametrize("name", ["unicycle", "bicycle"])
def test_evades_what_the_plan_did_not_know(name: str) -> None:
    model, radius, path = VEHICLES[name], 0.2, np.array([[0.8, 1.0], [7.0, 1.0]])
    seen = GRID.refined(2).with_discs([[3.0, 1.0], [5.0, 0.7]], 0.25)  # in cells of half the radius, for narrow gaps
    task = follow(path, GRID, speed=0.8, radius=radius)
    drive = MPPI(model, task, samples=800, rng=1)
    x = starting(model, 0.8, 1.0, 0.0)
    drive.act(x, 0.0)
    drive.retarget(task.replace(clearance=seen.obstacles().field))
    xs, actions = drive_to_the_end(drive, model, x)
    assert actions[-1].status is ActionStatus.DONE
    assert seen.clearance(xs[:, :2]).min() > radius


def test_a_new_map_of_another_shape_compiles_nothing() -> None:
    robot, task = unicycle(), follow([[0.8, 1.0], [7.0, 1.0]], GRID)
    drive = MPPI(robot, task, samples=64, rng=0)
    first = drive.act([1.0, 1.0, 0.0]).u
    other = OccupancyGrid.from_occupied(np.zeros((7, 9), dtype=bool), 3.0, (-2.0, -2.0, 0.3))
    wider = task.replace(clearance=other.obstacles().field).on(robot.state, robot.action)
    assert code_of(wider, "l", lanes=True).address == code_of(drive.task, "l", lanes=True).address
    drive.retarget(wider)
    drive.act([1.0, 1.0, 0.0])
    drive.retarget(task)
    drive.reset(seed=0)
    assert np.array_equal(drive.act([1.0, 1.0, 0.0]).u, first)


def test_reference_runs_along_the_path_at_the_speed_wanted() -> None:
    task = follow([[0.0, 0.0], [10.0, 0.0]], speed=0.5, dt=0.1)
    rows, carry = task.references(np.array([2.0, 0.7, 0.3]), 0.0, 20)
    assert np.allclose(rows[:, 0], 2.0 + 0.05 * np.arange(21))
    assert np.allclose(rows[:, 1:4], [0.0, 1.0, 0.0])
    assert np.allclose(rows[:, 4], 10.0 - rows[:, 0])
    behind, _ = task.references(np.array([1.9, 0.7, 0.3]), 0.1, 20, carry)
    assert behind[0, 0] == 2.0  # progress is not given up
    other, _ = task.references(np.array([1.0, 0.7, 0.3]), 0.1, 20)
    assert other[0, 0] == 1.0, "another robot has its own carry"


def test_the_carry_of_another_path_is_not_taken() -> None:
    _, carry = follow([[0.0, 0.0], [10.0, 0.0]]).references(np.array([8.0, 0.0, 0.0]), 0.0, 5)
    x = np.array([8.5, 0.0, 0.0])
    assert follow([[0.0, 0.0], [10.0, 0.0]]).references(x - 1.0, 0.0, 5, carry)[0][0, 0] == 8.0
    rows, after = follow([[6.0, 0.0], [20.0, 0.0]]).references(x, 0.0, 5, carry)
    assert rows[0, 0] == 8.5
    assert after.s == 2.5


def test_reference_keeps_up_with_a_fast_car() -> None:
    task, carry = follow([[0.0, 0.0], [300.0, 0.0], [300.0, 3.0], [0.0, 3.0]], speed=30.0, decel=5.0, dt=0.1), None
    for tick in range(60):
        rows, carry = task.references(np.array([3.0 * tick, min(0.5 * tick, 1.8), 0.0]), 0.1 * tick, 5, carry)
        assert np.allclose(rows[0, :4], [3.0 * tick, 0.0, 1.0, 0.0])


def test_cost_is_least_on_the_reference() -> None:
    task = follow([[0.0, 0.0], [10.0, 0.0]], GRID)
    r = np.array([1.4, 2.0, np.cos(0.7), np.sin(0.7), 3.0, 1.0, 1.0, 10.0])
    on = np.array([1.4, 2.0, 0.7])
    assert abs(task.cost(on, np.zeros(0), r)) < 1e-12
    rng = np.random.default_rng(0)
    assert (task.cost(on + rng.normal(0.0, 0.2, (50, 3)), np.zeros(0), r) > 0.0).all()
    assert task.cost(on + [0.0, 0.0, 2.0 * np.pi], np.zeros(0), r) < 1e-12


def test_follow_finds_its_components_by_name() -> None:
    from pilotage.core import Dynamics, Space

    class Backwards(Dynamics):
        """A unicycle whose state lies the other way round."""

        state, action = Space("yaw: angle", "y x [m]"), unicycle().action

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return unicycle().step(x[..., ::-1], u, dt)[..., ::-1]

    path = [[0.0, 0.0], [3.0, 1.0]]
    plans = [MPPI(model, follow(path), samples=100, rng=4).act(x).plan
             for model, x in ((Backwards(), [0.2, 0.5, 0.1]), (unicycle(), [0.1, 0.5, 0.2]))]  # fmt: skip
    assert plans[0] is not None
    assert np.allclose(plans[0], plans[1], rtol=0.0, atol=1e-9)


def test_follow_refuses_nonsense() -> None:
    with pytest.raises(SettingError, match="follow has no weight 'haste'; there are along"):
        follow([[0.0, 0.0], [1.0, 0.0]], weights={"haste": 1.0})
    with pytest.raises(SettingError, match=r"speed is 0\.0"):
        follow([[0.0, 0.0], [1.0, 0.0]], speed=0.0)


def test_reach_is_reckoned_in_the_tangent() -> None:
    model = quadrotor()
    goal = model.state.sample(rng=1)
    task, rng = reach(model, goal, weights=2.0, effort=0.5), np.random.default_rng(2)
    d, u = 0.3 * rng.normal(size=(20, model.state.dim)), rng.normal(size=(20, model.action.size))
    want = 2.0 * (d**2).sum(-1) + 0.5 * (u**2).sum(-1)
    assert np.allclose(task.cost(model.state.plus(goal, d), u), want)
    assert np.allclose(task.terminal_cost(model.state.plus(goal, d)), 20.0 * (d**2).sum(-1))


def test_reach_needs_dynamics() -> None:
    for wrong in (bicycle, [0.0, 0.0]):
        with pytest.raises(SettingError, match="reach"):
            reach(wrong, [0.0] * 4)  # type: ignore[arg-type]


def test_reach_by_name_leaves_the_rest_free() -> None:
    model = unicycle()
    task = reach(model, {"yaw": np.pi}, tolerance=0.1)
    assert task.cost([5.0, -7.0, -np.pi], [0.0, 0.0]) < 1e-12
    assert task.done(np.array([[5.0, -7.0, -3.1], [0.0, 0.0, 3.0]])).tolist() == [True, False]
    with pytest.raises(SpaceError, match="there is no component 'heading'"):
        reach(model, {"heading": 0.0})
    with pytest.raises(SettingError, match="needs a space of reals and angles"):
        reach(quadrotor(), {"x": 0.0})


def test_reach_gets_there() -> None:
    model = unicycle()
    drive = MPPI(model, reach(model, {"x": 1.5, "y": 1.0}, tolerance=0.1), samples=500, rng=1)
    xs, actions = drive_to_the_end(drive, model, np.array([0.0, 0.0, np.pi]), 100)
    assert actions[-1].status is ActionStatus.DONE
    assert np.allclose(xs[-1, :2], [1.5, 1.0], atol=0.1)


def test_a_path_that_leads_back_is_followed_round() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 60)
    ring = np.stack([2.0 * np.sin(turn), 2.0 - 2.0 * np.cos(turn)], -1)
    model, task = unicycle(), follow(ring, speed=1.0)
    drive = MPPI(model, task, samples=300, rng=1)
    for _ in range(2):  # the second time after the clock has gone back
        drive.reset(seed=1)
        xs, actions = drive_to_the_end(drive, model, np.zeros(3))
        assert actions[-1].status is ActionStatus.DONE
        assert np.hypot(*np.diff(xs[:, :2], axis=0).T).sum() > 0.9 * 4.0 * np.pi


@pytest.mark.parametrize("start", [(-0.05, 0.0), (-0.3, 0.0), (0.1, 0.1), (-0.1, -0.2)])
def test_a_path_that_leads_back_is_begun_by_a_robot_beside_its_start(start: tuple[float, float]) -> None:
    """Even where the end of the path is nearer than its beginning."""
    turn = np.linspace(0.0, 2.0 * np.pi, 60)
    task = follow(np.stack([2.0 * np.sin(turn), 2.0 - 2.0 * np.cos(turn)], -1), speed=1.0)
    x = np.array([*start, 0.0])
    rows, _ = task.references(x, 0.0, 20)
    assert not task.done(x, rows[0])
    assert np.allclose(rows[0, :2], [0.0, 0.0], atol=0.15)
    assert np.hypot(*(rows[-1, :2] - rows[0, :2])) > 1.5


def test_follow_is_done_at_the_end_only() -> None:
    task = follow([[0.0, 0.0], [10.0, 0.0]], tolerance=0.2)
    x = np.array([[9.9, 0.0, 0.0], [9.7, 0.0, 0.0], [10.1, 0.1, 2.0], [10.0, 0.0, 0.0]])
    r = np.array([[10.0, 0.0, 1.0, 0.0, left, 0.0, 1.0, 10.0] for left in (0.1, 0.3, 0.0, 9.0)])
    assert task.done(x, r).tolist() == [True, False, True, False]
    assert task.done(x.reshape(4, 1, 3), r[:, None]).shape == (4, 1)
    with pytest.raises(ModelError):
        task.done(x)


def test_what_follow_forbids_is_written_once() -> None:
    path, shape = [[0.8, 1.0], [7.0, 1.0]], Footprint.disc(0.25)
    task, same = follow(path, GRID, radius=0.25), follow(path, GRID, footprint=shape)
    x = np.column_stack([np.random.default_rng(0).uniform([-0.3, -0.3], [8.3, 4.3], (200, 2)), np.zeros(200)])
    u, r = np.zeros((200, 0)), task.references(x[0], 0.0, 0)[0][0]
    g = task.constraint(x, u, r)
    assert g.shape == (200, 1)
    assert np.array_equal(g, FootprintConstraint(GRID.obstacles(), shape, Space("x y [m]", "yaw: angle"))(x))
    assert np.array_equal(task.cost(x, u, r), same.cost(x, u, r))
    assert (GRID.clearance(x, shape)[g[:, 0] <= 0.0] >= 0.0).all(), "what it allows touches nothing"


@pytest.mark.parametrize("footprint", [Footprint.rectangle(1.1, 0.45, (0.2, 0.0)), Footprint.disc(0.25)])
def test_planner_and_follower_forbid_the_same(footprint: Footprint) -> None:
    """In value and in the cost of nearness; on the centre of the robot alone a car that is long would be clear."""
    grid = OccupancyGrid.from_ascii(ROOM, resolution=0.2, origin=(1.0, -2.0, 0.4))
    rng = np.random.default_rng(0)
    ends = grid.grid_to_world([[5.0, 5.0], [30.0, 5.0]])
    task = follow(ends, grid, footprint=footprint, margin=0.5)
    space = Space("speed [m/s] in [-1, 1]", "pose: SE2")
    problem = grid.problem([0.0, *ends[0], 0.0], [0.0, *ends[1], 0.0], footprint, space=space)
    x = problem.space.sample(500, rng=rng)
    planned = problem.violations(x)
    r = task.references(x[0, 1:], 0.0, 0)[0][0]
    g = task.constraint(x[:, 1:], np.zeros(0), r)
    assert np.allclose(g, planned, rtol=0.0, atol=1e-12)
    assert 0.05 < (planned <= 0.0).all(-1).mean() < 0.95
    open_space = follow(ends, footprint=footprint, margin=0.5)
    near = 40.0 * np.maximum(0.0, 1.0 + planned.max(-1) / 0.5) ** 2
    u = np.zeros(0)
    assert np.allclose(task.cost(x[:, 1:], u, r) - open_space.cost(x[:, 1:], u, r), near, rtol=1e-9, atol=1e-9)
    with_task = Problem(problem.space, problem.start, problem.goal, task)
    assert np.allclose(with_task.violations(x), planned, rtol=0.0, atol=1e-12)
    assert np.array_equal(with_task.allowed(x), problem.allowed(x))
    seen = grid.with_discs(x[:1, 1:3], 0.2)
    assert (task.replace(clearance=seen.obstacles().field).constraint(x[0, 1:], u, r) > 0.0).any()


def test_the_footprint_is_that_of_the_problem() -> None:
    """A plan is followed with the footprint and the obstacles that it was made for."""
    footprint = Footprint.rectangle(0.6, 0.3)
    problem = GRID.problem([1.0, 3.0, 0.0], [6.8, 1.0, 0.0], footprint)
    plan = RRTConnect().plan(problem, rng=0)
    task, same = follow(plan, problem, margin=0.1), follow(plan, GRID, footprint=footprint, margin=0.1)
    x, u = problem.space.sample(200, rng=0), np.zeros(0)
    r = task.references(x[0], 0.0, 0)[0][0]
    assert np.array_equal(task.constraint(x, u, r), same.constraint(x, u, r))
    assert np.allclose(task.constraint(x, u, r), problem.violations(x), rtol=0.0, atol=1e-12)
    assert np.array_equal(follow(plan, problem, footprint=footprint).constraint(x, u, r), task.constraint(x, u, r))
    assert plan.footprint == footprint
    assert Shortcut().smooth(plan, problem).footprint == footprint
    assert np.array_equal(follow(plan, GRID, margin=0.1).constraint(x, u, r), task.constraint(x, u, r))
    assert follow(plan, GRID, radius=0.2).constraint(x, u, r).shape == (200, 1)
    on_cells = AStar().plan(GRID.problem([1.0, 3.0], [6.8, 1.0], Footprint.disc(0.25)))
    assert on_cells.footprint == Footprint.disc(0.25)
    with pytest.raises(SettingError, match="planned for"):
        follow(plan, problem, radius=0.2)
    with pytest.raises(SettingError, match="is no map"):
        follow(plan, Problem(problem.space, [1.0, 3.0, 0.0], [6.8, 1.0, 0.0]))


def test_a_planner_keeps_what_follow_forbids() -> None:
    """The task of the follower, as it is, on a space that is wider than that of the task."""
    footprint = Footprint.rectangle(0.6, 0.3)
    space = Space("yaw: angle", "x [m] in [0.5, 7.5]", "y [m] in [0.5, 3.5]", "lamp in [0, 1]")
    task = follow([[1.0, 3.0], [7.0, 1.0]], GRID, footprint=footprint)
    problem = Problem(space, [0.0, 1.0, 3.0, 0.0], [0.0, 7.0, 1.0, 1.0], task, resolution=0.05)
    plan = RRTConnect().plan(problem, rng=0)
    assert plan.ok and plan.xs is not None
    assert problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all()
    assert GRID.clearance(plan.xs[:, [1, 2, 0]], footprint).min() > 0.0
    with pytest.raises(SpaceError, match="yaw"):
        Problem(Space("x y [m]"), [0.0, 0.0], [1.0, 1.0], task)


@pytest.mark.parametrize("vehicle", ["unicycle", "bicycle"])
def test_a_long_robot_follows_clear_of_obstacles(vehicle: str) -> None:
    model, footprint = VEHICLES[vehicle], Footprint.rectangle(0.6, 0.3)
    plan = AStar().plan(GRID.inflate(0.45), (1.0, 3.0), (6.8, 1.0))
    drive = MPPI(model, follow(plan, GRID, speed=0.8, footprint=footprint), samples=500, rng=1)
    xs, actions = drive_to_the_end(drive, model, starting(model, 1.0, 3.0, 0.0))
    assert actions[-1].status is ActionStatus.DONE
    assert GRID.clearance(xs[:, :3], footprint).min() > 0.0


def test_a_belief_is_the_same_state_for_all() -> None:
    """Planners, controllers and problems find the components that they need in a belief by name, in a pose, too."""
    belief = Gaussian.of(Space("lamp", "pose: SE2"), [0.5, 1.0, 3.0, 0.2], std=0.1)
    x, path = [1.0, 3.0, 0.2], [[1.0, 3.0], [7.0, 1.0]]
    drives = [MPPI(unicycle(), follow(path), samples=64, rng=0) for _ in range(2)]
    assert np.array_equal(drives[0].act(belief).u, drives[1].act(x).u)
    pursuit = PurePursuit(unicycle(), path)
    assert np.array_equal(pursuit.act(belief).u, pursuit.act(x).u)
    assert np.array_equal(Problem(Space("yaw: angle", "x y [m]"), belief, [0, 1, 1]).start, [0.2, 1.0, 3.0])
    plans = [AStar().plan(GRID, start, (6.8, 1.0)).xs for start in (belief, x, x[:2])]
    assert np.array_equal(plans[0], plans[1]) and np.array_equal(plans[0], plans[2])


def test_settings_that_make_no_task_are_sentences():
    robot = unicycle()
    with pytest.raises(SettingError, match="effort has shape"):
        reach(robot, [2.0, 1.0, 0.0], effort=[1.0, 2.0, 3.0])
    for dt in (0.0, -1.0, "fast"):
        with pytest.raises(SettingError, match=f"dt of reach is {dt!r}; expected a positive number"):
            reach(robot, [0.0, 0.0, 0.0], dt=dt)
    with pytest.raises(SettingError, match="tolerance has shape"):
        reach(robot, [2.0, 1.0, 0.0], tolerance=[1.0, 2.0])
    with pytest.raises(SettingError, match="speed is inf"):
        follow([[0, 0], [5, 0]], speed=np.inf)
    with pytest.raises(SettingError, match="speed is 'slow'"):
        follow([[0, 0], [5, 0]], speed="slow")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match=r"radius is -0\.1"):
        follow([[0, 0], [5, 0]], radius=-0.1)
    with pytest.raises(SettingError, match=r"turn_rate is \[1, 2\]"):
        follow([[0, 0], [5, 0]], turn_rate=[1, 2])  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match=r"follow needs a Footprint, not 0\.3"):
        follow([[0, 0], [5, 0]], GRID, footprint=0.3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="'depot' is no map; expected an OccupancyGrid"):
        follow([[0, 0], [5, 0]], "depot")


def test_a_task_is_for_its_actions_by_name() -> None:
    """Actions are matched by place: other names, or another order, would drive something else than was meant."""
    car = bicycle()

    @task(state=Space("x y [m]"), action=Space("steer [rad]", "accel [m/s^2]"))
    def swapped(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[0] ** 2 + u[0] ** 2

    with pytest.raises(SpaceError, match="swapped is a task for the actions steer, accel, not accel, steer"):
        MPPI(car, swapped())


def test_reference_waits_for_a_robot_to_turn() -> None:
    def waits(yaw: float) -> int:
        task = follow([[0, 0], [0, 9]], speed=1.0, turn_rate=0.5)
        rows, _ = task.references(np.array([0.0, 1.0, yaw]), 0.0, 80)
        ahead = rows[:, 1] - 1.0
        still = int((ahead < 1e-12).sum()) - 1
        assert np.allclose(ahead[still:40], 0.1 * np.arange(40 - still)), (
            "and from then on it moves at the speed wanted"
        )
        return still

    assert [waits(yaw) for yaw in (np.pi / 2, 1.4, 1.8)] == [0, 0, 0]
    assert waits(0.0) == waits(np.pi) == np.ceil((np.pi / 2 - TURNED) / 0.05)
    assert waits(-np.pi / 2) == np.ceil((np.pi - TURNED) / 0.05)
    with pytest.raises(SettingError, match=r"turn_rate is 0\.0"):
        follow([[0, 0], [0, 9]], turn_rate=0.0)


@pytest.mark.parametrize("yaw", [0.0, 0.8, 1.57])
def test_a_robot_that_faces_a_pillar_turns_to_the_path_around_it(yaw: float) -> None:
    grid = OccupancyGrid.load(TURTLEBOT3_WORLD).with_discs([[1.925, 0.075]], [0.13])
    here, costs = (0.95, -0.58), grid.soft_costs(0.7, peak=5.0)
    plan = AStar().plan(grid.inflate(0.275), here, (1.725, 1.275), costs=costs)
    weights = {"along": 4.0, "across": 8.0, "heading": 5.0, "near": 20.0}
    settings = {"speed": 0.8, "radius": 0.2, "margin": 0.05, "tolerance": 0.15, "weights": weights}
    model = unicycle(limits={"speed": (-1.0, 1.0), "yaw_rate": (-1.0, 1.0)})
    # Without turn_rate it dithers before the pillar: where it should be by now lies behind it.
    drive = MPPI(model, follow(plan, grid, turn_rate=1.0, **settings), samples=512, std=(0.3, 0.6), rng=1)
    xs, actions = drive_to_the_end(drive, model, starting(model, *here, yaw), ticks=100)
    assert actions[-1].status is ActionStatus.DONE
    assert grid.clearance(xs[:, :2]).min() > 0.2


def test_follow_goes_by_its_name() -> None:
    task = follow([[0.0, 0.0], [1.0, 0.0]], weights={"along": 3.0})
    assert repr(task).startswith("follow(along=3.0, across=4.0")
    with pytest.raises(SettingError, match="horizon of follow is 0"):
        follow([[0.0, 0.0], [1.0, 0.0]], horizon=0)
    with pytest.raises(SettingError, match="dt of follow is 0"):
        follow([[0.0, 0.0], [1.0, 0.0]], dt=0.0)


def test_what_is_no_number_is_told_by_the_name_of_its_argument() -> None:
    car = unicycle()
    for name, value in (("weights", "a"), ("weights", [None, 1.0, 1.0]), ("effort", {"a": 1}), ("tolerance", "a")):
        with pytest.raises(ShapeError, match=f"{name} is not an array of numbers"):
            reach(car, np.zeros(3), **{name: value})
    for wrong in ({"final": None}, {"final": [1.0]}):
        with pytest.raises(SettingError, match="final is .*; expected a number"):
            reach(car, np.zeros(3), **wrong)
    with pytest.raises(SettingError, match="goal of x is 'far'; expected a number"):
        reach(car, {"x": "far"})
    for weights in ("along", 3, [1.0, 2.0]):
        with pytest.raises(SettingError, match="weights are .*; expected weights by name, of along"):
            follow([[0.0, 0.0], [1.0, 0.0]], weights=weights)
    with pytest.raises(ShapeError, match="std is not an array of numbers"):
        MPPI(car, reach(car, np.zeros(3)), std="wide")
    for dynamics in (None, 3, unicycle):
        with pytest.raises(SettingError, match="PurePursuit needs Dynamics"):
            PurePursuit(dynamics, [[0.0, 0.0], [1.0, 0.0]])


def test_the_first_reference_does_not_depend_on_how_many_follow() -> None:
    """A run is judged by the first one alone."""
    task = follow([[0.0, 0.0], [10.0, 0.0]], speed=2.0)
    alone, first = (task.references(np.array([1.0, 0.2, 0.0]), 0.0, steps)[0][0] for steps in (0, 9))
    assert np.array_equal(alone, first) and alone[5] == pytest.approx(2.0)
