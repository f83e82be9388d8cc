"""The temperature of a cylinder wall that nobody can measure, from coolant, exhaust and how the engine is driven.

    model      Heat flows from the gas to the wall, from the wall to the coolant, and through the radiator outside: a
               mean-value model with one temperature for each, no strokes and no valves.
    estimate   An extended Kalman filter. It starts 60 K off, reads the coolant every second and the exhaust ten times,
               and takes the conductance between wall and coolant, which deposits change, as part of the state.
    compare    The same model without readings: what a lookup table of an engine control unit would say.

Source: the structure of the model follows Guzzella and Onder, "Introduction to Modeling and Control of Internal
Combustion Engine Systems" (2nd ed. 2010), section 2.6; its numbers are typical of a 1.6 l engine and not measured.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.core import Readings, Space
from pilotage.estimators import EKF, ConsistencyReport, Observability, consistency, observability
from pilotage.io import write_atomic
from pilotage.models import dynamics, sensor
from pilotage.viz.palette import ESTIMATE, MUTED, PLAN, TRUTH

DT, SECONDS = 0.1, 600.0
STATE = Space("wall coolant exhaust [K]", "conductance [kW/K]")
PARAMS = {
    "heating": 42.0,  # fuel, as energy per mass [MJ/kg]
    "to_wall": 0.22,  # share of it that reaches the wall
    "to_exhaust": 0.33,  # share that leaves with the gas
    "wall_capacity": 9.0,  # heat capacities [kJ/K]
    "coolant_capacity": 28.0,
    "radiator": 0.45,  # conductance to the air, thermostat open [kW/K]
    "thermostat": 361.0,  # temperature at which it opens [K]
    "outside": 293.0,  # [K]
    "lag": 1.5,  # of the exhaust sensor's housing [s]
}


GUESS, STD = np.array([290.0, 335.0, 650.0, 0.38]), np.array([60.0, 5.0, 60.0, 0.1])


class Drive(NamedTuple):
    """A drive over T ticks: times, true states, the estimate of the wall with its deviation, and how good it is [K]."""

    ts: Any
    truth: Any
    wall: Any
    sd: Any
    alone: Any
    error: float
    blind: float
    inside: float
    report: ConsistencyReport
    seen: Observability


@dynamics(
    state=STATE, action=Space("fuel [g/s]", "air [g/s]"), params=PARAMS, noise=(0.3, 0.1, 2.0, 0.004), integrator="rk4"
)
def engine(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Temperatures of wall, coolant and exhaust housing, and the conductance between the first two."""
    wall, coolant, exhaust, conductance = x
    fuel, air = u
    power = fuel * p.heating  # [kW]
    cooling = conductance * (wall - coolant)
    opened = 0.5 * (1.0 + m.tanh((coolant - p.thermostat) / 3.0))
    lost = (0.05 + p.radiator * opened) * (coolant - p.outside)
    gas = p.outside + p.to_exhaust * power / (1.1e-3 * (air + fuel)) + 0.25 * (wall - p.outside)
    return (
        (p.to_wall * power - cooling) / p.wall_capacity,
        (cooling - lost) / p.coolant_capacity,
        (gas - exhaust) / p.lag,
        0.0,
    )


def reads(name: str, std: float) -> Any:
    """A thermocouple."""

    @sensor(state=Space(f"{name} [K]"), reading=Space(f"{name} [K]"), std=std)
    def thermocouple(x: Any, c: Any, p: Any, m: Any) -> Any:
        return x

    return thermocouple()


def driven(rng: np.random.Generator) -> np.ndarray:
    """Fuel and air of a drive through town and country, at stoichiometric mixture, ``(T, 2)``."""
    load = np.repeat(rng.uniform(0.2, 1.6, int(SECONDS / 20.0)), round(20.0 / DT))
    fuel = np.convolve(np.pad(load, 50, mode="edge"), np.ones(101) / 101.0, mode="valid")
    return np.stack([fuel, 14.7 * fuel], axis=-1)


def simulated(rng: np.random.Generator, model: Any, us: np.ndarray) -> tuple[np.ndarray, list[Readings]]:
    """The true temperatures ``(T, 4)``, and what coolant and exhaust probes read of them."""
    x, xs = np.array([350.0, 340.0, 700.0, 0.30]), []
    for u in us:
        x = model.step(x, u, DT) + np.sqrt(np.diagonal(model.noise(x, u, DT))) * rng.normal(size=4)
        xs.append(x)
    truth, ts = np.array(xs), DT * np.arange(1, len(us) + 1)
    water, probe = reads("coolant", 0.5), reads("exhaust", 8.0)
    return truth, [
        Readings(water, water.on(STATE).sample(truth[9::10], rng=rng), ts[9::10]),
        Readings(probe, probe.on(STATE).sample(truth, rng=rng), ts),
    ]


def drive(seed: int = 0) -> Drive:
    """One drive: the filter and the model alone, from the same wrong guess."""
    rng, model = np.random.default_rng(seed), engine()
    us = driven(rng)
    truth, readings = simulated(rng, model, us)
    ts = DT * np.arange(1, len(us) + 1)
    found = EKF(model, dt=DT).start(mean=GUESS, std=STD).run(us, readings, ts)
    last = np.searchsorted(found.ts, ts + 1e-6) - 1  # the last update of each tick
    wall, sd = found.beliefs.mean[last, 0], found.beliefs.std[last, 0]
    alone = model.rollout(GUESS, us, DT)[1:, 0]
    settled = ts > 120.0
    error, blind = (float(np.sqrt(np.mean((w - truth[:, 0])[settled] ** 2))) for w in (wall, alone))
    inside = float(np.mean(np.abs(wall - truth[:, 0])[settled] < 2.0 * sd[settled]))
    seen = observability(model, [each.sensor for each in readings], truth[0], us[:300], dt=DT, scale=STD)
    return Drive(ts, truth, wall, sd, alone, error, blind, inside, consistency(found), seen)


def picture(drive: Drive) -> Figure:
    """The wall temperature and its estimates over the drive."""
    figure = Figure(figsize=(8.0, 4.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    ax, t, wall, sd = figure.subplots(), drive.ts, drive.wall, drive.sd
    ax.fill_between(
        t, wall - 2.0 * sd, wall + 2.0 * sd, color=ESTIMATE, alpha=0.25, lw=0, label="2 standard deviations"
    )
    ax.plot(t, wall, color=ESTIMATE, lw=1.0, label="filter")
    ax.plot(t, drive.alone, color=MUTED, lw=1.0, ls="--", label="model without readings")
    ax.plot(t, drive.truth[:, 0], color=TRUTH, lw=1.0, label="wall (not measured)")
    ax.plot(t, drive.truth[:, 1], color=PLAN, lw=0.8, label="coolant (measured)")
    ax.set(xlabel="time [s]", ylabel="temperature [K]", ylim=(280.0, 1.08 * drive.truth[:, 0].max()))
    ax.legend(frameon=False, fontsize=8, ncols=2)
    return figure


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Estimate the wall temperature of an engine that nobody measures; ends with a table and a picture.

    Args:
        seed: Seed of the drive and of all noise.
        out: Folder for the picture.
    """
    found = drive(seed)
    print(f"wall temperature  {found.error:.1f} K off with the filter, {found.blind:.1f} K without readings (RMSE)")
    print(
        f"consistent        {found.inside:.0%} of the time within two standard deviations; {found.report.verdict.value}"
    )
    print(f"observability     {found.seen}")
    saved = io.BytesIO()
    picture(found).savefig(saved, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "engine-observer.png", saved.getvalue())
    print(f"see               {out / 'engine-observer.png'}")
    if found.error < 0.5 * found.blind and found.error < 5.0 and found.inside > 0.8 and found.seen.observable:
        return 0
    print("not as it should be: the filter should be half as far off as the model, and within 5 K")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
