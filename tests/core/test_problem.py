"""Problems and plans: one check for states, edges and reasons; shapes that fit."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import (
    Gaussian,
    ModelError,
    Plan,
    PlanStatus,
    Problem,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
    Task,
)
from pilotage.models import task

PLANE = Space("x y [m] in [-3, 3]")


def wall(x):
    """Positive in a wall a centimetre thick, at x = 0 and below y = 2."""
    return np.minimum(0.005 - abs(x[..., :1]), 2.0 - x[..., 1:])


def test_edges_are_checked_at_points_that_are_resolution_apart() -> None:
    a, b = np.array([[-1.0, 0.0], [-1.0, 2.5], [1.0, 0.0]]), np.array([[1.0, 0.01], [1.0, 2.5], [2.0, 1.0]])
    fine = Problem(PLANE, [-2, 0], [2, 0], wall, resolution=0.005)
    np.testing.assert_array_equal(fine.edges_allowed(a, b), [False, True, True])
    assert not fine.whole_edges
    # The metric counts, not metres: a tenth of the weight is a tenth of the points.
    seen = []
    heavy = Problem(
        PLANE, [-2, 0], [2, 0], is_free=lambda x: seen.append(len(x)) or np.ones(len(x), bool), weights=[4, 1]
    )
    heavy.edges_allowed([0, 0], [1, 0])
    assert seen == [4 / 0.05 + 1]


def test_bounds_constraint_and_function_all_count() -> None:
    problem = Problem(PLANE, [-2, 0], [2, 0], wall, is_free=lambda x: x[..., 1] < 2.7)
    points = [[1, 1], [0, 1], [0, 2.5], [1, 2.8], [4, 0], [np.nan, 0]]
    np.testing.assert_array_equal(problem.allowed(points), [True, False, True, False, False, False])
    reasons = [problem.explain(np.array(p, dtype=float), "start") for p in points[:5]]
    assert reasons[0] == reasons[2] == ""
    assert "violates the constraint by 0.005" in reasons[1]
    assert "is not free" in reasons[3]
    assert "x is 4, not in [-3, 3]" in reasons[4]


def test_the_metric_is_weighted_and_wraps() -> None:
    space = Space("x [m]", "yaw: angle")
    problem = Problem(space, [0, 3.0], [1, -3.0], weights=[1.0, 0.5])
    turn = 2 * np.pi - 6.0
    assert problem.distance(problem.start, problem.goal) == pytest.approx(np.hypot(1.0, 0.5 * turn))


def test_headings_of_starts_and_goals_are_wrapped_and_bounds_hold() -> None:
    space = Space("x [m] in [0, 4]", "yaw: angle")
    problem = Problem(space, [1.0, 4.0], [2.0, -7.0])
    one_of = Problem(space, [1.0, 4.0], [[2.0, -7.0], [3.0, 9.0]])
    first, second = one_of.goals()
    for given, kept in ((4.0, problem.start), (-7.0, problem.goal), (-7.0, first), (9.0, second)):
        assert -np.pi < kept[1] <= np.pi
        assert np.exp(1j * kept[1]) == pytest.approx(np.exp(1j * given))
    assert problem.explain(problem.start, "start") == problem.explain(problem.goal, "goal") == ""
    assert "x is 5, not in [0, 4]" in problem.explain(Problem(space, [5.0, 4.0], [1.0, 0.0]).start, "start")


@pytest.mark.parametrize(
    ("name", "value"),
    [("space", "x"), ("space", None), ("constraint", 3), ("is_free", [1]), ("resolution", "fine")],
)
def test_what_is_no_part_of_a_problem_is_refused(name: str, value: object) -> None:
    given = {"space": PLANE, "start": [0, 0], "goal": [1, 1], name: value}
    with pytest.raises(SettingError, match=f"{name} of Problem is "):
        Problem(**given)


def test_starts_and_goals_are_states_beliefs_or_regions() -> None:
    belief = Gaussian.of(Space("y x [m]", "speed"), [1.0, 2.0, 3.0], std=0.1)
    problem = Problem(PLANE, belief, PLANE.bounded(x=(1, 2)))
    np.testing.assert_array_equal(problem.start, [2.0, 1.0])
    goals = problem.goals(50, rng=0)
    assert goals.shape == (50, 2)
    assert ((goals[:, 0] >= 1) & (goals[:, 0] <= 2)).all()
    np.testing.assert_array_equal(problem.goals(50, rng=0), goals)
    assert Problem(PLANE, [0, 0], [[1, 1], [2, 2]]).goals().shape == (2, 2)
    with pytest.raises(ValueError, match="read-only"):
        problem.start[0] = 1.0


def test_a_task_finds_its_components_in_a_wider_space() -> None:
    @task(state=Space("x y [m]"), action=Space("ux uy"), constraint=lambda x, u, p, m: [x[0] - 1.0, u[0] + x[1]])
    def left(x, u, p, m):
        return 0.0

    wide = Problem(Space("speed", "y [m]", "x [m]"), np.zeros(3), np.zeros(3), left())
    np.testing.assert_array_equal(wide.violations(np.array([[5.0, 2.0, 3.0]])), [[2.0, 2.0]])
    with pytest.raises(SpaceError, match="left"):
        Problem(Space("speed", "x [m]"), np.zeros(2), np.zeros(2), left())


def test_a_constraint_that_reads_a_reference_is_none_of_states() -> None:
    def made(constraint):
        @task(state=Space("x [m]"), action=Space(), stage=Space("moving"), constraint=constraint)
        def tunnel(x, u, r, p, m):
            return r[0] * x[0]

        return tunnel()

    line = Space("x in [-3, 3]")
    still = Problem(line, [0.0], [1.0], made(lambda x, u, r, p, m: x[0] - 2.0))
    np.testing.assert_array_equal(still.allowed([[1.0], [2.5]]), [True, False])
    with pytest.raises(ModelError, match=r"constraint of tunnel.* reference of a stage, moving"):
        Problem(line, [0.0], [1.0], made(lambda x, u, r, p, m: x[0] - r[0]))

    class Unread(Task):
        stage = Space("moving")

        def cost(self, x, u, r=None):
            return r[..., 0]

    with pytest.raises(ModelError, match="Unread"):  # nothing tells what a class of one's own reads
        Problem(line, [0.0], [1.0], Unread())


def test_plans_fit_their_space() -> None:
    plan = Plan(PlanStatus.SOLVED, PLANE, [[0, 0], [1, 1]], us=np.zeros((1, 2)), ts=[0.0, 2.0])
    assert plan.xs.dtype == np.float64
    for wrong in ({"us": np.zeros((2, 2))}, {"ts": [0.0]}, {"xs": [[0, 0, 0]]}, {"xs": [0, 0]}, {"space": None}):
        given = {"space": PLANE, "xs": [[0, 0], [1, 1]], **wrong}
        with pytest.raises(ShapeError, match="plan"):
            Plan(PlanStatus.SOLVED, **given)
    with pytest.raises(ShapeError, match="space of a plan"):
        Plan(PlanStatus.SOLVED, np.zeros((2, 2)))


def test_ends_that_leave_the_bounds_by_rounding_are_on_them() -> None:
    """moveit2 #3383, tesseract_planning #57: a joint 1e-15 or a micrometre off its limit, and no plan."""
    joints = Space("q1 q2 [rad] in [-1.5708, 1.5708]")
    problem = Problem(joints, [np.float32(1.5708), -1.5708 - 1e-15], [[0.0, 1.5708 + 1e-7], [1.58, 0.0]])
    assert bool(problem.allowed(problem.start))
    np.testing.assert_array_equal(problem.allowed(problem.goal), [True, False])
    np.testing.assert_array_equal(problem.goal[1], [1.58, 0.0])
    off = Problem(joints, [1.57081, 0.0], [0.0, 0.0])
    said = off.explain(off.start, "start")
    assert "q1 is 1.57081, not in [-1.5708, 1.5708], which it leaves by 1e-05" in said


def test_a_constraint_that_is_nan_is_called_so() -> None:
    problem = Problem(PLANE, [1, 0], [2, 0], lambda x: np.full((*x.shape[:-1], 2), np.nan))
    assert problem.explain(problem.start, "start") == "the constraint of start (1.00, 0.00) is NaN"


def test_functions_give_an_answer_for_each_state() -> None:
    """ompl #559: a validity checker that was not heeded. One for single states was not, here, in a batch of them."""
    states = np.array([[-2.0, 0.0], [1.0, 1.0], [2.0, 2.0]])

    def disc(x):
        return 1.0 - np.hypot(x[..., 0] - 1.0, x[..., 1] - 1.0)

    flat, deep = (Problem(PLANE, [-2, 0], [2, 2], g) for g in (disc, lambda x: disc(x)[..., None]))
    for problem in (flat, deep):
        np.testing.assert_array_equal(problem.allowed(states), [True, False, True])
        np.testing.assert_array_equal(problem.edges_allowed(states[:2], states[2]), [False, False])
    assert flat.violations(states).shape == (3, 1)
    for g in (lambda x: [disc(x[0]), 1.0], lambda x: np.ones((2, 2, 2))):
        with pytest.raises(ModelError, match="the constraint gives an array of shape"):
            Problem(PLANE, [-2, 0], [2, 0], g).allowed(states)
    for free in (lambda x: x[0] > -3.0, lambda x: True):
        with pytest.raises(ModelError, match="is_free gives an array of shape"):
            Problem(PLANE, [-2, 0], [2, 0], is_free=free).allowed(states)


def test_many_edges_are_checked_at_few_points_first() -> None:
    """tesseract_planning #753: shortcuts ran on and on. Long edges that are blocked are seen to be at a few points."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-3.0, 3.0, (2, 40, 50, 2))
    b[0], asked = a[0] + 0.01, list[int]()

    def free(x):
        asked.append(x[..., 0].size)
        return np.hypot(x[..., 0], x[..., 1]) > 1.0

    problem = Problem(PLANE, [-2, 0], [2, 0], is_free=free, resolution=0.002)
    verdict, points, largest = problem.edges_allowed(a, b), sum(asked), max(asked)
    one_by_one = [
        [bool(problem.edges_allowed(p, q)) for p, q in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)
    ]
    np.testing.assert_array_equal(verdict, one_by_one)
    assert 0.2 < verdict.mean() < 0.8
    assert largest < 150_000
    asked.clear()
    problem.allowed(problem._points(a, b))
    assert points < 0.8 * sum(asked)
