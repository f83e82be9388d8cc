"""A pole on a cart in MuJoCo is balanced by a noisy reading of its angle alone: an EKF estimates the rest, LQR acts.

    truth     LQR on the true state: as good as it gets
    LQG       LQR on the belief of an EKF, which reads the angle with an error of 2 degrees, 50 times a second
    reading   LQR on the angle as it is read, its difference quotient, and a cart in the middle

One model of MuJoCo is the world, the model of the filter, and that of the regulator. A soft spring ties the cart to the
middle of its rail. Without it, nothing in the angle says where the cart is, and `observability` says so.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from pilotage.control import LQG, LQR, reach
from pilotage.core import Gaussian
from pilotage.core.arrays import Array
from pilotage.envs import ModelEnv, MujocoDynamics, MujocoSensor
from pilotage.estimators import EKF, observability
from pilotage.io import write_atomic
from pilotage.viz import write_animation
from pilotage.viz.palette import ESTIMATE, INK, SHADE, TRUTH

from ._side import SideView

DT, SECONDS = 0.02, 6.0
READING = np.radians(2.0)
"""Standard deviation of a reading of the angle [rad]."""
GUSTS = [0.0, 0.0, 0.05, 0.1]
"""What pushes cart and pole around, as standard deviation of their rates after one second [m/s, rad/s]."""
FALLEN = np.radians(45.0)
SPREAD = 3.0
"""Three standard deviations of the mean NEES of an episode, whose expectation is 4, as there are four states."""


def cart_pole(spring: float = 20.0) -> str:
    """A pole of 1 m on a cart of 1 kg, and the angle as a sensor, as MJCF; the spring in N/m."""
    return f"""<mujoco><option timestep="0.01" integrator="implicitfast"><flag contact="disable"/></option>
    <worldbody><body name="cart"><joint name="slider" type="slide" axis="1 0 0" damping="0.5" stiffness="{spring}"/>
    <geom type="box" size="0.2 0.1 0.1" mass="1"/><body name="pole"><joint name="hinge" axis="0 1 0" damping="0.002"/>
    <geom type="capsule" fromto="0 0 0 0 0 1" size="0.04" mass="0.1"/></body></body></worldbody>
    <actuator><motor name="force" joint="slider" ctrlrange="-10 10"/></actuator>
    <sensor><jointpos name="angle" joint="hinge"/></sensor></mujoco>"""


class Raw:
    """A regulator that takes the reading for the truth."""

    def __init__(self, law: LQR) -> None:
        self.law, self.last = law, None

    def act(self, z: Array, t: float) -> Any:
        """The action after a reading."""
        rate = 0.0 if self.last is None else (z[0] - self.last) / DT
        self.last = z[0]
        return self.law.act([0.0, z[0], 0.0, rate], t)


class Episode(NamedTuple):
    """States ``(T, 4)``, and the means ``(T, 4)`` and covariances ``(T, 4, 4)`` of beliefs, if there is a filter."""

    xs: Array
    means: Array
    covs: Array

    @property
    def fell(self) -> bool:
        """Whether the pole was lost."""
        return bool((np.abs(self.xs[:, 1]) > FALLEN).any())

    @property
    def nees(self) -> Array:
        """Squared errors in units of the covariance ``(T,)``."""
        e = self.xs - self.means
        return np.einsum("ti,ti->t", e, np.linalg.solve(self.covs, e[..., None])[..., 0])


def world(model: MujocoDynamics, angle: MujocoSensor) -> ModelEnv:
    """The environment: gusts, noisy readings, and a start with the pole a little to the right."""
    start = Gaussian.of(model.state, [0.0, 0.1, 0.0, 0.0], std=[0.1, 0.05, 0.1, 0.1])
    home = reach(model, model.start(), initial=start, dt=DT, horizon=round(SECONDS / DT))
    return ModelEnv(model, angle, home, dtype=np.float64)


def balance(env: ModelEnv, controller: Any, seed: int, *, sees: str) -> Episode:
    """An episode in which the controller acts on the "reading" or on the "truth"."""
    z, info = env.reset(seed=seed)
    xs, beliefs, over = list[Array](), list[Any](), False
    while not over:
        xs.append(info["state"])
        u = controller.act(z if sees == "reading" else xs[-1], info["time"]).u
        if isinstance(controller, LQG):
            beliefs.append(controller.filter.belief)
        z, _, _, over, info = env.step(u)
    return Episode(np.array(xs), np.array([b.mean for b in beliefs]), np.array([b.cov for b in beliefs]))


def run(model: MujocoDynamics, count: int, seed: int) -> dict[str, list[Episode]]:
    """The same episodes with each controller."""
    angle = MujocoSensor(model, ["angle"], std=READING)
    env = world(model, angle)
    law = LQR(model, model.start(), Q=[1.0, 10.0, 0.1, 0.1], R=0.05, dt=DT)
    ekf = EKF(model, dt=DT).start(belief=env.world.task.initial)
    makers = {"truth": lambda: law, "LQG": lambda: LQG(ekf, angle, law, dt=DT), "reading": lambda: Raw(law)}
    found: dict[str, list[Episode]] = {name: [] for name in makers}
    for k in tqdm(range(count), desc="episodes", disable=None, leave=False):
        for name, make in makers.items():
            found[name].append(balance(env, make(), seed + k, sees="truth" if name == "truth" else "reading"))
    return found


def picture(model: MujocoDynamics, found: dict[str, list[Episode]], film: Path | None) -> Figure:
    """The cart and the estimated one, its four states with their belief, and the NEES; with a file, the animation."""
    episode = found["LQG"][0]
    figure = Figure(figsize=(11.0, 6.6), dpi=90)
    grid = figure.add_gridspec(3, 2, left=0.08, right=0.98, top=0.97, bottom=0.08, hspace=0.42, wspace=0.2)
    ts, std = DT * np.arange(len(episode.xs)), np.sqrt(np.diagonal(episode.covs, axis1=1, axis2=2))
    side, scores = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    side.set(xlim=(-1.6, 1.6), ylim=(-0.25, 1.25), aspect="equal", yticks=[], xlabel="x [m]")
    side.axhline(0.0, color=SHADE, zorder=0)
    true = SideView(side, model.model, episode.xs[-1], colors=[TRUTH])
    thought = SideView(
        side, model.model, episode.means[-1], colors=["none"], edgecolor=ESTIMATE, linewidth=1.6, zorder=4
    )
    scores.plot(
        ts,
        np.mean([each.nees for each in found["LQG"]], axis=0),
        color=ESTIMATE,
        label=f"NEES of the EKF, mean of {len(found['LQG'])} episodes",
    )
    scores.axhline(4.0, color=INK, lw=1.0, ls=":")
    scores.set(xlabel="time [s]", ylim=(0.0, None), xlim=(0.0, ts[-1]))
    scores.legend(fontsize=8)
    for i, (label, unit) in enumerate(
        (("cart", 1.0), ("angle", 180.0 / np.pi), ("speed", 1.0), ("rate", 180.0 / np.pi))
    ):
        ax = figure.add_subplot(grid[1 + i // 2, i % 2])
        low, high = episode.means[:, i] - 2.0 * std[:, i], episode.means[:, i] + 2.0 * std[:, i]
        ax.fill_between(ts, unit * low, unit * high, color=ESTIMATE, alpha=0.25, lw=0.0, label="belief, 2 std")
        ax.plot(ts, unit * episode.xs[:, i], color=TRUTH, lw=1.3, label="truth")
        ax.set(ylabel=f"{label} [{('m', 'deg', 'm/s', 'deg/s')[i]}]", xlim=(0.0, ts[-1]))
        if i == 0:
            ax.legend(fontsize=8, ncols=2, loc="upper right")
        if i > 1:
            ax.set_xlabel("time [s]")

    def update(i: int) -> None:
        i = min(2 * i, len(ts) - 1)
        true.show(episode.xs[i])
        thought.show(episode.means[i])

    if film is not None:
        write_animation(film, figure, [*true.patches, *thought.patches], update, len(ts) // 2, fps=0.5 / DT)
    update(0)
    return figure


def main(*, episodes: int = 10, seed: int = 0, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """Balance a pole by a noisy angle alone; ends with a table, a picture and an animation.

    Args:
        episodes: Number of episodes of each controller.
        seed: Seed of starts, gusts and readings.
        out: Folder for the pictures.
        no_animation: Write the picture only.
    """
    model, free = MujocoDynamics(cart_pole(), noise=GUSTS), MujocoDynamics(cart_pole(spring=0.0))
    seen = [observability(each, MujocoSensor(each), each.start(), dt=DT, steps=50) for each in (model, free)]
    print(f"from the angle alone:  {seen[0]}\nwithout the spring:    {seen[1]}")
    found = run(model, episodes, seed)
    print("acts on    poles lost   cart [cm]   angle [deg]   (root mean square)")
    for name, runs in found.items():
        xs = np.concatenate([each.xs[round(1.0 / DT) :] for each in runs])
        cart, angle = 100 * np.sqrt((xs[:, 0] ** 2).mean()), np.degrees(np.sqrt((xs[:, 1] ** 2).mean()))
        print(f"{name:10} {sum(each.fell for each in runs):5} of {episodes} {cart:9.1f} {angle:12.2f}")
    errors = np.concatenate([each.xs - each.means for each in found["LQG"]])
    rms, nees = np.sqrt((errors**2).mean(0)), float(np.mean([each.nees for each in found["LQG"]]))
    print(f"errors of the EKF: {100 * rms[0]:.1f} cm, {np.degrees(rms[1]):.2f} deg, NEES {nees:.2f} (4 is expected)")
    out.mkdir(parents=True, exist_ok=True)
    film, drawn = None if no_animation else out / "balance-pole.gif", io.BytesIO()
    picture(model, found, film).savefig(drawn, format="png", dpi=130)
    write_atomic(out / "balance-pole.png", drawn.getvalue())
    print(f"see {out / 'balance-pole.png'}{'' if film is None else f' and {film}'}")
    well = not any(each.fell for name in ("truth", "LQG") for each in found[name])
    if (
        well
        and abs(nees - 4.0) < SPREAD / np.sqrt(episodes)
        and rms[1] < 0.6 * READING
        and [each.observable for each in seen] == [True, False]
    ):
        return 0
    print("not as it should be: LQG loses no pole, with an honest EKF that errs by less than 0.6 of a reading")
    return 1
