"""The proof that the language holds: every kind of model in everything that takes a model, with the same results."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import pilotage
from pilotage.testing import check_dynamics

from .consumers import CONSUMERS
from .models import DT, MODELS, STATE

KINDS = ("TracedDynamics", "ResidualDynamics", "LearnedDynamics", "MujocoDynamics", "torch", "mujoco")


@cache
def results(consumer: str, model: str):
    return CONSUMERS[consumer].use(MODELS[model]())


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("model", MODELS)
def test_matrix(model: str, consumer: str) -> None:
    """Each consumer asserts its own success; that all models give it the same numbers is asserted here."""
    np.testing.assert_allclose(
        results(consumer, model), results(consumer, "traced"), atol=CONSUMERS[consumer].tolerance, rtol=0.0
    )


@pytest.mark.parametrize("model", MODELS)
def test_models_keep_the_contract(model: str) -> None:
    check_dynamics(MODELS[model](), x=STATE.sample(4, rng=0), dt=DT, tolerance=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_models_are_one_pendulum(model: str) -> None:
    one, twin = MODELS[model](), MODELS["traced"]()
    x, u = STATE.sample(20, rng=1), one.action.sample(20, rng=2)
    np.testing.assert_allclose(STATE.minus(one.step(x, u, DT), twin.step(x, u, DT)), 0.0, atol=1e-12)
    np.testing.assert_allclose(one.noise(x, u, DT), twin.noise(x, u, DT), atol=1e-15)
    for mine, exact in zip(one.linearize(x, u, DT), twin.linearize(x, u, DT), strict=True):
        np.testing.assert_allclose(mine, exact, atol=1e-6)
    us = one.action.sample((20, 30), rng=3)
    np.testing.assert_allclose(STATE.minus(one.rollout(x, us, DT), twin.rollout(x, us, DT)), 0.0, atol=1e-9)


@pytest.mark.parametrize(
    "file", ["core", "estimators", "control", "envs/model_env.py", "envs/vector_env.py", "envs/simulation.py"]
)
def test_no_consumer_knows_the_kinds(file: str) -> None:
    """Code that takes dynamics names none of their kinds."""
    root = Path(pilotage.__file__).parent / file
    for source in [root] if root.is_file() else sorted(root.glob("*.py")):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        # core asks whether arrays are tensors, which is about arrays and not about models.
        known = names & set(KINDS) - ({"torch"} if file == "core" else set())
        assert not known, f"{source.name} knows {', '.join(sorted(known))}"
