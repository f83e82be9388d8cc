"""Which filter for which model: KF, EKF, UKF and particle filter on a linear, a mildly and a strongly bent problem.

`python -m benchmarks comparison` measures the table; `python -m benchmarks.comparison` also writes it and its picture
into docs/how-to/which-filter.md.
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from pilotage.core import Dynamics, Gaussian, Sensor, Space
from pilotage.estimators import EKF, KF, UKF, ParticleFilter
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, dynamics, position, sensor, unicycle

DOCS = Path(__file__).parent.parent / "docs"
PARTICLES = 8000
SWING = Space("angle: angle", "rate [rad/s]")
BEACON = (4.0, 0.0)


@dynamics(state=SWING, noise=(0.01, 0.1))
def pendulum(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1], -9.81 * m.sin(x[0])


@sensor(state=Space("angle: angle"), reading=Space("out [m]"), std=0.05)
def lateral(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (m.sin(x[0]),)


@sensor(state=Space("x y [m]"), reading=Space("range [m]"), std=0.1)
def beacon(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (m.hypot(x[0] - BEACON[0], x[1] - BEACON[1]),)


@dataclass(frozen=True)
class Problem:
    """A model, a sensor and where it starts; the error is that of the components `judged`."""

    dynamics: Dynamics
    sensor: Sensor
    start: Gaussian
    dt: float
    steps: int
    judged: tuple[int, ...]
    unit: str
    u: tuple[float, ...] = ()


def problems() -> dict[str, Problem]:
    """The three problems, from straight to bent."""
    cart, robot = constant_velocity(2, density=0.5), unicycle(noise=(0.1, 0.1, 0.05))
    return {
        "linear: target in the plane, positions": Problem(
            cart, position(2, std=1.0), Gaussian.of(cart.state, [0, 0, 1, 0], std=[3, 3, 1, 1]), 0.5, 60, (0, 1), "m"
        ),
        "mild: pendulum that swings 45 degrees": Problem(
            pendulum(), lateral(), Gaussian.of(SWING, [0.8, 0.0], std=[0.1, 0.3]), 0.02, 300, (0,), "rad"
        ),
        "strong: robot, range of one beacon only": Problem(
            robot, beacon(), Gaussian.of(robot.state, [0, 0, 0], std=[0.5, 0.5, 0.8]), 0.2, 60, (0, 1), "m", (1.0, 0.2)
        ),
    }


def frozen(problem: Problem) -> tuple[LinearDynamics, LinearSensor, Any, Any, Any]:
    """The problem linearised once, where it starts, for a filter that needs matrices: with what its action and readings
    add."""
    model, eye, x0 = problem.dynamics, problem.sensor.on(problem.dynamics.state), problem.start.mean
    u = np.array(problem.u)
    F, H = np.asarray(model.linearize(x0, u, problem.dt)[0]), np.asarray(eye.linearize(x0))
    state = Space(*(f"x{i + 1}" for i in range(len(x0))))
    linear = LinearDynamics.discrete(F, np.eye(len(x0)), Q=np.array(model.noise(x0, u, problem.dt)), state=state)
    offset = np.asarray(model.step(x0, u, problem.dt)) - F @ x0
    return linear, LinearSensor(H, np.array(eye.noise(x0)), state=state), state, offset, eye.observe(x0) - H @ x0


def simulated(problem: Problem, runs: int) -> tuple[Any, Any]:
    """States ``(runs, T, n)`` and readings ``(runs, T, k)`` that follow from the problem's own noise."""
    rng, model, u = np.random.default_rng(1), problem.dynamics, np.array(problem.u)
    x, states = problem.start.sample(runs, rng=rng), []
    for _ in range(problem.steps):
        Q = np.asarray(model.noise(x, u, problem.dt))
        e = rng.standard_normal((runs, Q.shape[-1], 1))
        root = np.linalg.cholesky(Q + 1e-15 * np.eye(Q.shape[-1]))
        x = np.asarray(model.state.plus(model.step(x, u, problem.dt), (root @ e)[..., 0]))
        states.append(x)
    xs = np.stack(states, axis=1)
    return xs, problem.sensor.on(model.state).sample(xs, rng=rng)


def moments(name: str, problem: Problem, zs: Any) -> Gaussian:
    """What a filter makes of the readings, as means and covariances ``(runs, T, ...)``."""
    model, dt, us = problem.dynamics, problem.dt, np.broadcast_to(problem.u, (problem.steps, len(problem.u)))
    if name == "KF":
        linear, eye, state, offset, shift = frozen(problem)
        start = Gaussian(state, problem.start.mean, problem.start.cov)
        return KF(dt=dt).run(start, linear, offset, zs - shift, sensor=eye).beliefs
    if name != "PF":
        estimator = EKF(dt=dt) if name == "EKF" else UKF(dt=dt)
        return estimator.run(problem.start, model, us, zs, sensor=problem.sensor).beliefs
    means, covs = [], []
    for run, z in enumerate(zs):
        filter = particles(problem).start(belief=problem.start, rng=run)
        for k in range(problem.steps):
            filter.predict(u=us[k])
            filter.update(problem.sensor, z[k])
            found = filter.belief.moments()
            means.append(found.mean)
            covs.append(found.cov)
    shape = zs.shape[:2]
    return Gaussian(model.state, np.reshape(means, (*shape, -1)), np.reshape(covs, (*shape, *covs[0].shape)))


def particles(problem: Problem) -> ParticleFilter:
    return ParticleFilter(problem.dynamics, dt=problem.dt, n=PARTICLES)


def cost(name: str, problem: Problem, zs: Any) -> float:
    """Microseconds of a prediction and an update from Python."""
    u: Any = np.array(problem.u)
    if name == "KF":
        linear, eye, state, u, shift = frozen(problem)
        filter = KF(linear, dt=problem.dt).start(belief=Gaussian(state, problem.start.mean, problem.start.cov))
        zs = zs - shift
    else:
        make: dict[str, Callable[[], Any]] = {
            "EKF": lambda: EKF(problem.dynamics, dt=problem.dt),
            "UKF": lambda: UKF(problem.dynamics, dt=problem.dt),
            "PF": lambda: particles(problem),
        }
        filter, eye = make[name]().start(belief=problem.start), problem.sensor
    spent = []
    for z in zs[0]:
        began = time.perf_counter()
        filter.predict(u=u)
        filter.update(eye, z)
        spent.append(time.perf_counter() - began)
    return 1e6 * float(np.median(spent))


ASSUMED = {"KF": "linear, Gaussian", "EKF": "smooth, Gaussian", "UKF": "Gaussian", "PF": "none"}
COLUMNS = ("model", "filter", "assumes", "us a step", "RMSE", "unit", "NEES / states")


def measured(quick: bool) -> list[tuple[Any, ...]]:
    """A line for each problem and filter."""
    lines = []
    for title, problem in problems().items():
        xs, zs = simulated(problem, 20 if quick else 100)
        for name, assumed in ASSUMED.items():
            found = moments(name, problem, zs)
            errors = np.asarray(problem.dynamics.state.minus(xs, found.mean))
            whole = found.cov + 1e-12 * np.eye(errors.shape[-1])
            nees = np.einsum("...i,...i", errors, np.linalg.solve(whole, errors[..., None])[..., 0])
            late = errors[:, problem.steps // 4 :, list(problem.judged)]
            rmse = float(np.sqrt((late**2).sum(-1).mean()))
            ratio = float(nees[:, problem.steps // 4 :].mean() / errors.shape[-1])
            lines.append((title, name, assumed, cost(name, problem, zs), rmse, problem.unit, ratio))
    return lines


@table("comparison", note="which filter for which model; NEES / states is 1 where a filter is right about its errors")
def comparison(quick: bool) -> Figures:
    lines = measured(quick)
    nees = {(line[0].split(":")[0], line[1]): line[6] for line in lines}
    bars = [
        ("KF, EKF and UKF agree on the linear model", all(0.9 < nees["linear", f] < 1.1 for f in ("KF", "EKF", "UKF"))),
        ("EKF and UKF are consistent on the mild one", all(0.8 < nees["mild", f] < 1.25 for f in ("EKF", "UKF"))),
        ("the particle filter is consistent on both", max(nees[p, "PF"] for p in ("linear", "mild")) < 1.25),
        ("and the least overconfident on the strong one", nees["strong", "PF"] < 0.1 * nees["strong", "UKF"]),
    ]
    return Figures(COLUMNS, lines, bars)


def time_of(us: float) -> str:
    """A time in microseconds with two digits, in a unit that needs no powers of ten."""
    unit, factor = ("us", 1.0) if us < 995.0 else ("ms", 1e-3)
    return f"{us * factor:.{0 if us * factor >= 9.95 else 1}f} {unit}"


def picture(lines: list[tuple[Any, ...]]) -> bytes:
    """Errors, and whether the filters know them."""
    from matplotlib.figure import Figure

    from pilotage.viz.palette import CYCLE, INK, MUTED

    titles = list(dict.fromkeys(line[0] for line in lines))
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for color, name in zip(CYCLE, ASSUMED, strict=False):
        mine = [line for line in lines if line[1] == name]
        best = [min(line[4] for line in lines if line[0] == title) for title in titles]
        at = np.arange(len(titles)) + 0.2 * (list(ASSUMED).index(name) - 1.5)
        label = f"{name}, {time_of(float(np.median([line[3] for line in mine])))}"
        left.bar(at, [line[4] / b for line, b in zip(mine, best, strict=True)], 0.18, color=color, label=label)
        right.bar(at, [line[6] for line in mine], 0.18, color=color, label=name)
    for ax, what in ((left, "error, best = 1"), (right, "NEES / states, right = 1")):
        ax.set_yscale("log")
        ax.axhline(1.0, color=INK, lw=0.8)
        ax.set_ylabel(what)
        ax.set_xticks(range(len(titles)), [title.split(":")[0] for title in titles])
        ax.tick_params(colors=MUTED)
    left.legend(title="filter, cost of a step", fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def write(lines: list[tuple[Any, ...]], page: Path = DOCS / "how-to" / "which-filter.md") -> None:
    """Put the table into the page, between its marks, and the picture beside it."""
    text = page.read_text(encoding="utf-8")
    block = f"<!-- table -->\n\n{Figures(COLUMNS, lines).markdown()}\n\n<!-- end of table -->"
    text, count = re.subn(r"<!-- table -->.*<!-- end of table -->", lambda _: block, text, flags=re.DOTALL)
    assert count == 1, f"{page} has no place for the table"
    page.write_text(text, encoding="utf-8")
    (DOCS / "pictures" / "which-filter.png").write_bytes(picture(lines))


if __name__ == "__main__":
    made = measured("--quick" in sys.argv)
    write(made)
    print(Figures(COLUMNS, made).markdown())
