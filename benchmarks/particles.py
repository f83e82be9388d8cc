"""Particle filters: resampling, and localization with a lidar."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row


@row("resample", peer="filterpy", bar=100, unit="us", needs=["filterpy"], note="systematic, 10 000 particles")
def resample(quick: bool) -> Contest:
    from filterpy.monte_carlo import systematic_resample  # pyright: ignore[reportMissingImports]

    from pilotage.estimators import resample as ours

    rng = np.random.default_rng(1)
    # A fresh cloud every time: a processor foresees the branches of weights that it has seen before.
    clouds = rng.exponential(size=(16, 10_000))
    clouds /= clouds.sum(1, keepdims=True)
    turns = {"ours": 0, "peer": 0}

    def fresh(side: str) -> np.ndarray:
        turns[side] = (turns[side] + 1) % len(clouds)
        return clouds[turns[side]]

    def check() -> None:
        for w in clouds:
            for drawn in (ours(w, rng=rng), systematic_resample(w)):
                copies = np.bincount(drawn, minlength=len(w))
                assert (np.abs(copies - len(w) * w) < 1.0 + 1e-6).all(), "more or fewer copies than systematic gives"

    return Contest(lambda: ours(fresh("ours"), rng=rng), lambda: systematic_resample(fresh("peer")), check)


def _hall() -> tuple[Any, Any, Any]:
    """A hall of 30 m x 15 m with four pillars, a lidar of 60 beams, and a pose in it."""
    from pilotage.maps import Lidar, OccupancyGrid

    walls = np.pad(np.zeros((298, 598)), 1, constant_values=1)
    grid = OccupancyGrid.from_occupied(walls, 0.05).with_discs(
        [[5, 5], [12, 9], [20, 3], [25, 11]], [1.0, 0.5, 0.8, 1.2]
    )
    return grid, Lidar(grid, angles=60, max_range=12.0), np.array([9.0, 4.0, 0.5])


def _tracking(**settings: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Localization of a robot that knows where it is, and moves: its belief before a scan, the scan, and the pose."""
    from pilotage.estimators.localization import MonteCarloLocalization
    from pilotage.models import unicycle

    grid, lidar, x = _hall()
    robot, u = unicycle(), np.array([0.6, 0.0])
    mcl = MonteCarloLocalization(grid, robot, dt=0.1, **settings)
    run = mcl.start(x, [0.05, 0.05, 0.02], rng=1)
    for _ in range(10):  # from one place only the first scan counts
        run.predict(u=u)
        x = robot.step(x, u, 0.1)
        run.update(lidar, lidar.observe(x))
    run.predict(u=u)
    assert len(run.belief.particles.points) == 2000
    x = robot.step(x, u, 0.1)
    return mcl, lidar, run.belief, lidar.observe(x), x


@absolute("localization", limit=2.0, unit="ms", note="one scan: 2000 particles x 60 beams on a map of 30 m x 15 m")
def localization(quick: bool) -> Contest:
    mcl, lidar, known, z, _ = _tracking(particles=(2000, 50_000))
    rng = np.random.default_rng(1)

    def check() -> None:
        after = mcl.update(known, lidar, z, rng=rng).belief
        assert after.converged and after is not known

    return Contest(lambda: mcl.update(known, lidar, z, rng=rng), check=check)


def systematic(W: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Systematic resampling of the package particles: `inverse_cdf`, which is plain Python where numba is missing."""
    M, j, s = len(W), 0, W[0]
    su = (rng.random() + np.arange(M)) / M
    A = np.empty(M, dtype=np.int64)
    for n in range(M):
        while su[n] > s and j < M - 1:
            j += 1
            s += W[j]
        A[n] = j
    return A


class Weights:
    """Log-weights lw, weights W and the effective size, as the package particles has them."""

    def __init__(self, lw: np.ndarray) -> None:
        self.lw = lw
        w = np.exp(lw - lw.max())
        self.W = w / w.sum()
        self.mean = 0.0
        self.ESS = 1.0 / np.sum(self.W**2)


@row(
    "bootstrap",
    peer="particles' idiom",
    bar=10,
    unit="us",
    note="one step of 10 000 particles on the growth model, always resampled; the peer has no numba, so inverse_cdf "
    "is a loop of Python: with searchsorted in its place it takes as long as ours",
)
def bootstrap(quick: bool) -> Contest:
    from benchmarks.ungm import EYE, LINE, MODEL
    from pilotage.core import Particles
    from pilotage.estimators import ParticleFilter

    n, u, z = 10_000, np.array([3.0]), np.array([2.0])
    start = np.random.default_rng(1).normal(size=(n, 1)) * 2.0
    filter, ours, theirs = ParticleFilter(threshold=1.0), np.random.default_rng(2), np.random.default_rng(3)
    first = filter.update(Particles(LINE, start), EYE, z).belief
    weights = Weights(np.array(first.log_weights))

    def step() -> Any:
        return filter.update(filter.predict(first, MODEL, u, 1.0, rng=ours), EYE, z, rng=ours).belief

    def idiom() -> Weights:
        x = start[systematic(weights.W, theirs), 0]
        x = 0.5 * x + 25.0 * x / (1.0 + x**2) + 8.0 * np.cos(1.2 * u[0])
        x = x + np.sqrt(10.0) * theirs.standard_normal(n)
        found = Weights(-0.5 * (z[0] - x**2 / 20.0) ** 2 - 0.5 * np.log(2.0 * np.pi))
        found.mean = found.W @ x
        return found

    def check() -> None:
        mine = [step().moments().mean[0] for _ in range(10)]
        peers = [idiom().mean for _ in range(10)]
        assert abs(np.mean(mine) - np.mean(peers)) < 0.3, "the two filters disagree"

    return Contest(step, idiom, check)


class Nav2:
    """The weights of nav2_amcl in numpy, all particles at once: LikelihoodFieldModel::sensorFunction.

    Weights are multiplied by 1 + sum p^3 over the beams, as there.
    """

    sigma, z_hit, z_rand, reach = 0.2, 0.5, 0.5, 12.0

    def __init__(self, grid: Any, angles: np.ndarray, poses: np.ndarray) -> None:
        self.field, self.grid, self.angles, self.poses = grid.distance_field().values, grid, angles, poses

    def weigh(self, scan: np.ndarray) -> np.ndarray:
        kept = scan < self.reach
        along = self.poses[:, 2:] + self.angles[kept]
        x = self.poses[:, :1] + scan[kept] * np.cos(along) - self.grid.origin[0]
        y = self.poses[:, 1:2] + scan[kept] * np.sin(along) - self.grid.origin[1]
        i, j = (x / self.grid.resolution).astype(int), (y / self.grid.resolution).astype(int)
        rows, columns = self.field.shape
        inside = (i >= 0) & (i < columns) & (j >= 0) & (j < rows)
        d = np.where(inside, self.field[np.where(inside, j, 0), np.where(inside, i, 0)], 2.0)
        p = self.z_hit * np.exp(-0.5 * d**2 / self.sigma**2) + self.z_rand / self.reach
        w = 1.0 + (p**3).sum(axis=1)
        return w / w.sum()


@row("amcl_update", peer="nav2's in numpy", bar=10, unit="ms", note="a scan of 60 beams weighs 2000 particles")
def amcl_update(quick: bool) -> Contest:
    # Without poses from elsewhere: AMCL draws none by default.
    mcl, lidar, known, z, truth = _tracking(particles=(2000, 2000), kidnapped=0.0)
    peer, rng = Nav2(lidar.grid, np.asarray(lidar.angles), known.particles.points.copy()), np.random.default_rng(1)

    def check() -> None:
        for mean in (mcl.update(known, lidar, z, rng=rng).belief.best.mean, peer.weigh(z) @ peer.poses):
            assert np.hypot(*(mean - truth)[:2]) < 0.1, f"the robot is at {truth}, and not at {mean}"

    return Contest(lambda: mcl.update(known, lidar, z, rng=rng), lambda: peer.weigh(z), check)
