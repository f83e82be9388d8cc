"""A leg hops through Gymnasium's Hopper-v5: MPPI rolls out MuJoCo itself, in threads, and learns nothing.

    plan       the file of the hopper as a model, in steps of 8 ms, four times as long as those of the environment
    cost       distance from the speed that is asked for, lean of the torso, a torso below its height, effort
    hop        64 random plans of 0.64 s at each decision, 62 decisions a second; the environment simulates the rest

A leg has no way to stand while it moves forward. It must throw itself, and put the foot where it will land.
"""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from pilotage.control import MPPI
from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.envs import MujocoDynamics
from pilotage.io import write_atomic
from pilotage.models import task
from pilotage.viz import write_animation
from pilotage.viz.palette import CYCLE, INK, MUTED, PLAN, SHADE

from ._side import SideView, mujoco

DT, COARSE = 0.016, 0.008
"""Seconds of a decision, and of a step of the simulator in the controller."""
HEIGHT, FALLEN = 1.1, 0.7
"""Height below which the torso costs, and below which the robot has fallen, as in Hopper-v5 [m]."""


class Run(NamedTuple):
    """States ``(T + 1, 12)`` and actions ``(T, 3)`` of an episode, and whether the robot flew ``(T + 1,)``."""

    xs: Array
    us: Array
    flying: NDArray[np.bool_]

    @property
    def hops(self) -> int:
        """The number of flights that ended in a landing."""
        return int((np.diff(self.flying.astype(int)) < 0).sum())


@task(
    state=Space("rootz [m]", "rooty [rad]", "rootx.rate [m/s]"),
    action=Space("u0 u1 u2"),
    params={"speed": 1.5},
    weights=(1.0, 5.0, 100.0, 0.01, 0.01, 0.01),
)
def run_forward(x: Any, u: Any, p: Any, m: Any) -> Any:
    """A robot that moves at a speed with its torso upright."""
    height, lean, speed = x
    return speed - p.speed, lean, m.minimum(height - HEIGHT, 0.0), *u


def controller(env: Any, speed: float, seed: int) -> MPPI:
    """MPPI with the environment's own file as its model, in longer steps of a faster integrator."""
    model = copy.deepcopy(env.model)
    model.opt.timestep, model.opt.integrator = COARSE, mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    hopper = MujocoDynamics(model, threads=2)
    return MPPI(hopper, run_forward(speed=speed, dt=DT), horizon=40, samples=64, std=0.5, rng=seed)


def hop(env: Any, drive: MPPI, seconds: float, seed: int) -> Run:
    """An episode, which ends early if the robot falls."""
    env.reset(seed=seed)
    xs, us, flying = [state(env)], [], [env.data.ncon == 0]
    for tick in tqdm(range(round(seconds / DT)), desc="decisions", disable=None, leave=False):
        u = drive.act(xs[-1], DT * tick).u
        for _ in range(round(DT / env.dt)):
            env.step(u)
        xs.append(state(env))
        us.append(u)
        flying.append(env.data.ncon == 0)
        if xs[-1][1] < FALLEN:
            break
    return Run(np.array(xs), np.array(us), np.array(flying))


def state(env: Any) -> Array:
    """The positions and velocities of the simulation."""
    return np.concatenate([env.data.qpos, env.data.qvel])


def picture(model: Any, run: Run, speed: float, film: Path | None) -> Figure:
    """The robot every half second, above its height and speed over time; with a file, the animation of the run."""
    figure = Figure(figsize=(11.0, 5.4), dpi=90)
    grid = figure.add_gridspec(2, 1, height_ratios=[1.25, 1], left=0.07, right=0.98, top=0.97, bottom=0.1, hspace=0.3)
    above, below = (figure.add_subplot(grid[row]) for row in range(2))
    ts, far = DT * np.arange(len(run.xs)), run.xs[-1, 0]
    above.set(xlim=(-0.6, far + 0.6), ylim=(-0.05, 2.0), aspect="equal", xlabel="x [m]", yticks=[0.0, 1.0])
    above.axhline(0.0, color=INK, lw=1.0)
    above.plot(run.xs[:, 0], run.xs[:, 1], color=PLAN, lw=1.2, label="torso")
    every = round(0.32 / DT)
    for x in run.xs[::every]:
        SideView(above, model, x, alpha=0.28)
    moving = SideView(above, model, run.xs[-1], colors=CYCLE[:1])
    below.fill_between(
        ts,
        0.0,
        1.0,
        where=run.flying,
        color=SHADE,
        lw=0.0,
        transform=below.get_xaxis_transform(),
        label="in the air",
    )
    below.plot(ts, run.xs[:, 6], color=CYCLE[0], label="speed [m/s]")
    below.plot(ts, run.xs[:, 1], color=PLAN, label="height of the torso [m]")
    below.axhline(speed, color=MUTED, lw=1.0, ls=":")
    below.set(xlabel="time [s]", xlim=(0.0, ts[-1]))
    below.legend(ncols=3, fontsize=8, loc="lower right")
    now = below.axvline(ts[-1], color=MUTED)

    def update(i: int) -> None:
        i = min(2 * i, len(ts) - 1)
        now.set_xdata([ts[i]])
        moving.show(run.xs[i])

    if film is not None:
        write_animation(film, figure, [now, *moving.patches], update, len(ts) // 2 + 10, fps=0.5 / DT)
    update(len(ts))
    return figure


def main(
    *, seconds: float = 4.0, speed: float = 1.5, seed: int = 0, out: Path = Path("pilotage-demo"),
    no_animation: bool = False,
) -> int:  # fmt: skip
    """Let a leg hop forward with MPPI in MuJoCo; ends with a table, a picture and an animation.

    Args:
        seconds: Length of the episode.
        speed: The speed that is asked for [m/s].
        seed: Seed of the start and of the samples.
        out: Folder for the pictures.
        no_animation: Write the picture only.
    """
    env: Any = gymnasium.make("Hopper-v5", terminate_when_unhealthy=False).unwrapped
    drive = controller(env, speed, seed)
    run = hop(env, drive, seconds, seed)
    way, lowest = float(run.xs[-1, 0] - run.xs[0, 0]), float(run.xs[:, 1].min())
    print(
        f"{seconds:.1f} s asked for, {DT * len(run.us):.1f} s done: {way:.2f} m, {run.hops} hops, "
        f"{100 * np.mean(run.flying):.0f} % of the time in the air\n"
        f"the torso was never below {lowest:.2f} m, and leaned by at most "
        f"{np.degrees(np.abs(run.xs[:, 2]).max()):.0f} degrees"
    )
    out.mkdir(parents=True, exist_ok=True)
    film, drawn = None if no_animation else out / "hopper.gif", io.BytesIO()
    picture(env.model, run, speed, film).savefig(drawn, format="png", dpi=130)
    write_atomic(out / "hopper.png", drawn.getvalue())
    print(f"see {out / 'hopper.png'}{'' if film is None else f' and {film}'}")
    if lowest > FALLEN and way > 0.6 * speed * seconds and run.hops >= 2 * seconds:
        return 0
    print("not as it should be: it should not fall, hop twice a second, and move at most of the speed asked for")
    return 1
