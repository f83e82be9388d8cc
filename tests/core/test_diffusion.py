"""Noise that grows with time."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import ModelError, PilotageError, Space
from pilotage.core.diffusion import densities, diffusion

POSE = Space("pose: SE2", "speed [m/s]")


def test_it_grows_with_time_alike_in_every_state():
    density = densities([0.1, 0.2, 0.3, 0.4], POSE)
    Q = diffusion(density, np.zeros((3, 1, 4)), np.zeros((2, 5)), 0.25)
    assert Q.shape == (3, 2, 4, 4)
    np.testing.assert_allclose(Q[2, 1], np.diag([0.01, 0.04, 0.09, 0.16]) * 0.25)
    np.testing.assert_allclose(sum(diffusion(density, np.zeros(4), np.zeros(5), 0.05) for _ in range(5)), Q[0, 0])
    Q[0, 0] = 0.0
    assert Q[0, 1].any(), "every state has a matrix of its own"


@pytest.mark.parametrize("noise", [-0.1, np.nan, np.inf, [0.1, 0.2], "loud", None, [[0.1] * 4]])
def test_noise_that_is_none_is_refused(noise):
    with pytest.raises(ModelError, match="noise must be 4 standard deviations, for pose.vx, .* was given"):
        densities(noise, POSE)


@pytest.mark.parametrize("dt", [-0.1, np.nan, "soon", None])
def test_time_that_is_none_is_refused(dt):
    with pytest.raises(PilotageError, match="a step takes a finite number of seconds"):
        diffusion(densities(0.1, POSE), np.zeros(4), np.zeros(2), dt)
