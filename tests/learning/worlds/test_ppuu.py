"""PPUU: kinematics, costs, and drives from the seats of other cars."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import SettingError, ShapeError
from pilotage.envs.traffic import ContextRaster, ReactiveTraffic, Road, TrafficTask, others
from pilotage.io import Sequences, write_sequences
from pilotage.learning import Windows
from pilotage.learning.worlds.ppuu import (
    PoseCosts,
    RasterCosts,
    actions_of,
    driven,
    recorded_drives,
    simulated_drives,
    swapped,
    unrolled,
)
from tests.envs.test_traffic import lone, made

K = 24.0 / 3.7 * 0.25


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-0.03, 0.03)), min_size=1, max_size=30), st.floats(10.0, 30.0))
def test_actions_explain_the_motion_that_they_made(us, speed):
    us = torch.tensor(us, dtype=torch.float64)
    xs = unrolled(torch.tensor([0.0, 0.0, 3.1, speed], dtype=torch.float64), us)
    torch.testing.assert_close(actions_of(xs, 3.0), us, atol=1e-9, rtol=0.0)


def test_the_motion_is_that_of_the_environment():
    traffic, stream = ReactiveTraffic(), np.random.default_rng(0)
    x = traffic.start(0)
    y = torch.from_numpy(x[:4].copy())
    for _ in range(30):
        u = stream.uniform([-4.0, -0.03], [2.0, 0.03])
        x, y = traffic.step(x, u, 0.1), driven(y, torch.from_numpy(u))
        np.testing.assert_allclose(x[:4], y.numpy(), atol=1e-12)


def test_actions_of_a_faulty_recording_are_limited():
    xs = torch.zeros(3, 4, dtype=torch.float64)
    xs[:, 3] = torch.tensor([0.0, 20.0, 20.0])
    xs[:, 2] = torch.tensor([0.0, 1.0, 0.0])
    us = actions_of(xs, 10.0)
    assert us[0].tolist() == [pytest.approx(40 * 3.7 / 24), 0.0]  # a car that stands does not turn
    assert us[1, 1] == pytest.approx(-0.01 * 24 / 3.7 * (25 * 3.7 / 24 / 10) ** 2)
    with pytest.raises(ShapeError, match=r"\(1, 4\)"):
        actions_of(xs[:1])


# -- costs


def literal(H, W, v, l, w):
    """The mask of proximity, pixel by pixel."""
    v, l, w, alpha = v * K, l * K, w * K, K
    safe = 1.5 * v + K
    mask = np.zeros((H, W))
    x1, y1 = math.ceil((H - max(l - alpha, 0)) / 2), math.ceil((W - max(w - alpha, 0)) / 2)
    x1, y1 = min(x1, H / 2), min(y1, (1 - 1 / (W - 1)) * W / 2)  # the largest values of the tents, W even
    x0, y0 = max(x1 - safe, 0), math.ceil(W / 2 - w)
    for i in range(H):
        for j in range(W):
            a = (1 - abs(-1 + 2 * i / (H - 1))) * H / 2
            b = (1 - abs(-1 + 2 * j / (W - 1))) * W / 2
            mask[i, j] = (np.clip(a, x0, x1) - x0) / (x1 - x0) * (np.clip(b, y0, y1) - y0) / (y1 - y0)
    return mask


@pytest.mark.parametrize(("v", "l", "w"), [(0.0, 4.5, 1.8), (12.0, 4.0, 1.7), (30.0, 12.0, 2.5)])
def test_the_mask_of_proximity_is_the_formula(v, l, w):
    speed, length, width = (torch.tensor(each, dtype=torch.float64) for each in (v, l, w))
    mask = RasterCosts().masks(speed, length, width, (117, 24)).proximity
    np.testing.assert_allclose(mask.numpy(), literal(117, 24, v, l, w), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.floats(-25, 25), st.floats(-5, 5))
def test_cars_that_do_not_touch_are_no_collision(x, y):
    state = lone(x, y)
    raster = torch.from_numpy(ContextRaster(1, Road(lanes=4), ("lanes", "cars", "off-road")).images(state)) / 255.0
    found = RasterCosts()(raster, torch.tensor(10.0), torch.tensor(4.5), torch.tensor(1.8))
    depth = float(TrafficTask(1, Road(lanes=4)).constraint(state, np.zeros(2))[0])
    if depth < -1.5 / K:
        assert found.proximity < 0.99
    if abs(y) > 1.8 * 1.5 + 1.5 / K:
        assert found.proximity == 0.0  # beside the mask


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (2.5, 0.0), (-2.5, 0.3), (1.0, -0.5)])
def test_cars_in_each_other_are_a_collision(x, y):
    raster = torch.from_numpy(ContextRaster(1, Road(lanes=4), ("lanes", "cars", "off-road")).images(lone(x, y))) / 255.0
    assert RasterCosts()(raster, torch.tensor(10.0), torch.tensor(4.5), torch.tensor(1.8)).proximity > 0.99


def test_lanes_and_edges_cost_where_the_car_is_over_them():
    look, costs = ContextRaster(1, Road(lanes=4), ("lanes", "cars", "off-road")), RasterCosts()
    values = []
    for y in (-5.55, -3.7, 0.0, 7.4, 9.0):  # middle of a lane, on marks, on the left edge, beside the road
        raster = torch.from_numpy(look.images(lone(x=-500.0, ego_y=y))) / 255.0
        values.append(costs(raster, torch.tensor(10.0), torch.tensor(4.5), torch.tensor(1.8)))
    lane, beside = [float(v.lane) for v in values], [float(v.off_road) for v in values]
    assert lane[0] < 0.35 < 0.8 < min(lane[1:4]) and beside[:3] == [0.0] * 3 and 0.3 < beside[3] <= beside[4]
    assert max(float(v.proximity) for v in values) == 0.0


def test_gradients_pass_through_the_raster_and_not_the_speed():
    raster, speed = torch.rand(2, 3, 117, 24, requires_grad=True), torch.tensor([3.0, 9.0], requires_grad=True)
    total = sum(each.sum() for each in RasterCosts()(raster, speed, torch.tensor(4.5), torch.tensor(1.8)))
    assert isinstance(total, torch.Tensor)
    total.backward()
    assert raster.grad is not None and raster.grad.abs().sum() > 0 and speed.grad is None


def test_costs_of_a_pose_have_the_gradients_of_differences():
    torch.manual_seed(0)
    raster = torch.rand(3, 117, 24, dtype=torch.float64)
    pose = torch.tensor([1.3, -0.4, 0.1, 12.0], dtype=torch.float64, requires_grad=True)
    size = torch.tensor(4.5, dtype=torch.float64), torch.tensor(1.8, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: PoseCosts()(raster, p, *size), (pose,), atol=1e-6)


def test_costs_of_a_pose_move_with_it():
    """A car 12 m ahead of a pose costs the same wherever both are."""
    look, costs = ContextRaster(1, Road(lanes=4), ("lanes", "cars", "off-road")), PoseCosts(lane=0.0, off_road=0.0)
    size = torch.tensor(4.5), torch.tensor(1.8)
    found = []
    for shift in (0.0, 6.0 / K):
        raster = torch.from_numpy(look.images(lone(x=12.0 + shift))).float() / 255.0
        found.append(float(costs(raster, torch.tensor([shift, 0.0, 0.0, 10.0]), *size)))
    assert found[0] == pytest.approx(found[1], rel=0.02) and found[0] > 1e-3


# -- drives


def test_another_seat_sees_the_same_traffic():
    traffic = ReactiveTraffic()
    xs = [traffic.start(0)]
    for _ in range(40):
        xs.append(traffic.step(xs[-1], np.zeros(2), 0.1))
    xs = np.stack(xs)
    ys = swapped(xs, 5)
    assert np.abs(np.diff(ys[:, 0]) - 0.1 * ys[1:, 3]).max() < 0.2  # no jump
    ring = xs[0, 7]
    own, mine = others(xs)[:, 5], ys[:, :6]
    np.testing.assert_allclose(own[:, 1:6], mine[:, 1:], atol=1e-12)
    for j in (0, 17, 49):
        apart = others(xs)[:, j, 0] - own[:, 0]
        seen = (others(ys)[:, j, 0] if j != 5 else ys[:, 0]) - mine[:, 0]
        away = (apart - seen) / ring
        np.testing.assert_allclose(away, np.rint(away), atol=1e-9)
        assert abs(seen).max() <= 0.5 * ring + 1e-9
    assert TrafficTask(50).constraint(ys, np.zeros(2)).max() < 0.0


def test_drives_become_sequences(tmp_path):
    drives = list(simulated_drives(ReactiveTraffic(), range(2), ticks=30, cars=2, half=True))
    again = list(simulated_drives(ReactiveTraffic(), range(2), ticks=30, cars=2, half=True))
    assert [d.name for d in drives] == [d.name for d in again] and drives[0].name[0] == 0 and drives[3].name[0] == 1
    assert all(np.array_equal(a.images, b.images) for a, b in zip(drives, again, strict=True))
    write_sequences(tmp_path / "drives", (drive.episode() for drive in drives))
    batch = next(Windows(Sequences(tmp_path / "drives"), length=20, batch=3).epoch(0))
    assert batch["observations/images"].shape == (3, 21, 3, 59, 12) and batch["actions"].shape == (3, 20, 2)
    with pytest.raises(SettingError, match="51"):
        next(simulated_drives(ReactiveTraffic(), range(1), cars=51))


def test_recorded_drives_are_those_of_the_cars():
    traffic = made()
    drives = list(recorded_drives(traffic))
    assert [drive.name[1] for drive in drives] == [10, 11, 12]
    for drive in drives:
        assert np.array_equal(drive.states, traffic.recorded(drive.name[1])[:, :4])
        assert abs(drive.actions).max() < 1e-9 and drive.size == (4.5, 1.8)
