"""Traffic: the compiled tick against a plain one, drivers, rasters, recordings, and the environment."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import SettingError, ShapeError, Space, TrackTable
from pilotage.envs.traffic import (
    ContextRaster,
    Drivers,
    IDMDriver,
    Neighbours,
    ReactiveTraffic,
    ReplayedTraffic,
    Road,
    Traffic,
    TrafficTask,
    TrafficVector,
    commonroad_traffic,
    ngsim_traffic,
    others,
    present,
)
from pilotage.envs.traffic import _flow as flow
from pilotage.io import read_commonroad, read_ngsim
from pilotage.testing import check_dynamics, check_sensor

DATA = Path(os.environ.get("PILOTAGE_DATA", "../shared/data")) / "traffic"
recordings = pytest.mark.skipif(not DATA.exists(), reason="PILOTAGE_DATA has no traffic")
HOLD = np.zeros(2)
ALIKE = Drivers((30.0, 30.0), (1.5, 1.5), (1.0, 1.0), (2.0, 2.0), (2.0, 2.0), (0.0, 0.0), 0.0)


def idm(v, gap, ahead, T, p):
    v0, _, a, b, s0 = p
    desired = s0 + max(0.0, v * T + v * (v - ahead) / (2 * math.sqrt(a * b)))
    return max(a * (1 - (v / v0) ** 4 - (desired / max(gap, 0.1)) ** 2), -8.0)


class Plain:
    """The tick of traffic again, by looking at all pairs of cars."""

    def __init__(self, road: Road, x):
        self.road, self.x = road, x
        own = np.concatenate([x[:6], [x[1]], [30.0, 1.4, 1.2, 2.0, 2.0, 0.2]])
        self.cars = np.vstack([others(x).copy(), own])
        self.ring = x[7]

    def center(self, lane):
        return (lane + 0.5 - 0.5 * self.road.lanes) * self.road.lane_width

    def lane(self, y):
        return int(np.clip(np.floor(y / self.road.lane_width + 0.5 * self.road.lanes), 0, self.road.lanes - 1))

    def inside(self, j, lane):
        away = abs(self.cars[j, 1] - self.center(lane))
        near = away < 0.5 * (self.road.lane_width + self.cars[j, 5]) - 0.3
        return near or abs(self.cars[j, 6] - self.center(lane)) < 0.5 * self.road.lane_width

    def next(self, i, lane, way):
        best, found = 120.0, -1
        for j in range(len(self.cars)):
            d = way * (self.cars[j, 0] - self.cars[i, 0])
            d += self.ring if d < 0 and self.ring else 0.0
            if j != i and self.cars[j, 4] > 0 and self.inside(j, lane) and 0.0 <= d <= best:
                best, found = d, j
        return found

    def gap(self, i, j):
        d = self.cars[j, 0] - self.cars[i, 0]
        d += self.ring if self.ring and d < 0 else 0.0
        return d - 0.5 * (self.cars[i, 4] + self.cars[j, 4])

    def follow(self, i, j, patience=1.0):
        if i < 0:
            return 0.0
        v, p = self.cars[i, 3], self.cars[i, 7:12]
        if j < 0:
            return idm(v, math.inf, 0.0, p[1], p)
        return idm(v, self.gap(i, j), self.cars[j, 3] * math.cos(self.cars[j, 2]), patience * p[1], p)

    def moves(self, i):
        return abs(self.cars[i, 1] - self.cars[i, 6]) > 0.3

    def wave(self, place):
        count = max(round(self.ring / 250.0), 1)
        turn = self.x[11] + 2 * math.pi * count * (place + 0.45 * self.x[8]) / self.ring
        return self.x[10] + (25.0 - self.x[10]) * (0.5 - 0.5 * math.cos(turn)) ** 2 if self.x[10] > 0 else math.inf

    def wish(self, i, limit):
        own, self.cars[i, 7] = self.cars[i, 7], max(min(self.cars[i, 7], limit), 0.5)
        here, there = self.lane(self.cars[i, 1]), self.lane(self.cars[i, 6])
        j = self.next(i, here, 1)
        a = self.follow(i, j, 0.5 if self.moves(i) or (j >= 0 and self.moves(j)) else 1.0)
        a = min(a, self.follow(i, self.next(i, there, 1), 0.5)) if here != there else a
        self.cars[i, 7] = own
        return a

    def choose(self, i, left):
        lane, values = self.lane(self.cars[i, 6]), {}
        leader, o = self.next(i, lane, 1), self.next(i, lane, -1)
        for k in (lane - 1, lane + 1):
            if not 0 <= k < self.road.lanes:
                continue
            ahead, n = self.next(i, k, 1), self.next(i, k, -1)
            if (ahead >= 0 and self.gap(i, ahead) < 1) or (n >= 0 and self.gap(n, i) < 1):
                continue
            if min(self.follow(i, ahead, 0.5), self.follow(n, i, 0.5)) < -4.0:
                continue
            gain = self.follow(i, ahead) - self.follow(i, leader)
            rest = self.follow(n, i) - self.follow(n, ahead) + self.follow(o, leader) - self.follow(o, i)
            values[k] = gain + self.cars[i, 12] * rest - 0.3 + left * (k - lane)
        best = max(values, key=values.__getitem__, default=lane)
        self.cars[i, 6] = self.center(best if values.get(best, 0.0) > 0.0 else lane)

    def tick(self, u, dt):
        x, count = self.x, len(self.cars) - 1
        order = np.argsort(self.cars[:, 0], kind="stable")
        for i in order:
            if i < count and (i + int(x[8])) % 10 == 0 and not self.moves(i):
                self.choose(i, flow.pull.function(x[9], int(x[8]), int(i)))
        wishes = [self.wish(i, self.wave(self.cars[i, 0])) for i in range(count)]
        y = x.copy()
        y[0], y[1] = x[0] + x[3] * dt * math.cos(x[2]), x[1] + x[3] * dt * math.sin(x[2])
        y[2], y[3], y[8] = x[2] + math.atan(u[1] * x[3] * dt), max(x[3] + u[0] * dt, 0.0), x[8] + 1
        for i in range(count):
            car = self.cars[i]
            a = max(wishes[i] + 0.25 * (2 * flow.uniform.function(x[9], int(x[8]) // 5, i) - 1), -8.0)
            most = min(1.2, 0.25 * car[3])
            across = np.clip(car[6] - car[1], -most, most)
            aim = math.asin(across / car[3]) if car[3] > 1e-3 else 0.0
            yaw = car[2] + np.clip(aim - car[2], -0.4 * dt, 0.4 * dt)
            v = max(car[3] + a * dt, 0.0)
            way = 0.5 * (car[3] + v) * dt
            car[0] += way * math.cos(yaw)
            car[0] -= self.ring * np.floor((car[0] - y[0]) / self.ring + 0.5)
            car[1] += way * math.sin(yaw)
            car[2], car[3] = yaw, v
        y[12:] = self.cars[:-1].ravel()
        return y


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("spacing", [30.0, 60.0])
def test_a_tick_is_that_of_all_pairs(spacing):
    traffic = ReactiveTraffic(Road(lanes=3), cars=20, spacing=(spacing, spacing), warm_up=50)
    x, stream, changes = traffic.start(0), np.random.default_rng(0), 0
    for _ in range(150):
        u = stream.uniform([-1.0, -0.002], [1.0, 0.002])
        y = traffic.step(x, u, 0.1)
        np.testing.assert_allclose(y, Plain(traffic.road, x).tick(u, 0.1), atol=1e-9)
        changes += int((others(y)[:, 6] != others(x)[:, 6]).sum())
        x = y
    assert changes > 0


def test_equal_drivers_flow_at_the_speed_of_equilibrium():
    """On one lane all drivers end at the speed where `idm` is zero at their gap."""
    traffic = ReactiveTraffic(Road(lanes=1), cars=19, spacing=(24.0, 24.0), drivers=ALIKE, waves=None, warm_up=3000)
    v = others(traffic.start(0))[:, 3]
    length = others(traffic.start(0))[:, 4].mean()
    p = (30.0, 1.5, 1.0, 2.0, 2.0)
    low, high = 0.0, 30.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if idm(middle, 24.0 - length, middle, 1.5, p) > 0 else (low, middle)
    assert abs(v.mean() - low) < 0.02 * low


@pytest.mark.parametrize("spacing", [16.0, 25.0, 60.0])
def test_cars_never_hit_each_other(spacing):
    traffic = ReactiveTraffic(spacing=(spacing, spacing))
    driver, target = IDMDriver(traffic.road), None
    x = traffic.start(1)
    for tick in range(300):
        u, target = driver(x, target)
        x = traffic.step(x, u, 0.1)
        if tick % 10 == 0:
            rows = present(x)
            worst = max(
                flow.overlap.function(a[:6], b[:6])
                for i, a in enumerate(rows)
                for b in rows[:i]
                if abs(a[0] - b[0]) < 15.0
            )
            assert worst < 0.0 and (rows[:, 3] >= 0.0).all()


def test_drivers_react_to_the_own_car():
    traffic = ReactiveTraffic(Road(lanes=1), cars=12, spacing=(30.0, 30.0))
    x = traffic.start(2)
    for _ in range(600):
        x = traffic.step(x, [-2.0, 0.0], 0.1)
    assert x[3] == 0.0 and others(x)[:, 3].max() < 1.0 and present(x).shape == (12, 13)


def test_a_driver_overtakes_a_slow_one():
    traffic = ReactiveTraffic(Road(lanes=2, length=400.0), cars=20, spacing=(80.0, 80.0))
    x = traffic.start(0)
    rows = x[12:].reshape(-1, 13)
    rows[:, 4] = 0.0
    rows[0] = [25.0, x[1], 0.0, 5.0, 4.5, 1.8, x[1], 5.0, 1.5, 1.0, 2.0, 2.0, 0.0]
    x[3] = 20.0
    ways = []
    for changes in (True, False):
        y, driver, target = x.copy(), IDMDriver(traffic.road, changes=changes), None
        for _ in range(120):
            u, target = driver(y, target)
            y = traffic.step(y, u, 0.1)
            assert TrafficTask(20, traffic.road).constraint(y, u).max() <= 0.0
        ways.append(y[0])
    assert ways[0] > ways[1] + 30.0


def test_batches_restored_states_and_seeds():
    traffic = ReactiveTraffic(cars=40)
    xs = np.stack([traffic.start(k) for k in range(4)])
    us = np.random.default_rng(0).uniform(-1, 1, (4, 2)) * [1.0, 0.01]
    ys = traffic.step(xs, us, 0.1)
    assert all(np.array_equal(ys[k], traffic.step(xs[k], us[k], 0.1)) for k in range(4))
    assert np.array_equal(xs[2], traffic.start(2)) and not np.array_equal(xs[2], xs[1])
    assert np.array_equal(traffic.step(xs[:2], us[0], 0.1)[0], ys[0])
    small = ReactiveTraffic(Road(lanes=2), cars=9, spacing=(30.0, 30.0))
    check_dynamics(small, small.start(0), [0.1, 0.001])


def test_settings_are_refused_by_name():
    with pytest.raises(SettingError, match=r"spacing.*\(40"):
        ReactiveTraffic(spacing=(40.0, 20.0))
    with pytest.raises(SettingError, match="82 m"):
        ReactiveTraffic(cars=5)
    with pytest.raises(SettingError, match="time_gap"):
        Drivers(time_gap=(2.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-6, 6)] * 2), st.floats(-3.1, 3.1), st.floats(-3.1, 3.1))
def test_overlap_is_that_of_the_rectangles(place, yaw, turn):
    """Two rectangles overlap where points of one are in the other, on a fine mesh."""
    a = np.array([0.0, 0.0, yaw, 0.0, 4.5, 1.8])
    b = np.array([*place, turn, 0.0, 6.0, 2.2])
    depth = flow.overlap.function(a, b)
    mesh = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 91), np.linspace(-0.5, 0.5, 37)), -1).reshape(-1, 2)
    c, s = math.cos(yaw), math.sin(yaw)
    points = (mesh * a[4:]) @ np.array([[c, s], [-s, c]]) - b[:2]
    c, s = math.cos(turn), math.sin(turn)
    inside = (abs(points @ np.array([[c, -s], [s, c]])) < 0.5 * b[4:]).all(1).any()
    if abs(depth) > 0.1:
        assert inside == (depth > 0.0)


# -- what is seen


def lone(x=0.0, y=0.0, yaw=0.0, ego_yaw=0.0, ego_y=0.0, length=4.5, width=1.8):
    state = np.zeros(12 + 13)
    state[:6] = [0.0, ego_y, ego_yaw, 10.0, 4.5, 1.8]
    state[12:18] = [x, y, yaw, 10.0, length, width]
    return state


@settings(max_examples=40, deadline=None)
@given(st.floats(-30, 30), st.floats(-6, 6), st.floats(-0.6, 0.6), st.floats(-0.3, 0.3))
def test_a_raster_holds_the_area_of_cars(x, y, yaw, ego_yaw):
    """Against a picture sampled 8 x 8 times finer; for cars along the axes the shares are exact."""
    look = ContextRaster(1, Road(lanes=4))
    state = lone(x, y, yaw, ego_yaw)
    found = look.images(state)[1] / 255.0
    k = look.scale
    rows, columns = (np.arange(8 * n) + 0.5 for n in found.shape)
    f = (0.5 * found.shape[0] - rows[:, None] / 8) / k
    g = (0.5 * found.shape[1] - columns[None] / 8) / k
    c, s = math.cos(ego_yaw), math.sin(ego_yaw)
    px, py = c * f - s * g - x, s * f + c * g - y
    c, s = math.cos(yaw), math.sin(yaw)
    inside = (abs(c * px + s * py) < 2.25) & (abs(c * py - s * px) < 0.9)
    truth = inside.reshape(found.shape[0], 8, found.shape[1], 8).mean((1, 3))
    straight = abs(yaw - ego_yaw) < 1e-9
    assert abs(found - truth).max() < (0.14 if straight else 0.35)
    assert abs(found.sum() - truth.sum()) < 0.5 + 0.12 * truth.sum()


def test_a_raster_puts_things_where_they_are():
    look = ContextRaster(1, Road(lanes=4), ("lanes", "cars", "ego", "off-road"))
    lanes, cars, ego, beside = look.images(lone(x=20.0, y=3.7, ego_y=1.85)).astype(int)
    rows, columns = np.nonzero(cars)
    assert abs(rows.mean() - (58.5 - 0.5 - 20.0 * look.scale)) < 0.6  # ahead is up
    assert abs(columns.mean() - (11.5 - 1.85 * look.scale)) < 0.6  # left is left
    assert ego[58, 12] == 255 and ego.sum() == pytest.approx(255 * 4.5 * 1.8 * look.scale**2, rel=0.01)
    marked = np.flatnonzero(lanes[0] > 100)
    np.testing.assert_allclose(np.diff(marked[::2])[:1], 6.0, atol=1.0)
    assert (beside[:, 0] == 255).all() == (1.85 + 12 / look.scale > 7.4 + 0.5) and (beside[:, 12] == 0).all()
    half = look.halved()
    assert half.images(lone(x=20.0, y=3.7)).shape == (4, 59, 12)
    both = look.images(np.stack([lone(), lone(x=9.0)]))
    assert np.array_equal(both[1], look.images(lone(x=9.0)))
    check_sensor(ContextRaster(1, Road(lanes=2), rows=8, columns=6), lone())


def test_neighbours_are_the_nearest_in_each_lane():
    traffic = ReactiveTraffic(cars=60, spacing=(20.0, 20.0))
    look, stream = Neighbours(60, traffic.road), np.random.default_rng(0)
    x = z = np.zeros(0)
    for seed in range(5):
        x = traffic.start(seed)
        x[1] += stream.normal()
        z, rows = look.observe(x), present(x)
        side = np.floor((rows[:, 1] - x[1]) / 3.7 + 0.5)
        for k, lane in enumerate((1, 0, -1)):
            dx = rows[side == lane, 0] - x[0]
            ahead, behind = dx[(dx > 0) & (dx < 60)], dx[(dx <= 0) & (dx > -60)]
            assert z[5 + 10 * k] == (ahead.min() if len(ahead) else 60.0)
            assert z[10 + 10 * k] == (behind.max() if len(behind) else -60.0)
            assert z[9 + 10 * k] == bool(len(ahead))
    assert np.array_equal(look.observe(np.stack([x, x]))[1], z)


# -- recordings


def made(count=3, ticks=80):
    t, space = np.arange(ticks) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
    rows, ids = [], []
    for i in range(count):
        rows.append(np.stack([12.0 * t + 15.0 * i, 0 * t + 3.7 * (i % 2), 0 * t, 0 * t + 12.0], -1))
        ids.append(np.full(ticks, 10 + i))
    table = TrackTable(np.tile(t, count), np.concatenate(ids), np.concatenate(rows), space=space)
    return ReplayedTraffic(table, {10 + i: (4.5, 1.8) for i in range(count)}, Road(lanes=4), least=20.0, skip=5)


def test_recorded_cars_move_as_they_did_whatever_the_own_one_does():
    traffic = made()
    xs = traffic.recorded(11)
    assert len(xs) == 75 and xs[0][6] == xs[-1][0] and traffic.cars == 3
    x, stream = traffic.start(vehicle=11), np.random.default_rng(0)
    for k in range(1, 75):
        x = traffic.step(x, stream.uniform(-1, 1, 2) * [3.0, 0.01], 0.1)
        assert np.array_equal(others(x), others(xs[k]))
    for _ in range(5):
        x = traffic.step(x, HOLD, 0.1)
    assert len(present(x)) == 0
    assert abs(others(xs[0])[:, 0] - xs[0, 0])[others(xs[0])[:, 4] > 0].min() > 10.0  # not its own neighbour


def test_a_recording_with_faults_is_refused():
    t, space = np.arange(30) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
    rows = np.stack([t, t, t, t], -1)
    with pytest.raises(ShapeError, match="car 4"):
        ReplayedTraffic(TrackTable(t, np.full(30, 4), rows, space=space), {}, Road())
    with pytest.raises(SettingError, match="60 m"):
        ReplayedTraffic(TrackTable(t, np.full(30, 4), rows, space=space), {4: (4.0, 2.0)}, Road())
    with pytest.raises(ShapeError, match=r"0\.05"):
        ReplayedTraffic(TrackTable(t + 0.05, np.full(30, 4), rows, space=space), {4: (4.0, 2.0)}, Road())
    with pytest.raises(ShapeError, match="x, y, yaw and speed"):
        ReplayedTraffic(TrackTable(t, np.full(30, 4), rows[:, :2], space=Space("a b")), {4: (4.0, 2.0)}, Road())
    with pytest.raises(SettingError, match="99"):
        made().recorded(99)


@recordings
def test_every_recorded_car_of_i80_arrives_when_driven_as_it_was():
    traffic = ngsim_traffic(read_ngsim(next((DATA / "ngsim_i80").glob("*.csv.gz")), "metres"))
    task = TrafficTask(traffic.cars, traffic.road)
    assert len(traffic.vehicles) == 72
    for vehicle in traffic.vehicles:
        xs = traffic.recorded(int(vehicle))
        assert task.constraint(xs, HOLD).max() <= 0.0 and task.done(xs)[-1]
        assert abs(np.diff(xs[:, 0]) / 0.1 - xs[1:, 3]).mean() < 0.5


@recordings
def test_a_road_of_commonroad_is_straightened():
    scenario = read_commonroad(DATA / "commonroad_ngsim" / "USA_US101-22_1_T-1.xml.gz")
    traffic = commonroad_traffic(scenario, least=30.0)
    assert traffic.road.lanes == 6 and 3.3 < traffic.road.lane_width < 3.7
    far = 0.0
    for vehicle in traffic.vehicles:
        xs = traffic.recorded(int(vehicle))
        row = scenario.tracks.of(int(vehicle))
        ways = np.hypot(*np.diff(row.x[:, :2], axis=0).T).sum()
        far = max(far, abs(abs(xs[-1, 0] - xs[0, 0]) - ways * (len(xs) - 1) / max(len(row) - 1, 1)) / ways)
        assert abs(xs[:, 1]).max() < 0.5 * traffic.road.width and abs(xs[:, 2]).max() < 0.3
    assert far < 0.25
    with pytest.raises(SettingError, match="across"):
        commonroad_traffic(read_commonroad(DATA / "commonroad_ngsim" / "USA_Lanker-1_1_T-1.xml.gz"))


# -- the environment


def test_an_episode_says_how_it_ended():
    env = gymnasium.make("pilotage/Traffic-v0", observe="neighbours")
    env.reset(seed=0)
    ends = set()
    for seed, u in ((0, [0.0, 0.06]), (1, [6.0, 0.0]), (2, [-6.0, 0.0])):
        _, info = env.reset(seed=seed)
        if seed == 0:  # a road without others
            env.reset(options={"state": np.where(np.arange(len(info["state"])) < 12, info["state"], 0.0)})
        terminated, truncated = False, False
        while not (terminated or truncated):
            _, _, terminated, truncated, info = env.step(np.array(u, dtype=np.float32))
        ends.add("truncated" if truncated else next(k for k in ("collided", "off_road", "arrived") if info[k]))
    assert ends == {"off_road", "collided", "truncated"}
    with pytest.raises(SettingError, match="pixels"):
        Traffic(observe="pixels")  # pyright: ignore[reportArgumentType]


def test_the_reward_is_the_way_and_a_driver_arrives():
    env = gymnasium.make("pilotage/Traffic-v0", observe="half", render_mode="rgb_array")
    seen, info = env.reset(seed=5)
    assert seen["raster"].shape == (3, 59, 12)
    driver, target, total = IDMDriver(), None, 0.0
    for _ in range(1000):
        u, target = driver(info["state"], target)
        seen, reward, terminated, _, info = env.step(u)
        total += float(reward)
        if terminated:
            break
    assert info["arrived"] and not info["collided"] and total == pytest.approx(info["state"][0], abs=2.0)
    assert np.std(np.asarray(env.render())) > 10.0


def test_recorded_traffic_is_an_environment_too():
    env = Traffic(traffic=made())
    seen, _ = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    many = TrafficVector(traffic=made(), num_envs=3)
    many.reset(seed=1)
    assert many.step(np.zeros((3, 2)))[0]["raster"].shape == (3, 3, 117, 24)
    twin = pickle.loads(pickle.dumps(env))
    assert np.array_equal(twin.step([0.1, 0.0])[0]["raster"], env.step([0.1, 0.0])[0]["raster"])


def test_a_thousand_cars_and_none():
    traffic = ReactiveTraffic(cars=1000, spacing=(30.0, 30.0), warm_up=20)
    x = traffic.start(0)
    assert np.isfinite(traffic.step(x, HOLD, 0.1)).all()
    empty = x.copy()
    empty[12:] = 0.0
    y = traffic.step(empty, HOLD, 0.1)
    assert len(present(y)) == 0 and TrafficTask(1000).constraint(y, HOLD).max() < 0.0
    assert ContextRaster(1000).images(y)[1].max() == 0


def test_wrong_shapes_are_refused_before_a_kernel_sees_them():
    traffic = ReactiveTraffic(cars=50, warm_up=5)
    x, road = traffic.start(0), traffic.road
    for wrong in (lambda: traffic.step(x[:-1], HOLD, 0.1), lambda: traffic.step(x, [0.5], 0.1)):
        with pytest.raises(ShapeError):
            wrong()
    for look in (ContextRaster(50, road), Neighbours(50, road)):
        with pytest.raises(ShapeError, match="x of traffic"):
            look.observe(x[:40])
    with pytest.raises(ShapeError, match="x of traffic"):
        TrafficTask(50, road).constraint(x[:40], HOLD)
    with pytest.raises(ShapeError, match="target"):
        IDMDriver(road)(np.stack([x, x]), 0.0)
    with pytest.raises(ShapeError, match="u of traffic"):
        made().step(made().start(vehicle=10), [0.0], 0.1)
    assert np.isnan(traffic.step(np.full(x.shape, np.nan), HOLD, 0.1)).any()


def test_times_of_recordings_begin_anywhere_and_rows_are_not_shared_at_once():
    t, space = 1.7e9 + np.arange(200) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
    rows = np.stack([10.0 * (t - t[0]), 0 * t, 0 * t, 0 * t + 10.0], -1)
    first, then = slice(0, 100), slice(100, 200)
    table = TrackTable(t, np.where(np.arange(200) < 100, 4, 9), rows, space=space)
    traffic = ReplayedTraffic(table, {4: (4.5, 1.8), 9: (4.5, 1.8)}, Road(lanes=1))
    assert traffic.ids.shape == (200, 2) and (traffic.ids[first, 0] == 4).all() and (traffic.ids[then, 1] == 9).all()
    u, _ = IDMDriver(Road(lanes=1))(traffic.recorded(9)[0])
    assert np.isfinite(u).all()
