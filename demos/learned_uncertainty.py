"""An ensemble learns a pendulum from slow swings near the bottom, and tells where it does not know how it moves.

    data      noisy transitions at up to 1 rad from the bottom and 2 rad/s
    model     an ensemble of five networks that correct a pendulum without friction
    doubt     the disagreement of the five: the epistemic part of a prediction

The picture shows the doubt over the plane of angle and rate, and two swings without feedback: one among the data, and
one that leaves them, where the members part about as far as their mean errs. Networks with "tanh" would part less: far
from all data their outputs are constant, and much alike.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.io import write_atomic
from pilotage.learning import Calibration, Ensemble, ResidualDynamics, calibrate, fit
from pilotage.models import pendulum
from pilotage.viz import draw_reliability
from pilotage.viz.palette import CYCLE, INK, MUTED

DT, STEPS, NOISE, MEMBERS = 0.05, 40, 0.05, 5
REAL, PRIOR = pendulum(damping=0.3), pendulum()
STARTS = {"among the data": [np.pi - 0.8, 0.0], "leaving the data": [np.pi - 0.8, 6.5]}


def observed(n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Transitions near the bottom ``(n, 2, 2)``, ``(n, 1, 1)``, with noise."""
    x = np.stack([np.pi + rng.uniform(-1, 1, n), rng.uniform(-2, 2, n)], -1)
    u = rng.uniform(-1, 1, (n, 1))
    y = REAL.step(x, u, DT) + np.sqrt(DT) * NOISE * rng.normal(size=x.shape)
    return np.stack([x, y], 1), u[:, None]


def learned(seed: int) -> tuple[ResidualDynamics, Any, Calibration]:
    """The model, the data, and its calibration on data that it has not seen, and outside them."""
    rng = np.random.default_rng(seed)
    data, acts = observed(1500, rng)
    settings: Any = {"bounded": False, "hidden": (32, 32), "activation": "silu", "seed": seed}
    blank = ResidualDynamics(PRIOR, lambda i, o: Ensemble(MEMBERS, i, o, **settings))
    model = fit(blank, data, acts, DT, epochs=60, batch=64, rng=seed).model
    away = np.stack([rng.uniform(-1, 1, 500), rng.choice([-1, 1], 500) * rng.uniform(4, 8, 500)], -1)
    return model, data, calibrate(model, *observed(1000, rng), DT, far=(away, rng.uniform(-1, 1, (500, 1))))


def members(model: ResidualDynamics) -> list[ResidualDynamics]:
    """Each member as a model of its own."""
    ensemble: Any = model.network
    return [ResidualDynamics(PRIOR, ensemble.member(i), scaling=model.scaling) for i in range(MEMBERS)]


def picture(model: ResidualDynamics, data: Any, report: Calibration) -> Figure:
    """The doubt over the plane, two swings, and the reliability."""
    figure = Figure(figsize=(11.0, 6.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    angle, rate = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 91), np.linspace(-8.0, 8.0, 81))
    found = model.predict(np.stack([angle, rate], -1), [0.0], DT)
    doubt = np.log10(np.sqrt(found.epistemic[..., 1, 1]))
    shade = axes[0, 0].pcolormesh(angle, rate, doubt, cmap="YlOrRd", shading="gouraud")
    figure.colorbar(shade, ax=axes[0, 0], label="log10 of the doubt of the rate [rad/s]")
    axes[0, 0].plot(*data[::5, 0].T, ".", ms=1.5, color=INK)
    axes[0, 0].set(title="dots: data; colour: doubt", xlabel="angle [rad], pi hangs down", ylabel="rate [rad/s]")
    ts, us = DT * np.arange(STEPS + 1), np.zeros((STEPS, 1))
    for ax, (name, start) in zip((axes[0, 1], axes[1, 1]), STARTS.items(), strict=True):
        for each in members(model):
            ax.plot(ts, np.unwrap(each.rollout(start, us, DT)[:, 0]), color=MUTED, lw=0.8)
        ax.plot(ts, np.unwrap(model.rollout(start, us, DT)[:, 0]), color=CYCLE[1], label="mean")
        ax.plot(ts, np.unwrap(REAL.rollout(start, us, DT)[:, 0]), "--", color=CYCLE[0], label="truth")
        ax.set(title=f"{name}; grey: the members", xlabel="time [s]", ylabel="angle [rad]")
        ax.legend(fontsize=8, frameon=False)
    draw_reliability(axes[1, 0], report)
    return figure


def spread(model: ResidualDynamics, start: Any) -> tuple[float, float]:
    """The largest disagreement of the members' angles along a swing, and the largest error of the mean [rad]."""
    us = np.zeros((STEPS, 1))
    angles = np.stack([np.unwrap(each.rollout(start, us, DT)[:, 0]) for each in members(model)])
    mean, truth = (np.unwrap(each.rollout(start, us, DT)[:, 0]) for each in (model, REAL))
    return float(angles.std(0).max()), float(np.abs(mean - truth).max())


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Train the ensemble and show what it knows; ends with a report and a picture.

    Args:
        seed: Seed of the data and of the training.
        out: Folder for the picture.
    """
    model, data, report = learned(seed)
    print(report)
    swings = {name: spread(model, start) for name, start in STARTS.items()}
    for name, (doubt, error) in swings.items():
        print(f"{name:18} members part by {doubt:.3f} rad, the mean errs by {error:.3f} rad")
    saved = io.BytesIO()
    picture(model, data, report).savefig(saved, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "learned-uncertainty.png", saved.getvalue())
    print(f"see      {out / 'learned-uncertainty.png'}")
    doubt, error = swings["leaving the data"]
    apart = doubt > 5.0 * swings["among the data"][0] and doubt > 0.2 * error
    if report.error < 0.05 and report.auroc is not None and report.auroc > 0.9 and apart:
        return 0
    print("not as it should be: the model should be calibrated among the data, and doubt what is outside")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
