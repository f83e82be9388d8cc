"""Troubles that users of other libraries reported in public: each test names the threads and rebuilds a trouble."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.control import ILQR, SQP, GradientMPC, reach
from pilotage.core import ModelError, SettingError, ShapeError
from pilotage.learning import (
    MLP,
    Demonstrations,
    Ensemble,
    ImitationSettings,
    LearnedDynamics,
    ParametricDynamics,
    ResidualDynamics,
    TrainingEnd,
    TrainingSettings,
    calibrate,
    distill,
    fit,
    fit_parameters,
    imitate,
    load_best,
    train,
)
from pilotage.models import double_integrator, pendulum, task

SWING, DT = pendulum(), 0.1
X, U = np.array([0.1, 0.2]), np.array([0.3])
CART = double_integrator(1)
HOME = reach(CART, [0.0, 0.0])


def drives(*lengths: int) -> tuple[list[Any], list[Any]]:
    """Episodes of the pendulum of these lengths."""
    rng = np.random.default_rng(0)
    us = [rng.uniform(-1, 1, (length, 1)) for length in lengths]
    return [SWING.rollout(rng.normal(size=2), u, DT) for u in us], us


def body(*between: torch.nn.Module) -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 32), *between, torch.nn.Tanh(), torch.nn.Linear(32, 2))


OWN = {"dropout": lambda: body(torch.nn.Dropout(0.5)), "batch": lambda: body(torch.nn.BatchNorm1d(32))}


@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_a_network_of_ones_own_predicts_as_a_function(make: Any, tmp_path: Any) -> None:
    """Stable-Baselines3 #535, HOPE #10: nothing calls `eval()`; each prediction differs, and one alone raises."""
    model = LearnedDynamics(SWING.state, SWING.action, make())
    for kind in (model, ResidualDynamics(SWING, make()), ResidualDynamics(SWING, lambda i, o: make())):
        np.testing.assert_array_equal(kind.step(X, U, DT), kind.step(X, U, DT))
    xs, us = drives(*[17] * 16)
    found = fit(model, xs, us, DT, epochs=2, batch=16, rng=0).model  # 245 rows, one more than 15 batches of 16 and 4
    batch = found.step(np.stack([xs[0][:-1], xs[1][:-1]]), np.stack(us[:2]), DT)
    np.testing.assert_allclose(batch[1, 3], found.step(xs[1][3], us[1][3], DT), atol=1e-6)
    found.save(tmp_path)
    again = LearnedDynamics.load(tmp_path, network=make())
    np.testing.assert_array_equal(again.step(X, U, DT), found.step(X, U, DT))


@pytest.mark.parametrize("count", [31, 33, 34])
def test_no_batch_has_one_row(count: int) -> None:
    """pytorch #4534: training ends with "expected more than 1 value per channel" where one row is left of the data."""
    xs, us = drives(count + 3)
    seen: list[int] = []
    net = body(torch.nn.BatchNorm1d(32))
    net.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])) if _.training else None)
    model = LearnedDynamics(SWING.state, SWING.action, net)
    fit(model, xs, us, DT, epochs=2, batch=16, held_out=3.0 / (count + 3), rng=0)
    assert sum(seen) == 2 * count and min(seen) > 1


def test_a_part_that_evaluated_is_trained() -> None:
    """Dropout acts while a network trains, also one behind the parameters of a formula."""
    modes: list[bool] = []
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    net[1].register_forward_hook(lambda module, *_: modes.append(module.training))
    model = ParametricDynamics(pendulum(damping=0.2), {"damping": (0.0, 1.0)}, network=net, inputs="theta_rate")
    modes.clear()
    xs, us = drives(9)
    fit_parameters(model, xs, us, DT, epochs=1, batch=4, rng=0)
    assert any(modes) and not modes[-1]


def test_episodes_of_any_lengths() -> None:
    """mbrl-lib #95, pomdp-baselines #20, Minari #199: episodes end early, and joined, their ends are transitions."""
    xs, us = drives(5, 9, 2)
    pairs, actions = np.concatenate([np.stack([x[:-1], x[1:]], 1) for x in xs]), np.concatenate(us)[:, None]
    model = LearnedDynamics(SWING.state, SWING.action)
    found, expected = fit(model, xs, us, DT, epochs=2, rng=0), fit(model, pairs, actions, DT, epochs=2, rng=0)
    assert found.epochs == expected.epochs
    assert calibrate(found.model, xs, us, DT).nll == calibrate(found.model, pairs, actions, DT).nll
    with pytest.raises(ShapeError, match=r"states of episode 1 have shape \(9, 2\)"):
        fit(model, [xs[0], xs[1][:-1], xs[2]], us, DT)
    with pytest.raises(ShapeError, match="3 episodes of states, and 2 of actions"):
        fit(model, xs, us[:2], DT)
    with pytest.raises(ShapeError, match="3 episodes of states, and actions that are"):
        fit(model, xs, np.zeros((3, 5, 1)), DT)


@pytest.mark.parametrize("kind", ["own", "block"])
def test_a_compiled_network_is_the_network(kind: str, tmp_path: Any) -> None:
    """nanoGPT #325, Lightning #20233: `torch.compile` renames all weights, and no checkpoint fits any longer."""

    def make() -> torch.nn.Module:
        return body() if kind == "own" else Ensemble(3, 4, 2, hidden=(8,))

    xs, us = drives(9, 9)
    plain = fit(ResidualDynamics(SWING, make()), xs, us, DT, epochs=2, rng=0).model
    compiled = torch.compile(make(), backend="eager")
    assert isinstance(compiled, torch.nn.Module)
    model = fit(ResidualDynamics(SWING, compiled), xs, us, DT, epochs=2, rng=0).model
    np.testing.assert_allclose(model.step(X, U, DT), plain.step(X, U, DT), atol=1e-7)
    np.testing.assert_allclose(model.predict(X, U, DT).cov, plain.predict(X, U, DT).cov, atol=1e-7)
    model.save(tmp_path)
    again = ResidualDynamics.load(tmp_path, SWING, make() if kind == "own" else None)
    np.testing.assert_allclose(again.step(X, U, DT), model.step(X, U, DT), atol=1e-7)


class Line:
    """A line that is fitted, with or without a compiled part."""

    def __init__(self, *, compiled: bool = False) -> None:
        torch.manual_seed(0)
        line = torch.nn.Linear(2, 1, dtype=torch.float64)
        whole: Any = torch.compile(line, backend="eager") if compiled else line
        self.modules = {"line": torch.nn.Sequential(whole)}

    def loss(self, step: int, generator: np.random.Generator) -> Any:
        x = torch.tensor(generator.normal(size=(8, 2)))
        return (self.modules["line"](x) - x.sum(-1, keepdim=True)).pow(2).mean(), {}


def settings(steps: int, **given: Any) -> TrainingSettings:
    return TrainingSettings(**{"steps": steps, "rate": 0.05, "schedule": "constant", "validate_every": 10, **given})


def test_a_run_of_a_compiled_module_goes_on_without_and_with(tmp_path: Any) -> None:
    """train-llm-from-scratch #36, timm #2003: a checkpoint of the compiled module fits no other, nor the reverse."""
    first = train(Line(compiled=True), settings(20), tmp_path)
    assert load_best(tmp_path, Line().modules) == load_best(tmp_path, Line(compiled=True).modules) == first.best
    train(Line(), settings(30), tmp_path, resume=True)
    end = Line(compiled=True)
    train(end, settings(40), tmp_path, resume=True)
    at_once = Line()
    train(at_once, settings(40))
    values = [each.modules["line"].state_dict().values() for each in (end, at_once)]
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(*values, strict=True))


def test_a_run_that_has_ended_goes_on(tmp_path: Any) -> None:
    """Lightning #2823, #1922 and #19865, TD-MPC2 #7: with more steps, training ends at once or begins again."""
    train(Line(), settings(20), tmp_path)
    extended, at_once = Line(), Line()
    found = train(extended, settings(50), tmp_path, resume=True)
    expected = train(at_once, settings(50))
    ends = zip(extended.modules["line"].parameters(), at_once.modules["line"].parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in ends)
    assert found.end is TrainingEnd.COMPLETED and found.best.step == expected.best.step
    assert [r.score for r in found.records] == [r.score for r in expected.records]
    with pytest.raises(SettingError, match="steps is 40, but .* 50"):  # not backwards
        train(Line(), settings(40), tmp_path, resume=True)
    train(Line(), settings(20, schedule="cosine"), tmp_path / "cosine")
    with pytest.raises(SettingError, match="learning rates"):
        train(Line(), settings(40, schedule="cosine"), tmp_path / "cosine", resume=True)


class Answers(torch.nn.Module):
    """A network with a strange answer."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.line, self.answer = torch.nn.Linear(4, 2), answer

    def forward(self, features: torch.Tensor) -> Any:
        return self.answer(self.line(features))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda y: (y, y), "tuple"), (lambda y: {"mean": y}, "dict"),
        (lambda y: y[:, 0], r"\(1,\)"), (lambda y: None, "None"),
    ],
    ids=["mean and variance", "dictionary", "flat", "nothing"],
)  # fmt: skip
def test_answers_of_networks_are_checked_once(answer: Any, said: str) -> None:
    """GPyTorch #659, l4casadi #62: a network answers with a distribution, a pair or a row, and fails far from there."""
    with pytest.raises(ModelError, match=said):
        LearnedDynamics(SWING.state, SWING.action, Answers(answer))


def test_recorded_drives_teach_a_policy() -> None:
    """imitation #701: the expert is a person, of whom there are only recordings."""
    xs = np.random.default_rng(1).uniform(-2, 2, (300, 2))
    us = -xs @ [[1.0], [1.5]]
    few = ImitationSettings(members=1, hidden=(32,), epochs=300)
    policy = imitate(Demonstrations(xs, np.zeros((300, 0)), us[:, None]), CART, HOME, few, rng=0)
    x = np.array([1.0, 0.5])
    for _ in range(80):
        x = CART.step(x, policy.act(x).u, DT)
    assert np.abs(x).max() < 0.2
    for wrong in (
        Demonstrations(xs, np.zeros((300, 0)), us),
        Demonstrations(xs[:9], np.zeros((300, 0)), us[:, None]),
        Demonstrations(xs, np.zeros((300, 1)), us[:, None]),
    ):
        with pytest.raises(ShapeError, match="expected"):
            imitate(wrong, CART, HOME, few, rng=0)
    for name in ("xs", "plans"):
        gap = Demonstrations(xs.copy(), np.zeros((300, 0)), us[:, None].copy())
        getattr(gap, name)[7] = np.nan
        with pytest.raises(ShapeError, match=f"{name} of the demonstrations"):
            imitate(gap, CART, HOME, few, rng=0)


def test_a_function_is_told_how_to_teach() -> None:
    """imitation #693: an expert that is a function is refused with words about something else."""
    with pytest.raises(SettingError, match=r"act\(state, t\)"):
        distill(lambda x: -x[:1], CART, HOME, starts=[1.0, 0.0])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("size", [1e-1, 1e-3, 1e-5])
def test_features_that_hardly_change(size: float) -> None:
    """mbrl-lib #110: scaled by a deviation of nearly zero, a feature that is nearly constant makes plans NaN."""
    real, rng = pendulum(damping=0.4), np.random.default_rng(0)
    us = size * rng.uniform(-1, 1, (40, 20, 1))
    xs = real.rollout(size * rng.normal(size=(40, 2)), us, DT)
    model = fit(ResidualDynamics(SWING), xs, us, DT, epochs=20, rng=0).model
    x, u = rng.uniform(-0.5, 0.5, (50, 2)), rng.uniform(-1, 1, (50, 1))
    assert np.abs(model.step(x, u, DT) - SWING.step(x, u, DT)).max() < max(0.05, size)
    assert isinstance(model.network, MLP)


def ends(model: Any, answers: Any) -> None:
    answers.put(model.rollout(np.zeros((1000, 2)), np.zeros((1000, 9, 1)), DT)[-1, -1].tolist())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_of_the_process_predicts() -> None:
    """pytorch #17199 and #2245: after a large batch, a forked worker waits for threads that do not exist there."""
    model = LearnedDynamics(SWING.state, SWING.action, lambda i, o: MLP(i, o, hidden=(256, 256)))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model.rollout(np.zeros((1000, 2)), np.zeros((1000, 9, 1)), DT)
        fork = multiprocessing.get_context("fork")
        answers = fork.Queue()
        worker = fork.Process(target=ends, args=(model, answers), daemon=True)
        worker.start()
        assert answers.get(timeout=60) == [0.0, 0.0]
        worker.join()
    finally:
        torch.set_num_threads(before)


def test_networks_in_costs_and_constraints() -> None:
    """l4casadi #51 and #62: a learned value as terminal cost, and a network in a constraint, of a traced task."""
    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = 0.5 * rng.normal(size=(6, 2)), np.zeros(6), np.abs(rng.normal(size=(1, 6))), np.zeros(1)

    @task(
        state=CART.state, action=CART.action, params={"W1": W1, "b1": b1, "W2": W2, "b2": b2, "least": -1.0},
        terminal=lambda x, p, m: value(x, p, m)[0], constraint=lambda x, u, p, m: (p.least - value(x, p, m)[0],),
    )  # fmt: skip
    def cheap(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.01 * u[0] ** 2

    def value(x: Any, p: Any, m: Any) -> Any:
        return m.affine(p.W2, [e * e for e in m.affine(p.W1, list(x), p.b1)], p.b2)

    def valued(x: Any) -> Any:
        return np.square(x @ W1.T) @ W2[0]

    for kind in (ILQR, SQP, GradientMPC):
        free = kind(CART, cheap(dt=DT), horizon=20).solve([1.0, 0.0])
        assert free.ok and free.xs is not None, free.reason
        plan = kind(CART, cheap(least=0.1, dt=DT), horizon=20).solve([1.0, 0.0])
        assert plan.ok and plan.xs is not None, plan.reason
        assert valued(free.xs[-1]) < 0.05
        assert valued(plan.xs).min() == pytest.approx(0.1, abs=2e-3) == valued(plan.xs[-1])


def test_a_glitch_in_the_data_is_named() -> None:
    """mbrl-lib #137, lpb #5: the loss is excellent, or explodes, and the model is useless: one row outweighs all."""
    xs, us = drives(30, 30)
    model = ResidualDynamics(pendulum(mass=1.2))
    fit(model, xs, us, DT, epochs=1, rng=0)  # clean data, without a warning
    fit(ResidualDynamics(SWING), xs, us, DT, epochs=1, rng=0)  # nothing is left but rounding errors
    jump = np.concatenate(xs), np.concatenate([us[0], [[0.0]], us[1]])  # two trials, joined end to end
    xs[1][7:, 1] += 1e4
    with pytest.warns(RuntimeWarning, match="transition 6 of 30 in episode 1 changes theta_rate by 1e.05"):
        fit(model, xs, us, DT, epochs=1, rng=0)
    jump[0][31:, 1] += 1e3
    with pytest.warns(RuntimeWarning, match="transition 30 of 61 changes theta_rate.*jump to another start"):
        fit(model, *jump, DT, epochs=1, rng=0)
