"""A car drives among pedestrians whose tracks are only predicted, and touches them no more often than it declares.

    track     a Kalman filter for each pedestrian, from 3 s of positions that are seen with noise
    predict   its belief 5 s ahead; the covariance grows, since people turn and change their pace
    plan      iLQR with `task.avoiding(track.obstacle(risk))`: a disc around each mean that grows with the covariance
    judge     thousands of futures that the pedestrians may have: how many of them touch the car on its plan?

The declared risk is shared equally by the pedestrians. A plan that avoids the means only is shown beside the others.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.control import ILQR
from pilotage.core import Gaussian, MovingObstacle, Plan
from pilotage.estimators import KF
from pilotage.io import write_atomic
from pilotage.models import bicycle, constant_velocity, position, task
from pilotage.planners import PredictedTrack
from pilotage.viz import draw_discs
from pilotage.viz.palette import MUTED, PLAN, SHADE, SURPRISE, TRUTH

DT, STEPS, SEEN, WALKERS = 0.2, 25, 15, 3
CAR, PERSON, PACE = 0.4, 0.3, 1.5
"""Radii of the discs of car and pedestrian [m]; the speed that the car prefers [m/s]."""
WALK, EYES, MODEL = constant_velocity(2, density=0.01), position(2, std=0.05), bicycle(wheelbase=0.6, noise=0.0)
START = np.array([0.0, 0.0, 0.0, PACE])
RISKS = {"means only": None, "risk 0.3": 0.3, "risk 0.1": 0.1, "risk 0.01": 0.01}


@task(state=MODEL.state, action=MODEL.action, weights=(1.0, 1.0, 1.0, 0.3, 1.0),
      terminal=lambda x, p, m: (x[1], x[2]), terminal_weights=(3.0, 3.0))  # fmt: skip
def lane(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Drive straight along the x axis, at the preferred speed."""
    return x[1], x[2], x[3] - PACE, u[0], u[1]


class Scene(NamedTuple):
    """Predictions, plans by risk, N futures ``(WALKERS, STEPS + 1, N, 2)``, and which touch the car ``(N,)``."""

    tracks: list[PredictedTrack]
    plans: dict[str, Plan]
    futures: np.ndarray
    touched: dict[str, np.ndarray]


def tracked(rng: np.random.Generator) -> Gaussian:
    """The belief about a pedestrian who is about to cross the road, after some noisy readings."""
    side, meets = rng.choice([-1.0, 1.0]), rng.uniform(2.0, 4.5)
    velocity = np.array([rng.uniform(-0.3, 0.3), -side * rng.uniform(0.7, 1.3)])
    x = np.concatenate([[PACE * meets, 0.0] - velocity * (meets + DT * SEEN), velocity])
    belief = Gaussian.of(WALK.state, x, std=[0.5, 0.5, 0.5, 0.5])
    for _ in range(SEEN):
        x = moved(x[None], rng)[0]
        belief = KF().predict(belief, WALK, np.zeros(0), DT)
        belief = KF().update(belief, EYES, EYES.sample(x[:2], rng=rng)).belief
    return belief


def moved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pedestrians ``(N, 4)`` one step later."""
    Q = WALK.noise(x[0], np.zeros(0), DT)
    return WALK.step(x, np.zeros(0), DT) + rng.multivariate_normal(np.zeros(4), Q, len(x))


def predicted(belief: Gaussian) -> PredictedTrack:
    """The prediction of a pedestrian over the horizon."""
    beliefs = [belief]
    for _ in range(STEPS):
        beliefs.append(KF().predict(beliefs[-1], WALK, np.zeros(0), DT))
    return PredictedTrack.of(DT * np.arange(STEPS + 1), beliefs, PERSON)


def predictions(tracks: list[PredictedTrack], risk: float | None) -> list[MovingObstacle]:
    """The obstacles that share a risk; without one, discs around the means."""
    if risk is None:
        return [MovingObstacle(each.ts, each.means, PERSON) for each in tracks]
    return [each.obstacle(risk / len(tracks)) for each in tracks]


def planned(tracks: list[PredictedTrack], risk: float | None) -> Plan:
    """The cheapest plan from some first guesses; without a risk, it avoids the means only."""
    drive = ILQR(MODEL, lane(dt=DT).avoiding(predictions(tracks, risk), CAR), horizon=STEPS)
    guesses = [np.tile([accel, steer], (STEPS, 1)) for accel in (-0.3, 0.0) for steer in (-0.05, 0.0, 0.05)]
    plans = [drive.solve(START, us=guess) for guess in guesses]
    return min((plan for plan in plans if plan.ok), key=lambda plan: plan.cost, default=plans[0])


def futures_of(belief: Gaussian, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions that a pedestrian may have, ``(STEPS + 1, count, 2)``."""
    xs = [belief.sample(count, rng=rng)]
    for _ in range(STEPS):
        xs.append(moved(xs[-1], rng))
    return np.array(xs)[..., :2]


def touching(plan: Plan, futures: np.ndarray) -> np.ndarray:
    """Whether a pedestrian touches the car on its plan in each future ``(N,)``, at the steps or 3 times between two."""
    assert plan.xs is not None
    gaps = futures - plan.xs[:, None, :2]
    between = [(1.0 - a) * gaps[:, :-1] + a * gaps[:, 1:] for a in np.linspace(0.0, 1.0, 5)]
    return np.min(np.linalg.norm(between, axis=-1), axis=(0, 1, 2)) < CAR + PERSON


def scene(seed: int, count: int) -> Scene | None:
    """One road with pedestrians; None if one of the risks cannot be kept, so that the car would have to wait."""
    rng = np.random.default_rng(seed)
    beliefs = [tracked(rng) for _ in range(WALKERS)]
    tracks = [predicted(each) for each in beliefs]
    plans = {name: planned(tracks, risk) for name, risk in RISKS.items()}
    if not all(plan.ok for plan in plans.values()):
        return None
    futures = np.array([futures_of(each, count, rng) for each in beliefs])
    return Scene(tracks, plans, futures, {name: touching(plan, futures) for name, plan in plans.items()})


def picture(one: Scene) -> Figure:
    """A scene at some times: the car on two plans, 300 futures, and the discs that each plan keeps clear of."""
    figure = Figure(figsize=(12.0, 5.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    ticks, names = (5, 11, 17, 23), ("means only", "risk 0.1")
    for row, name in zip(figure.subplots(2, len(ticks), sharex=True, sharey=True), names, strict=True):
        xs = one.plans[name].xs
        assert xs is not None
        for ax, k in zip(row, ticks, strict=True):
            ax.axhspan(-1.2, 1.2, color=SHADE, alpha=0.35)
            places = one.futures[:, k, :300].reshape(-1, 2)
            near = np.hypot(*(places - xs[k, :2]).T) < CAR + PERSON
            ax.plot(*places[~near].T, ".", color=MUTED, ms=2, label="a future")
            ax.plot(*places[near].T, ".", color=SURPRISE, ms=4, label="touches the car")
            discs = predictions(one.tracks, RISKS[name])
            centers, radii = np.array([each.at(DT * k) for each in discs]), [each.radius_at(DT * k) for each in discs]
            draw_discs(ax, centers, radii, color=PLAN, alpha=0.2)
            ax.plot(*xs[:, :2].T, color=TRUTH, lw=1.0)
            draw_discs(ax, [xs[k, :2]], CAR, color=TRUTH, alpha=0.8)
            ax.set(xlim=(-0.6, 7.5), ylim=(-3.2, 3.2), aspect="equal", title=f"{name}, after {DT * k:.1f} s")
        row[0].set_ylabel(f"touched in {100 * one.touched[name].mean():.1f} % of futures\ny [m]")
    figure.axes[0].legend(fontsize=7, loc="lower left")
    return figure


def main(*, seed: int = 0, scenes: int = 10, futures: int = 4000, out: Path = Path("pilotage-demo")) -> int:
    """Drive among pedestrians at declared risks; ends with a table and a picture.

    Args:
        seed: Seed of the first scene.
        scenes: Number of scenes.
        futures: Number of futures of each scene.
        out: Folder for the picture.
    """
    found = [scene(seed + k, futures) for k in range(scenes)]
    driven = [each for each in found if each is not None]
    print(
        f"{len(driven)} of {scenes} scenes can be driven at every risk\n"
        "plan        declared  touched, mean  worst     cost"
    )
    fair = bool(driven)
    for name, risk in RISKS.items():
        touched = [each.touched[name].mean() for each in driven]
        costs = [each.plans[name].cost for each in driven]
        print(
            f"{name:11} {risk or float('nan'):8.2f} {np.mean(touched):14.4f} {max(touched):6.4f} {np.mean(costs):8.2f}"
        )
        fair &= risk is None or max(touched) <= risk
    drawn = io.BytesIO()
    picture(driven[0]).savefig(drawn, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "pedestrians.png", drawn.getvalue())
    print(f"see {out / 'pedestrians.png'}")
    if fair and np.mean([each.touched["means only"].mean() for each in driven]) > 0.3:
        return 0
    print("not as it should be: no risk should be exceeded, and plans that avoid the means should be touched often")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
