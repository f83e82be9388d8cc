"""An arm in MuJoCo is too weak to lift itself: iLQR swings it up, with the simulator's own derivatives and its limits.

    computed torque   the torque that accelerates every joint to the target, as far as the motors go: it stays low
    one plan          iLQR plans 1.6 s once, and the torques are replayed
    replanned         iLQR improves the plan at every tick of 40 ms

All three move the same arm, whose hand carries a tenth more than the model says. The motors hold the arm when it is up,
but not when it is stretched out, which takes 31 N m at the shoulder.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from pilotage.control import ILQR, reach
from pilotage.core import Task
from pilotage.core.arrays import Array
from pilotage.envs import MujocoDynamics, MujocoSensor
from pilotage.io import write_atomic
from pilotage.viz import write_animation
from pilotage.viz.palette import CYCLE, INK, MUTED, SURPRISE

from ._side import SideView, mujoco

DT, SECONDS, HORIZON = 0.04, 3.0, 40
TORQUES = {"shoulder": 20.0, "elbow": 10.0, "wrist": 4.0}
"""The limits of the motors [N m]."""
POSTURE = np.array([2.9, -0.6, -0.3, 0.0, 0.0, 0.0])
"""The state that puts the hand where it shall be, at rest."""
LOAD = 1.1
"""Mass of the hand, relative to that of the model."""
NEAR = 0.03
"""The hand has arrived within this distance [m]."""
ARM = f"""<mujoco><option timestep="0.01" integrator="implicitfast"/>
<default><geom type="capsule" size="0.04"/><joint axis="0 -1 0" damping="0.1"/></default>
<worldbody><body name="upper arm"><joint name="shoulder"/><geom fromto="0 0 0 0 0 -0.5" mass="3"/>
<body name="forearm" pos="0 0 -0.5"><joint name="elbow"/><geom fromto="0 0 0 0 0 -0.4" mass="2"/>
<body name="hand" pos="0 0 -0.4"><joint name="wrist"/><geom fromto="0 0 0 0 0 -0.3" mass="1"/>
<site name="tip" pos="0 0 -0.3"/></body></body></body></worldbody>
<contact><exclude body1="upper arm" body2="hand"/></contact>
<actuator>{"".join(f'<motor name="{n}" joint="{n}" ctrlrange="{-t} {t}"/>' for n, t in TORQUES.items())}</actuator>
<sensor><framepos name="tip" objtype="site" objname="tip"/></sensor></mujoco>"""


class Lift(NamedTuple):
    """States ``(T + 1, 6)`` and torques ``(T, 3)`` of an episode, and the distance of the hand ``(T + 1,)`` [m]."""

    xs: Array
    us: Array
    off: Array


def task(arm: MujocoDynamics) -> Task:
    """The task of reaching the posture."""
    return reach(arm, POSTURE, weights=[1.0] * 3 + [0.1] * 3, effort=1e-4, final=100.0, dt=DT)


def gravity(arm: MujocoDynamics, q: Array) -> Array:
    """The torques ``(3,)`` that hold the arm at rest, against its weight [N m]."""
    return torques(arm, np.concatenate([q, np.zeros(3)]), np.zeros(3))


def torques(arm: MujocoDynamics, x: Array, acceleration: Array) -> Array:
    """The torques ``M(q) acceleration + bias(q, rate)`` ``(3,)`` of an acceleration of the joints [N m]."""
    data, inertia = mujoco.MjData(arm.model), np.zeros(3)
    data.qpos[:], data.qvel[:] = np.split(x, 2)
    mujoco.mj_forward(arm.model, data)
    mujoco.mj_mulM(arm.model, data, inertia, acceleration)
    return inertia + data.qfrc_bias


def computed(arm: MujocoDynamics) -> Any:
    """Computed torque: every joint approaches the posture like a damped spring of 0.8 Hz."""
    return lambda x, tick: torques(arm, x, 25.0 * (POSTURE - x)[:3] - 10.0 * x[3:])


def replayed(arm: MujocoDynamics) -> Any:
    """The torques of one plan, and those that hold the posture afterwards."""
    plan = ILQR(arm, task(arm), horizon=HORIZON).solve(arm.start())
    assert plan.us is not None, plan.reason
    us, after = plan.us, gravity(arm, POSTURE[:3])
    return lambda x, tick: us[tick] if tick < len(us) else after


def replanned(arm: MujocoDynamics) -> Any:
    """A plan that is improved at every tick."""
    controller = ILQR(arm, task(arm), horizon=HORIZON, iterations=3)
    return lambda x, tick: controller.act(x, DT * tick).u


def lift(arm: MujocoDynamics, real: MujocoDynamics, act: Any, name: str) -> Lift:
    """An episode of the real arm."""
    xs, us = [real.start()], []
    for tick in tqdm(range(round(SECONDS / DT)), desc=name, disable=None, leave=False):
        us.append(real.action.clip(act(xs[-1], tick)))
        xs.append(real.step(xs[-1], us[-1], DT))
    tip = MujocoSensor(arm, ["tip"])
    off = np.linalg.norm(tip.observe(np.array(xs)) - tip.observe(POSTURE), axis=-1)
    return Lift(np.array(xs), np.array(us), off)


def picture(arm: MujocoDynamics, lifts: dict[str, Lift], film: Path | None) -> Figure:
    """The arms in a row, above the distance of the hand and the torque of the shoulder; with a file, the animation."""
    figure = Figure(figsize=(11.0, 6.6), dpi=90)
    grid = figure.add_gridspec(
        2, 6, height_ratios=[1.4, 1], left=0.07, right=0.98, top=0.95, bottom=0.09, hspace=0.25, wspace=0.7
    )
    ts, goal, moving = DT * np.arange(round(SECONDS / DT) + 1), MujocoSensor(arm).observe(POSTURE), list[Any]()
    left, right = figure.add_subplot(grid[1, :3]), figure.add_subplot(grid[1, 3:])
    for k, (color, (name, run)) in enumerate(zip(CYCLE, lifts.items(), strict=False)):
        ax = figure.add_subplot(grid[0, 2 * k : 2 * k + 2])
        ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"{name}: {100 * run.off[-1]:.0f} cm from the target", color=color, fontsize=11)
        for x in run.xs[: round(1.6 / DT) : 5]:
            SideView(ax, arm.model, x, colors=[MUTED], alpha=0.18)
        ax.plot(*goal[[0, 2]], "x", ms=11, mew=2.5, color=SURPRISE, zorder=5)
        moving.append(SideView(ax, arm.model, run.xs[-1], colors=[color]))
        left.plot(ts, run.off, color=color, label=name)
        right.step(ts[:-1], run.us[:, 0], color=color, where="post", label=name)
    left.set(xlabel="time [s]", ylabel="hand to target [m]", xlim=(0.0, SECONDS), ylim=(0.0, None))
    right.set(xlabel="time [s]", ylabel="torque at the shoulder [N m]", xlim=(0.0, SECONDS))
    for limit in (-TORQUES["shoulder"], TORQUES["shoulder"]):
        right.axhline(limit, color=INK, lw=1.0, ls=":")
    right.legend(fontsize=9, loc="lower right")

    def update(i: int) -> None:
        for view, run in zip(moving, lifts.values(), strict=True):
            view.show(run.xs[min(i, len(run.xs) - 1)])

    if film is not None:
        patches = [patch for view in moving for patch in view.patches]
        write_animation(film, figure, patches, update, len(ts) + 10, fps=1.0 / DT)
    update(len(ts))
    return figure


def main(*, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """Swing up an arm with weak motors by iLQR in MuJoCo; ends with a table, a picture and an animation.

    Args:
        out: Folder for the pictures.
        no_animation: Write the picture only.
    """
    arm = MujocoDynamics(ARM)
    real = arm.replace(mass={"hand": LOAD})
    ways = {"computed torque": computed(arm), "one plan": replayed(arm), "replanned": replanned(arm)}
    lifts = {name: lift(arm, real, act, name) for name, act in ways.items()}
    needed = [np.abs(gravity(real, np.array(q))).max() for q in ([0.5 * np.pi, 0.0, 0.0], POSTURE[:3])]
    print(f"held by the shoulder: {needed[0]:.0f} N m stretched out, {needed[1]:.0f} at the target; the motor has 20")
    print("control           hand to target at the end [m]   largest torques [N m]")
    for name, run in lifts.items():
        print(f"{name:16} {run.off[-1]:20.3f} {'':12} {np.abs(run.us).max(0).round(1)}")
    out.mkdir(parents=True, exist_ok=True)
    film, drawn = None if no_animation else out / "arm-lift.gif", io.BytesIO()
    picture(arm, lifts, film).savefig(drawn, format="png", dpi=130)
    write_atomic(out / "arm-lift.png", drawn.getvalue())
    print(f"see {out / 'arm-lift.png'}{'' if film is None else f' and {film}'}")
    there = {name: bool((run.off[-round(0.5 / DT) :] < NEAR).all()) for name, run in lifts.items()}
    if there == {"computed torque": False, "one plan": False, "replanned": True} and needed[0] > TORQUES["shoulder"]:
        return 0
    print(f"not as it should be: only the arm that replans stays within {100 * NEAR:.0f} cm of the target")
    return 1
