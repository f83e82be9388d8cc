"""A target flies straight, turns and speeds up; three models with different states follow it, and are smoothed.

    straight       constant velocity       x, y, vx, vy
    turn           constant turn           x, y, vx, vy, yaw_rate
    acceleration   constant acceleration   x, y, vx, vy, ax, ay

An interacting multiple model filter runs a Kalman filter for each kind of motion, and finds out which one it is. The
picture shows the flight, the probabilities of the three modes, and the errors of filter and smoother. The noise of the
models was chosen on other readings than those of the demo (benchmarks, table `manoeuvre`).
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.estimators import EKF, IMM, KF, smooth
from pilotage.io import write_atomic
from pilotage.models import LinearDynamics, constant_acceleration, constant_turn, constant_velocity, position
from pilotage.viz import draw_path, map_figure

DT, PART, SPEED, TURN, ACCELERATION = 0.1, 330, 200.0, math.radians(10.0), 3.0
NAMES = ("straight", "turn", "acceleration")
MODES = (
    constant_velocity(2, density=0.03),
    constant_turn(2, density=1.0, turn_density=0.02),
    constant_acceleration(2, density=0.1),
)
TARGET = IMM(MODES, 0.998, dt=DT, filter=(KF(), EKF(), KF()))
SENSOR = position(2, std=1.0)
COLOURS = ("#4c78a8", "#e45756", "#54a24b")


def flight() -> Any:
    """The true states ``(3 PART, 4)``, PART steps of each motion."""
    turn = LinearDynamics([[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, -TURN], [0, 0, TURN, 0]])
    x, xs = np.array([0.0, 0.0, SPEED, 0.0]), []
    for k in range(3 * PART):
        if PART <= k < 2 * PART:
            x = turn.step(x, [], DT)
        else:
            a = ACCELERATION * x[2:] / np.hypot(*x[2:]) if k >= PART else np.zeros(2)
            x = np.concatenate([x[:2] + x[2:] * DT + 0.5 * a * DT**2, x[2:] + a * DT])
        xs.append(x)
    return np.array(xs)


def follow(zs: Any) -> tuple[Any, Any]:
    """Beliefs of the filter and of the smoother, from readings of the position ``(T, 2)``."""
    std = {"x": 1.0, "y": 1.0, "vx": 10.0, "vy": 10.0, "yaw_rate": 0.1, "ax": 1.0, "ay": 1.0}
    run = TARGET.start(mean={"vx": SPEED}, std=std).run(None, zs, sensor=SENSOR)
    return run.beliefs, smooth(run)


def judge(belief: Any, xs: Any) -> dict[str, float]:
    """RMSE of the position [m] in each part and over all, and how often the true mode is the most likely one."""
    squared = np.square(belief.moments().mean[:, :2] - xs[:, :2]).sum(-1)
    found = {name: math.sqrt(squared[i * PART : (i + 1) * PART].mean()) for i, name in enumerate(NAMES)}
    right = belief.weights.argmax(-1) == np.repeat(np.arange(3), PART)
    return {**found, "all": math.sqrt(squared.mean()), "right": float(right.mean())}


def picture(xs: Any, beliefs: dict[str, Any], title: str) -> bytes:
    """The flight, and below it the probabilities of the modes and the errors over time."""
    km = xs[:, :2] / 1000.0
    figure, ax = map_figure([km.min(0), km.max(0)], width=8.0, strip=4.6)
    for i, name in enumerate(NAMES):
        draw_path(ax, km[max(0, i * PART - 1) : (i + 1) * PART], color=COLOURS[i], label=name)
    ax.set(xlabel="x [km]", ylabel="y [km]")
    ax.set_title(title, fontsize=9, loc="left")
    ax.legend(loc="best", fontsize=8, frameon=False)
    height = float(figure.get_figheight())
    t = DT * np.arange(1, len(xs) + 1)
    for k, (name, belief) in enumerate(beliefs.items()):
        panel = figure.add_axes((0.09, (3.4 - 1.45 * k) / height, 0.88, 1.05 / height))
        for i in range(3):
            panel.plot(t, belief.weights[:, i], color=COLOURS[i], lw=1.2)
        panel.set(xlim=(0.0, t[-1]), ylim=(-0.05, 1.05))
        panel.set_ylabel(f"modes,\n{name}", fontsize=8)
        panel.tick_params(labelsize=7)
    panel = figure.add_axes((0.09, 0.5 / height, 0.88, 1.05 / height))
    for (name, belief), colour in zip(beliefs.items(), ("#9d9d9d", "#222222"), strict=True):
        error = np.hypot(*(belief.moments().mean[:, :2] - xs[:, :2]).T)
        panel.plot(t, error, color=colour, lw=0.9, label=name)
    panel.set(xlim=(0.0, t[-1]), ylim=(0.0, 3.0))
    panel.set_ylabel("error [m]", fontsize=8)
    panel.set_xlabel("time [s]", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.legend(loc="upper left", fontsize=7, frameon=False, ncols=2)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Follow a manoeuvring target; ends with a table and a picture.

    Args:
        seed: Seed of the noise of the readings.
        out: Folder for the picture.
    """
    xs = flight()
    zs = xs[:, :2] + np.random.default_rng(seed).normal(size=(len(xs), 2))
    beliefs: dict[str, Any] = dict(zip(("filtered", "smoothed"), follow(zs), strict=True))
    found = {name: judge(belief, xs) for name, belief in beliefs.items()}
    print(f"RMSE [m]    {'   '.join(NAMES)}   all   true mode most likely")
    for name, each in found.items():
        parts = "   ".join(f"{each[part]:{len(part)}.2f}" for part in NAMES)
        print(f"{name:11} {parts}  {each['all']:.2f}   {each['right']:.0%} of the time")
    out.mkdir(parents=True, exist_ok=True)
    filtered, smoothed = found["filtered"], found["smoothed"]
    title = f"readings 1.41 m, filtered {filtered['all']:.2f} m, smoothed {smoothed['all']:.2f} m RMSE"
    write_atomic(out / "manoeuvring-target.png", picture(xs, beliefs, title))
    print(f"see {out / 'manoeuvring-target.png'}")
    held = filtered["all"] < 0.85 and smoothed["all"] < 0.6 * filtered["all"] and smoothed["right"] > 0.9
    if not held:
        print("not as it should be: less than 0.85 m filtered, and a smoother that is better and sure of the modes")
    return 0 if held else 1
