"""Trajectory optimisation: the same optimum as CasADi and crocoddyl, and the time to it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row

SWING, DT, FORCE = 50, 0.05, 20.0
ROAD, STEP = 20, 0.05
START = np.array([0.0, 0.3, 0.1, 4.0])
UNI, UNI_DT = 60, 0.1
HANGING = np.array([0.0, 0.0, np.pi, 0.0])


def runge_kutta(f: Any, x: Any, u: Any, dt: float) -> Any:
    k1 = f(x, u)
    k2 = f(x + dt / 2 * k1, u)
    k3 = f(x + dt / 2 * k2, u)
    return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + f(x + dt * k3, u))


def shooting(f: Any, stage: Any, end: Any, steps: int, dt: float, n: int, m: int) -> dict[str, Any]:
    """CasADi's nonlinear program by multiple shooting; the initial state is its parameter."""
    import casadi as ca  # pyright: ignore[reportMissingImports]

    x, u, x0 = ca.MX.sym("x", n), ca.MX.sym("u", m), ca.MX.sym("x0", n)
    F = ca.Function("F", [x, u], [runge_kutta(f, x, u, dt)])
    X, U = ca.MX.sym("X", n, steps + 1), ca.MX.sym("U", m, steps)
    cost, gaps = end(X[:, steps]), [X[:, 0] - x0]
    for k in range(steps):
        cost += stage(X[:, k], U[:, k])
        gaps.append(X[:, k + 1] - F(X[:, k], U[:, k]))
    return {"x": ca.vertcat(ca.vec(X), ca.vec(U)), "f": cost, "g": ca.vertcat(*gaps), "p": x0}


@row(
    "swingup",
    peer="CasADi IPOPT",
    bar=4,
    unit="ms",
    needs=["casadi"],
    note="cart-pole from hanging, cold, 50 Runge-Kutta steps of 0.05 s, force within 20 N; ours is ILQR",
)
def swingup(quick: bool) -> Contest:
    import casadi as ca  # pyright: ignore[reportMissingImports]

    from pilotage.control import ILQR, SQP
    from pilotage.core import Space
    from pilotage.models import dynamics, task

    state = Space("x [m]", "speed [m/s]", "theta theta_rate [rad/s]")

    @dynamics(state=state, action=Space(f"force [N] in [-{FORCE}, {FORCE}]"))
    def pole(x: Any, u: Any, p: Any, m: Any) -> Any:
        return cart_pole(x, u[0], m)

    @task(
        state=state,
        action=Space("force [N]"),
        weights=(1.0, 0.1, 1.0, 0.1, 0.01),
        terminal=lambda x, p, m: x,
        terminal_weights=(10.0, 1.0, 10.0, 1.0),
    )
    def upright(x: Any, u: Any, p: Any, m: Any) -> Any:
        return [*x, *u]

    problem = shooting(
        lambda x, u: ca.vertcat(*cart_pole([x[i] for i in range(4)], u, ca)),
        lambda x, u: x[0] ** 2 + 0.1 * x[1] ** 2 + x[2] ** 2 + 0.1 * x[3] ** 2 + 0.01 * u**2,
        lambda x: 10 * x[0] ** 2 + x[1] ** 2 + 10 * x[2] ** 2 + x[3] ** 2,
        SWING, DT, 4, 1,
    )  # fmt: skip
    silent = {"expand": True, "print_time": 0, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    peer = ca.nlpsol("swingup", "ipopt", problem, silent)
    begin = np.concatenate([np.tile(HANGING, SWING + 1), np.zeros(SWING)])
    high = np.concatenate([np.full(4 * (SWING + 1), np.inf), np.full(SWING, FORCE)])
    solve = lambda: peer(x0=begin, lbx=-high, ubx=high, lbg=0, ubg=0, p=HANGING)
    ours, sqp = (kind(pole(), upright(dt=DT), horizon=SWING) for kind in (ILQR, SQP))

    def check() -> str:
        best, costs = float(solve()["f"]), {type(c).__name__: c.solve(HANGING).cost for c in (ours, sqp)}
        least = min(best, *costs.values())
        assert max(costs.values()) < least * (1.0 + 1e-3), f"{costs} against {best:.4f}"
        count = peer.stats()["iter_count"]
        return f"cost {costs['ILQR']:.4f} (SQP {costs['SQP']:.4f}) against {best:.4f}, {count} iterations there"

    return Contest(ours=lambda: ours.solve(HANGING), peer=solve, check=check)


def cart_pole(x: Any, force: Any, m: Any) -> Any:
    """Rates of `pilotage.models.cart_pole`, with an angle that does not wrap."""
    _, speed, theta, rate = x
    s, c = m.sin(theta), m.cos(theta)
    f = (force + 0.05 * rate * rate * s) / 1.1
    turn = (9.8 * s - c * f) / (0.5 * (4.0 / 3.0 - 0.1 * c * c / 1.1))
    return speed, f - 0.05 / 1.1 * turn * c, rate, turn


@row(
    "nmpc_bicycle",
    peer="CasADi SQP, OSQP",
    bar=1.5,
    unit="us",
    needs=["casadi"],
    note="kinematic bicycle to a straight lane, 20 Runge-Kutta steps, warm closed loop with one program a tick",
)
def nmpc_bicycle(quick: bool) -> Contest:
    import casadi as ca  # pyright: ignore[reportMissingImports]

    from pilotage.control import SQP
    from pilotage.core import Space
    from pilotage.models import dynamics, task

    state, action = (
        Space("x y [m]", "yaw [rad]", "v [m/s]"),
        Space("a [m/s^2] in [-3, 3]", "steer [rad] in [-0.5, 0.5]"),
    )
    weights = (2.0, 1.0, 0.5, 0.05, 0.5)

    @dynamics(state=state, action=action)
    def car(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[3] * m.cos(x[2]), x[3] * m.sin(x[2]), x[3] * m.tan(u[1]) / 2.7, u[0]

    @task(
        state=state,
        action=action,
        weights=weights,
        terminal=lambda x, p, m: (x[1], x[2]),
        terminal_weights=(20.0, 10.0),
    )
    def lane(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], x[2], x[3] - 5.0, u[0], u[1]

    problem = shooting(
        lambda x, u: ca.vertcat(x[3] * ca.cos(x[2]), x[3] * ca.sin(x[2]), x[3] * ca.tan(u[1]) / 2.7, u[0]),
        lambda x, u: 2 * x[1] ** 2 + x[2] ** 2 + 0.5 * (x[3] - 5) ** 2 + 0.05 * u[0] ** 2 + 0.5 * u[1] ** 2,
        lambda x: 20 * x[1] ** 2 + 10 * x[2] ** 2,
        ROAD, STEP, 4, 2,
    )  # fmt: skip
    multipliers = ca.MX.sym("f"), ca.MX.sym("g", problem["g"].shape[0])
    hessian = ca.triu(ca.hessian(problem["f"], problem["x"])[0])  # Gauss and Newton's: OSQP refuses an indefinite one
    hessian = ca.Function("hessian", [problem["x"], problem["p"], *multipliers], [multipliers[0] * hessian])
    quiet = {"verbose": False, "eps_abs": 1e-5, "eps_rel": 1e-5}
    settings = {
        "qpsol": "osqp", "qpsol_options": {"osqp": quiet, "error_on_fail": False}, "print_time": 0, "max_iter": 1,
        "print_header": False, "print_iteration": False, "print_status": False, "hessian_approximation": "exact",
        "tol_du": 1e-4, "tol_pr": 1e-6, "expand": True, "hess_lag": hessian.expand(),
    }  # fmt: skip
    peer = ca.nlpsol("lane", "sqpmethod", problem, settings)
    n, model = 4 * (ROAD + 1), car()
    high = np.concatenate([np.full(n, np.inf), np.tile([3.0, 0.5], ROAD)])
    errand = lane(dt=STEP)
    ours, full = (SQP(model, errand, horizon=ROAD, real_time=real_time) for real_time in (True, False))
    ticks = 40

    def by_peer() -> float:
        x, total = START, 0.0
        warm = {"x0": np.concatenate([np.tile(x, ROAD + 1), np.zeros(2 * ROAD)]), "lam_x0": 0, "lam_g0": 0}
        for _ in range(ticks):
            found = peer(**warm, lbx=-high, ubx=high, lbg=0, ubg=0, p=x)
            w = np.asarray(found["x"]).ravel()
            u = w[n : n + 2].copy()
            w[: n - 4], w[n:-2] = w[4:n].copy(), w[n + 2 :].copy()
            warm = {"x0": w, "lam_x0": found["lam_x"], "lam_g0": found["lam_g"]}
            total += float(errand.cost(x, u))
            x = model.step(x, u, STEP)
        return total

    def by_us(drive: SQP = ours) -> float:
        x, total = START, 0.0
        drive.reset()
        for _ in range(ticks):
            u = drive.act(x).u
            total += float(errand.cost(x, u))
            x = model.step(x, u, STEP)
        return total

    def check() -> str:
        best, mine, theirs = by_us(full), by_us(), by_peer()
        assert max(mine, theirs) < best * (1.0 + 2e-3), f"closed-loop costs {mine:.5f}, {theirs:.5f}, best {best:.5f}"
        return f"closed-loop cost {mine:.5f} against {theirs:.5f}; the simulation is in both times"

    return Contest(ours=by_us, peer=by_peer, check=check, work=ticks)


@row(
    "ilqr",
    peer="crocoddyl FDDP",
    bar=1,
    unit="us",
    needs=["crocoddyl"],
    note="crocoddyl's own unicycle (C++ derivatives; ours by tracing), 60 steps, cold, to the same cost",
)
def ilqr(quick: bool) -> Contest:
    from pilotage.control import ILQR
    from pilotage.core import Space
    from pilotage.models import discrete_dynamics, task

    state, action = Space("x y [m]", "yaw [rad]"), Space("v [m/s]", "w [rad/s]")

    @discrete_dynamics(state=state, action=action)
    def unicycle(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        c, s = m.cos(x[2]), m.sin(x[2])
        return x[0] + c * u[0] * dt, x[1] + s * u[0] * dt, x[2] + u[1] * dt

    @task(
        state=state, action=action, weights=(50.0, 50.0, 50.0, 0.5, 0.5), terminal=lambda x, p, m: x,
        terminal_weights=(50.0, 50.0, 50.0),
    )  # fmt: skip
    def home(x: Any, u: Any, p: Any, m: Any) -> Any:
        return [*x, *u]

    crocoddyl: Any = import_module("crocoddyl")
    model = crocoddyl.ActionModelUnicycle()  # costs (10 x)^2 / 2 and u^2 / 2 a step of 0.1 s
    x0 = np.array([-1.0, -1.0, 1.0])
    problem = crocoddyl.ShootingProblem(x0, [model] * UNI, model)
    solver = crocoddyl.SolverFDDP(problem)
    solver.th_stop = 1e-9
    xs, us = [x0] * (UNI + 1), [np.zeros(2)] * UNI
    ours = ILQR(unicycle(), home(dt=UNI_DT), horizon=UNI)

    def check() -> str:
        solver.solve(xs, us, 200)
        mine = ours.solve(x0).cost
        assert abs(mine - solver.cost) < 1e-4 * solver.cost, f"cost {mine:.6f} against {solver.cost:.6f}"
        return f"cost {mine:.5f} against {solver.cost:.5f}, {solver.iter} iterations there"

    return Contest(ours=lambda: ours.solve(x0), peer=lambda: solver.solve(xs, us, 200), check=check)
