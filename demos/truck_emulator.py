"""The emulator of the truck against the truth: how its error grows along a drive, and whether a policy cares.

    residual   learns the change of the state from the directions alone
    absolute   learns the next state from the state, as in 1990

Both drive open loop: a hundred decisions from the same start, each with its own last state. Then the policy of the
package drives the residual emulator and the truth in closed loop, from the same starts.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.core.arrays import Array
from pilotage.io import write_atomic
from pilotage.learning.worlds import TruckPolicy
from pilotage.learning.worlds.truck import EmulatorSettings, TruckEmulator, learn_emulator
from pilotage.learning.worlds.truck.emulator import Form
from pilotage.learning.worlds.truck.evaluate import TruckOptions
from pilotage.learning.worlds.truck.kinematics import STEERING, backed, rear, running
from pilotage.learning.worlds.truck.lessons import Model
from pilotage.viz import fit_axes
from pilotage.viz.palette import CYCLE, INK, TRUTH

STEPS, TRUCKS = 100, 200
FORMS: tuple[Form, ...] = ("residual", "absolute")
DECISION = 0.4
"""Way of a decision [m]."""


def learned(form: Form, seed: int) -> TruckEmulator:
    """An emulator that is fitted to random drives for a few seconds."""
    return learn_emulator(EmulatorSettings(form=form, steps=1000, drives=2000, seed=seed))[0]


def open_loop(model: Model, seed: int) -> Array:
    """Places of the trailer's axle ``(STEPS + 1, TRUCKS, 2)`` under gentle random steering."""
    rng = np.random.default_rng(seed)
    x = torch.as_tensor(TruckOptions(starts=TRUCKS, seed=seed).draw()[:, :4])
    turns = torch.as_tensor(0.25 * STEERING * rng.uniform(-1.0, 1.0, (STEPS, TRUCKS)))
    places = [torch.stack(rear(x), -1)]
    for u in turns:
        hitch = torch.remainder(x[:, 2] - x[:, 3] + torch.pi, 2.0 * torch.pi) - torch.pi
        x = model(x, (u + 0.9 * hitch).clamp(-STEERING, STEERING))
        places.append(torch.stack(rear(x), -1))
    return torch.stack(places).detach().numpy()


def closed_loop(model: Model, policy: TruckPolicy, seed: int) -> list[Array]:
    """Places of the trailer's axle of eight trucks that the policy drives, each until it arrives."""
    x = torch.as_tensor(TruckOptions(starts=8, seed=seed).draw()[:, :4])
    going, ways = torch.ones(len(x), dtype=torch.bool), [[place] for place in torch.stack(rear(x), -1).numpy()]
    for _ in range(200):
        with torch.no_grad():
            x = torch.where(going[:, None], model(x, policy(x)), x)
        for i in torch.nonzero(going).ravel().tolist():
            ways[i].append(torch.stack(rear(x[i]), -1).numpy())
        going = going & running(x)
    return [np.array(way) for way in ways]


def growth(ax: Axes, errors: dict[str, Array]) -> None:
    """The median error over the way, with the middle half of the trucks."""
    way = DECISION * np.arange(1, STEPS + 1)
    for color, (name, error) in zip(CYCLE[1:], errors.items(), strict=False):
        low, middle, high = np.quantile(error[1:], (0.25, 0.5, 0.75), axis=1)
        ax.plot(way, middle, color=color, label=name)
        ax.fill_between(way, low, high, color=color, alpha=0.2, linewidth=0.0)
    ax.set(xscale="log", yscale="log", xlabel="way [m]", ylabel="error of the trailer's place [m]")
    ax.set_title("open loop: the error grows", color=INK)
    ax.legend(frameon=False)


def ways(ax: Axes, truth: list[Array], emulated: list[Array]) -> None:
    """The ways of the same trucks in truth and emulator, with the dock on the left."""
    fit_axes(ax, (-2.0, -18.0), (42.0, 20.0))
    for kind, paths, color, width in (("truth", truth, TRUTH, 3.5), ("emulator", emulated, CYCLE[1], 1.2)):
        for i, path in enumerate(paths):
            ax.plot(
                *path.T, color=color, linewidth=width, alpha=0.5 if width > 2 else 1.0, label=kind if not i else None
            )
    ax.axvline(0.0, color=INK, linewidth=2.0)
    ax.set_title("closed loop: the policy corrects it", color=INK)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.04, 1.0))


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Learn two emulators and drive them beside the truth; ends with a table and a picture.

    Args:
        seed: Seed of the emulators and of the drives.
        out: Folder for the picture.
    """
    truth, policy = open_loop(backed, seed), TruckPolicy.load()
    emulators = {form: learned(form, seed) for form in FORMS}
    errors = {form: np.linalg.norm(open_loop(model, seed) - truth, axis=-1) for form, model in emulators.items()}
    print("median error     " + "".join(f"{DECISION * k:>9.1f} m" for k in (1, 10, STEPS)))
    for form, error in errors.items():
        print(f"{form:16} " + "".join(f"{np.median(error[k]):>9.3f} m" for k in (1, 10, STEPS)))
    there, here = closed_loop(backed, policy, seed), closed_loop(emulators["residual"], policy, seed)
    ends = np.array([[way[-1] for way in paths] for paths in (there, here)])
    print(f"closed loop: the trailers arrive within {np.abs(ends[..., 1]).max():.2f} m of the dock in both")
    figure = Figure(figsize=(11.0, 4.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.3))
    growth(left, errors)
    ways(right, there, here)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "truck-emulator.png", drawn.getvalue())
    print(f"see {out / 'truck-emulator.png'}")
    residual, absolute = (np.median(errors[form], axis=1) for form in FORMS)
    grows = residual[1] < residual[10] < residual[STEPS]
    fine = bool(grows and 5.0 * residual[1] < absolute[1] and np.abs(ends[..., 1]).max() < 0.5)
    if not fine:
        print("not as it should be: errors grow, those of the residual form are smaller, and the policy docks in both")
    return 0 if fine else 1
