"""An arm of seven joints reaches through a window: RRT-Connect in the space of its joints, collisions from MuJoCo.

The arm has the joints of a Franka Panda, with capsules for its links. It starts in front of a wall, and is to put its
hand through the opening. The goal is a posture from inverse kinematics; the path is shortened, and checked again, ten
times as finely as the planner did.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pilotage.core import Plan, require
from pilotage.envs import CollisionConstraint
from pilotage.io import write_atomic
from pilotage.planners import RRTConnect, Shortcut
from pilotage.viz.palette import INK, MUTED, PLAN, TRUTH

mujoco: Any = require("mujoco", extra="envs")

LINKS = """
<body name="link1" pos="0 0 0.333"><joint name="j1" range="-166 166"/>
  <geom name="rod1" fromto="0 0 -0.15 0 0 0" size="0.07"/>
<body name="link2" euler="-90 0 0"><joint name="j2" range="-105 105"/>
  <geom name="rod2" fromto="0 -0.12 0 0 0 0" size="0.07"/>
<body name="link3" pos="0 -0.316 0" euler="90 0 0"><joint name="j3" range="-166 166"/>
  <geom name="rod3" fromto="0 0 -0.1 0.06 0 0" size="0.06"/>
<body name="link4" pos="0.0825 0 0" euler="90 0 0"><joint name="j4" range="-176 -4"/>
  <geom name="rod4" fromto="0 0 0 -0.08 0.1 0" size="0.06"/>
<body name="link5" pos="-0.0825 0.384 0" euler="-90 0 0"><joint name="j5" range="-166 166"/>
  <geom name="rod5" fromto="0 0 -0.26 0 0.02 -0.05" size="0.055"/>
<body name="link6" euler="90 0 0"><joint name="j6" range="-1 215"/>
  <geom name="rod6" fromto="0 0 0 0.08 0 0" size="0.05"/>
<body name="link7" pos="0.088 0 0" euler="90 0 0"><joint name="j7" range="-166 166"/>
  <geom name="rod7" fromto="0 0 0.03 0 0 0.08" size="0.045"/><geom name="rod8" fromto="0 0 0.1 0 0 0.2" size="0.025"/>
  <site name="hand" pos="0 0 0.22"/>
</body></body></body></body></body></body></body>"""
NEAR = "".join(f'<exclude body1="link{i}" body2="link{i + 2}"/>' for i in range(1, 6))
READY = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])
CLEARANCE = 0.01
WALL, LOW, HIGH, SIDE = 0.5, 0.35, 0.65, 0.16
"""The place of the wall, and the window in it: heights, and half its width [m]."""
TARGET = np.array([0.72, 0.0, 0.5])
"""The place for the hand, behind the wall [m]."""


def model(obstacles: str) -> str:
    """The arm among obstacles, as MJCF."""
    return f"""<mujoco><compiler eulerseq="XYZ"/><default><geom type="capsule"/></default><worldbody>
    {obstacles}{LINKS}</worldbody><contact>{NEAR}</contact></mujoco>"""


def boxes(rows: Any) -> str:
    """Boxes from their middles and half sizes."""
    return "".join(
        f'<geom name="box{i}" type="box" pos="{x} {y} {z}" size="{a} {b} {c}"/>'
        for i, (x, y, z, a, b, c) in enumerate(rows)
    )


def window() -> list[tuple[float, ...]]:
    """The four boxes around the window."""
    middle, half = 0.5 * (LOW + HIGH), 0.5 * (HIGH - LOW)
    return [
        (WALL, 0.0, 0.5 * LOW, 0.02, 0.8, 0.5 * LOW),
        (WALL, 0.0, 0.5 * (HIGH + 1.2), 0.02, 0.8, 0.5 * (1.2 - HIGH)),
        *((WALL, s * 0.5 * (SIDE + 0.8), middle, 0.02, 0.5 * (0.8 - SIDE), half) for s in (-1.0, 1.0)),
    ]


def postures(clear: CollisionConstraint, target: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Postures ``(count, 7)`` without collision that have the hand at a target: damped least squares."""
    m, d, found = clear.model, mujoco.MjData(clear.model), list[np.ndarray]()
    jacobian = np.zeros((3, m.nv))
    while len(found) < count:
        q, e = READY + 0.6 * rng.standard_normal(7), target
        for _ in range(100):
            d.qpos[:] = q
            mujoco.mj_kinematics(m, d)
            mujoco.mj_comPos(m, d)
            mujoco.mj_jacSite(m, d, jacobian, None, 0)
            e = target - d.site_xpos[0]
            q = np.clip(q + jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-3 * np.eye(3), e), *bounds(clear))
        if np.linalg.norm(e) < 5e-3 and clear(q)[0] <= 0.0:
            found.append(q)
    return np.array(found)


def bounds(clear: CollisionConstraint) -> tuple[Any, Any]:
    """The limits of the joints."""
    return clear.space.low, clear.space.high


def skeleton(clear: CollisionConstraint, q: np.ndarray) -> np.ndarray:
    """The joints and the hand ``(9, 3)`` in a posture."""
    d = mujoco.MjData(clear.model)
    d.qpos[:] = q
    mujoco.mj_kinematics(clear.model, d)
    return np.concatenate((np.zeros((1, 3)), d.xanchor, d.site_xpos))


def draw(clear: CollisionConstraint, xs: np.ndarray) -> Figure:
    """The postures along the path, the way of the hand, and the window."""
    figure = Figure(figsize=(7.0, 5.5), dpi=110)
    ax: Any = figure.add_subplot(projection="3d")
    for a, b in ((-0.8, 0.8), (-SIDE, SIDE)):
        low, high = (0.0, 1.2) if b > SIDE else (LOW, HIGH)
        ax.plot([WALL] * 5, [a, b, b, a, a], [low, low, high, high, low], color=INK, linewidth=1.5)
    bones = np.array([skeleton(clear, q) for q in xs])
    for k in np.linspace(0, len(xs) - 1, 9).astype(int):
        ax.plot(*bones[k].T, "-o", color=TRUTH, linewidth=2.5, markersize=3, alpha=0.2 + 0.8 * k / (len(xs) - 1))
    ax.plot(*bones[:, -1].T, color=PLAN, linewidth=1.8)
    ax.set(xlim=(-0.3, 0.9), ylim=(-0.6, 0.6), zlim=(0.0, 1.2), xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
    ax.set_position((0.0, 0.0, 1.0, 0.95))
    ax.view_init(18, -128)
    ax.set_title("seven joints through a window", fontsize=10, color=MUTED)
    return figure


def solve(seed: int) -> tuple[CollisionConstraint, Plan, Plan]:
    """The constraint, the first path and the shortened one."""
    clear = CollisionConstraint(model(boxes(window())), clearance=CLEARANCE)
    goals = postures(clear, TARGET, 4, np.random.default_rng(seed))
    problem = clear.problem(READY, goals)
    plan = RRTConnect(step=1.0).plan(problem, rng=seed, budget=60.0)
    return clear, plan, Shortcut(tries=40).smooth(plan, problem, rng=seed)


def main(*, seed: int = 0, out: Path = Path("pilotage-demo"), no_picture: bool = False) -> int:
    """An arm of seven joints puts its hand through a window; ends with a table and a picture.

    Args:
        seed: Seed of the planner, and of the search for goal postures.
        out: Folder for the picture.
        no_picture: Print the table only.
    """
    clear, first, plan = solve(seed)
    print(f"RRT-Connect  {first}, {first.stats['seconds']:.2f} s, {first.stats['checks']} checks")
    if plan.xs is None:
        return 1
    print(f"shortened    {plan}")
    shares = np.linspace(0.0, 1.0, 200)
    fine = np.concatenate(
        [clear.space.interpolate(a, b, shares) for a, b in zip(plan.xs[:-1], plan.xs[1:], strict=True)]
    )
    worst, hand = float(clear(fine).max()), skeleton(clear, plan.xs[-1])[-1]
    print(f"checked      {len(fine)} postures, nothing nearer than {1e3 * (CLEARANCE - worst):.1f} mm")
    print(f"the hand     {np.round(hand, 3)}, {1e3 * np.linalg.norm(hand - TARGET):.1f} mm from where it was to be")
    if not no_picture:
        out.mkdir(parents=True, exist_ok=True)
        picture = io.BytesIO()
        draw(clear, fine[:: max(1, len(fine) // 60)]).savefig(picture, format="png")
        write_atomic(out / "arm-window.png", picture.getvalue())
        print(f"see          {out / 'arm-window.png'}")
    well = worst < CLEARANCE and np.linalg.norm(hand - TARGET) < 0.01
    if not well:
        print("not as it should be: no posture may touch anything, and the hand must be within 10 mm of its target")
    return 0 if well else 1
