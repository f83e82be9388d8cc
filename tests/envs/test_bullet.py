from __future__ import annotations

import pickle
import xml.etree.ElementTree as ET

import mujoco
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

from pilotage.core import Gaussian, ModelError, Quaternion, Space, SpaceError
from pilotage.envs import ModelEnv, MujocoDynamics
from pilotage.models import dynamics, planar_arm, task
from pilotage.testing import check_dynamics

pytest.importorskip("pybullet", reason="PyBullet publishes wheels for Python 3.11 only")

import pybullet

from pilotage.envs import BulletDynamics

PENDULUM = """<robot name="pendulum"><link name="world"/><link name="rod"><inertial><origin xyz="0 0 -0.5"/>
<mass value="0.5"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="theta" type="continuous"><parent link="world"/><child link="rod"/><axis xyz="0 1 0"/>
<limit effort="2" velocity="50"/></joint></robot>"""
STATE = Space("theta: angle", "rate [rad/s]")


ROD = (0.0833, 0.0833, 1e-3, 0.0, 0.0, 0.0)


def inertial(mass, moments, origin="0 0 0", rpy="0 0 0"):
    xx, yy, zz, xy, xz, yz = moments
    return (
        f'<inertial><origin xyz="{origin}" rpy="{rpy}"/><mass value="{mass}"/>'
        f'<inertia ixx="{xx}" iyy="{yy}" izz="{zz}" ixy="{xy}" ixz="{xz}" iyz="{yz}"/></inertial>'
    )


def link(name, inside=""):
    return f'<link name="{name}">{inside}</link>'


def joint(name, parent, child, kind="continuous", axis="0 1 0", inside="", origin="0 0 0"):
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/><origin xyz="{origin}"/>'
        f'<axis xyz="{axis}"/>{inside}</joint>'
    )


def robot(*parts, **settings):
    return BulletDynamics(f'<robot name="r">{"".join(parts)}</robot>', **settings)


def rod(*more, axis="0 1 0", inside="", moments=ROD, **settings):
    hinge = joint("hinge", "world", "rod", axis=axis, inside=inside)
    return robot(link("world"), link("rod", inertial(1, moments, "0 0 -0.5")), hinge, *more, **settings)


LIMIT = '<limit effort="9" velocity="1" lower="-1e6" upper="1e6"/>'


def cart(mass=1.0, inside="", limit=LIMIT, **settings):
    slide = joint("slide", "world", "cart", "prismatic", "1 0 0", limit + inside)
    return robot(link("world"), link("cart", inertial(mass, (1, 1, 1, 0, 0, 0))), slide, **settings)


@dynamics(state=STATE, action=Space("torque [N m] in [-2, 2]"))
def twin(x, u, p, m):
    return x[1], (u[0] - 0.5 * 9.81 * 0.5 * m.sin(x[0])) / (0.5 * 0.25 + 1e-4)


def pendulum(**settings):
    return BulletDynamics(PENDULUM, state=STATE, **settings)


def test_it_is_a_pendulum():
    model = pendulum()
    assert model.action == Space("theta [N m] in [-2, 2]")
    us = np.random.default_rng(0).uniform(-1, 1, (100, 1))
    ours, exact = model.rollout([0.5, 0.0], us, 0.01), twin().rollout([0.5, 0.0], us, 0.01)
    # Bullet integrates by semi-implicit Euler, of first order in its step of 1/300 s here.
    np.testing.assert_allclose(STATE.minus(ours, exact), 0.0, atol=0.05)


def test_it_keeps_the_contract():
    check_dynamics(pendulum(noise=0.1), dt=0.02, tolerance=1e-3)


def test_a_free_base():
    heavy = '<link name="world"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
    flying = PENDULUM.replace('<link name="world"/>', f"{heavy}</inertial></link>")
    model = BulletDynamics(flying, fixed=False, gravity=(0, 0, -10.0))
    assert (model.state.size, model.state.dim) == (7 + 1 + 6 + 1, 6 + 1 + 6 + 1)
    assert isinstance(model.state.parts[3], Quaternion)
    x = model.state.identity()
    x[model.state.index("base.vx")] = 2.0
    y = model.step(x, [0.0], 0.5)
    assert y[2] == pytest.approx(-0.5 * 10 * 0.25, rel=0.02)
    assert y[0] == pytest.approx(1.0, rel=1e-3)


def test_instances_do_not_meet():
    a, b = pendulum(), pendulum(gravity=(0, 0, 0))
    assert a.client != b.client
    before = a.step([0.5, 0.0], [0.0], 0.1)
    b.step([1.0, 3.0], [1.0], 0.1)
    np.testing.assert_array_equal(a.step([0.5, 0.0], [0.0], 0.1), before)
    b.close()
    b.close()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(a)).step([0.5, 0.0], [0.0], 0.1), before)


def test_in_an_environment():
    model = pendulum(noise=0.05)
    goal = task(state=STATE, action=model.action)(lambda x, u, p, m: x[0] ** 2)
    env = ModelEnv(model, None, goal(initial=Gaussian.of(STATE, std=0.1), dt=0.05, horizon=20))
    env.reset(seed=0)
    for _ in range(20):
        *_, truncated, _ = env.step([0.5])
    assert truncated


def test_a_robot_from_a_file(data):
    model = BulletDynamics(data / "robot_models" / "urdf" / "2link_robot.urdf")
    assert model.state.size == 2 * model.action.size
    assert np.isfinite(model.rollout(np.zeros(model.state.size), np.zeros((20, model.action.size)), 0.02)).all()


def test_sentences(tmp_path):
    with pytest.raises(ModelError, match="there is no URDF at nowhere"):
        BulletDynamics("nowhere")
    with pytest.raises(ModelError, match="no moving joint 'knee'; there are theta"):
        BulletDynamics(PENDULUM, joints=["knee"])
    with pytest.raises(SpaceError, match="does not have the layout of the robot"):
        BulletDynamics(PENDULUM, state=Space("theta: angle"))
    with pytest.raises(ModelError, match="noise must be 2 standard deviations"):
        BulletDynamics(PENDULUM, noise=(1, 2, 3))
    with pytest.raises(ModelError, match="dt is 0"):
        pendulum().step([0, 0], [0], 0)
    assert np.isnan(pendulum().step([[np.nan, 0], [0, 0]], [0], 0.1)).all(-1).tolist() == [True, False]


# -- the robot is the one that the file describes


@pytest.mark.parametrize("axis", [(0, 1, 0), (1, 0, 0), (0.6, 0.0, 0.8)])
@pytest.mark.parametrize("moments", [ROD, (0.3, 0.25, 0.2, 0.05, -0.08, 0.03), (0.08, 0.08, 0.0, 0, 0, 0)])
def test_inertia_is_the_files(axis, moments):
    xx, yy, zz, xy, xz, yz = moments
    a = np.array(axis)
    I = a @ [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]] @ a + 0.25 * (1 - a[2] ** 2)
    model = rod(axis=" ".join(map(str, axis)), moments=moments, gravity=(0, 0, 0))
    assert model.step([0, 0], [1.0], 1e-3)[1] / 1e-3 == pytest.approx(1.0 / I, rel=1e-6)


def test_a_fixed_link_without_inertial_weighs_nothing():
    tip = link("tip") + joint("weld", "rod", "tip", "fixed", origin="0 0 -3")
    np.testing.assert_array_equal(rod(tip).step([0.4, 1.0], [0.5], 0.1), rod().step([0.4, 1.0], [0.5], 0.1))


@pytest.mark.parametrize("own", ["", inertial(0, (0,) * 6)])
def test_a_moving_link_without_mass_is_named(own):
    bare = link("wheel", own) + joint("axle", "rod", "wheel")
    with pytest.raises(ModelError, match="'wheel' moves and has no mass"):
        rod(bare)
    rim = link("rim", inertial(0.1, (1e-3,) * 3 + (0,) * 3)) + joint("weld", "wheel", "rim", "fixed")
    assert rod(bare, rim).step(np.zeros(4), [0, 1.0], 1e-3)[3] > 0.0


def test_a_free_base_without_inertial_weighs_nothing():
    """Its mass is that of what is fixed to it."""
    trunk = inertial(2, (0.1, 0.2, 0.25, 0, 0, 0))
    split = robot(
        link("foot"), link("trunk", trunk), joint("weld", "foot", "trunk", "fixed", origin="0 0 0.5"), fixed=False
    )
    whole = robot(link("foot", inertial(2, (0.1, 0.2, 0.25, 0, 0, 0), "0 0 0.5")), fixed=False)
    x = split.state.sample(rng=0)
    x[7:] = 0.5, -1.0, 2.0, 1.0, 0.5, 0.2
    np.testing.assert_allclose(split.step(x, [], 0.01), whole.step(x, [], 0.01), atol=2e-4)
    with pytest.raises(ModelError, match="'foot' moves and has no mass"):
        robot(link("foot"), fixed=False)
    with pytest.raises(ModelError, match="'foot' weighs 0 kg"):
        robot(
            link("foot", inertial(0, (0,) * 6)),
            link("trunk", trunk),
            joint("weld", "foot", "trunk", "fixed"),
            fixed=False,
        )


def test_damping_and_friction_are_the_files():
    I, dt = 0.0833 + 0.25, 0.2
    damped = rod(inside='<dynamics damping="0.3"/>', gravity=(0, 0, 0))
    assert damped.step([0, 2.0], [0], dt)[1] == pytest.approx(2.0 * np.exp(-0.3 / I * dt), rel=2e-3)
    for mass, force in ((1.0, 2.0), (1e3, 500.0)):
        rough = cart(mass, f'<dynamics friction="{force}"/>')
        assert rough.step([0, 3.0], [0], dt)[1] == pytest.approx(3.0 - force / mass * dt)
        assert rough.step([0, -3.0], [0], dt)[1] == pytest.approx(-3.0 + force / mass * dt)
        np.testing.assert_array_equal(rough.step([0.5, 0], [0.9 * force], 1.0), [0.5, 0.0])  # it sticks
        assert rough.step([0, 0], [1.5 * force], dt)[1] == pytest.approx(0.5 * force / mass * dt)


def test_nothing_else_brakes():
    assert cart().step([0, 5e3], [0], 0.1).tolist() == pytest.approx([5e2, 5e3])
    body = robot(link("body", inertial(1, (1, 1, 1, 0, 0, 0), "0.3 0 0.1")), fixed=False, gravity=(0, 0, 0))
    x = body.start()
    x[7:] = 400.0, 0, 0, 0, 0, 0
    y = body.step(x, [], 0.5)
    assert (y[0], y[7]) == pytest.approx((200.0, 400.0))
    fast = rod(axis="0 0 1").step([0, 700.0], [0], 0.01)
    assert fast.tolist() == pytest.approx([7.0, 700.0])


@pytest.mark.parametrize("mass", [1.0, 1e3, 1e5])
def test_stops_hold_any_mass(mass):
    xs = cart(mass, limit='<limit effort="1" velocity="1" lower="-1" upper="1"/>').rollout(
        [0.9, 10.0], np.zeros((40, 1)), 1e-2
    )
    assert xs[:, 0].max() < 1.0 + 10.0 / 240.0
    assert xs[-1, 1] < 0.1


def test_double_pendulum():
    arm = planar_arm(2, masses=(1.0, 0.5), lengths=(0.8, 0.6))
    rods = [
        inertial(m, (0, m * l * l / 12, m * l * l / 12, 0, 0, 0), f"{l / 2} 0 0") for m, l in ((1.0, 0.8), (0.5, 0.6))
    ]
    model = robot(
        link("world"), link("upper", rods[0]), link("lower", rods[1]),
        joint("shoulder", "world", "upper", axis="0 -1 0"),
        joint("elbow", "upper", "lower", axis="0 -1 0", origin="0.8 0 0"),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, u, h = rng.normal(size=(20, 4)), rng.normal(size=(20, 2)), 1e-6
    np.testing.assert_allclose((model.step(x, u, h) - x) / h, (arm.step(x, u, h) - x) / h, atol=1e-4)
    # Semi-implicit Euler is of first order: a tenth of the step, a tenth of the error.
    exact = arm.rollout(x[:3], np.zeros((3, 200, 2)), 1e-3)[:, -1]
    errors = [np.abs(model.rollout(x[:3], np.zeros((3, n, 2)), 0.2 / n)[:, -1] - exact).max() for n in (200, 2000)]
    assert errors[1] < 0.15 * errors[0] < 0.01


def test_free_flight_of_an_unbalanced_body():
    """The centre of mass flies along a parabola, and the body turns by Euler's equations about it."""
    r, I = np.array([0.2, -0.1, 0.3]), np.diag([0.1, 0.2, 0.25])
    body = robot(link("body", inertial(2, (0.1, 0.2, 0.25, 0, 0, 0), "0.2 -0.1 0.3")), fixed=False)
    x, T = body.start(), 0.3
    turn, v, w = Rotation.from_euler("xyz", [0.3, -0.5, 1.0]), np.array([0.5, 1.0, 2.0]), np.array([1.0, 3.0, -2.0])
    x[:3], x[3:7], x[7:10], x[10:] = (1, 2, 3), np.roll(turn.as_quat(), 1), v, w

    def euler(t, y):
        q, w = y[:4], y[4:]
        return [*(0.5 * np.array([[0, w[2], -w[1], w[0]], [-w[2], 0, w[0], w[1]], [w[1], -w[0], 0, w[2]],
                                  [-w[0], -w[1], -w[2], 0]]) @ q), *np.linalg.solve(I, np.cross(I @ w, w))]  # fmt: skip

    end = solve_ivp(euler, (0, T), [*turn.as_quat(), *turn.inv().apply(w)], rtol=1e-9, atol=1e-9).y[:, -1]
    turned = Rotation.from_quat(end[:4])
    centre = x[:3] + turn.apply(r) + (v + np.cross(w, turn.apply(r))) * T + [0, 0, -0.5 * 9.81 * T**2]
    y = body.rollout(x, np.zeros((1000, 0)), T / 1000)[-1]
    assert (Rotation.from_quat(np.roll(y[3:7], -1)) * turned.inv()).magnitude() < 2e-3
    np.testing.assert_allclose(y[:3], centre - turned.apply(r), atol=3e-3)
    np.testing.assert_allclose(y[10:], turned.apply(end[4:]), atol=1e-2)


def without_shapes(data, name):
    """The text of a URDF whose meshes are not here."""
    described = ET.parse(data / "robot_models" / "urdf" / f"{name}.urdf").getroot()
    for part in described.findall("link"):
        for shape in (*part.findall("visual"), *part.findall("collision")):
            part.remove(shape)
    return ET.tostring(described, encoding="unicode")


@pytest.mark.parametrize("name", ["2link_robot", "iiwa7", "panda_no_gripper", "turtlebot3_burger"])
def test_robots_accelerate_as_in_mujoco(data, name):
    """MuJoCo reads the same file by code of its own; Bullet agrees on every acceleration."""
    text = without_shapes(data, name)
    model, m = BulletDynamics(text), MujocoDynamics(text).model
    n, d, rng, h = m.nq, mujoco.MjData(m), np.random.default_rng(0), 1e-6
    low, high = np.maximum(model.state.low[:n], -1.5), np.minimum(model.state.high[:n], 1.5)
    for _ in range(5):
        d.qpos, d.qvel, d.qfrc_applied = rng.uniform(low, high), rng.normal(size=n), 5 * rng.normal(size=n)
        mujoco.mj_forward(m, d)
        y = model.step([*d.qpos, *d.qvel], d.qfrc_applied, h)
        np.testing.assert_allclose((y[n:] - d.qvel) / h, d.qacc, rtol=1e-6, atol=1e-6)


BOX = """<collision><geometry><box size="0.2 0.2 0.2"/></geometry></collision>
<contact><lateral_friction value="0.4"/></contact>"""
FLOOR = """<robot name="floor"><link name="floor">
<collision><origin xyz="0 0 -1"/><geometry><box size="50 50 2"/></geometry></collision>
<contact><lateral_friction value="1"/></contact></link></robot>"""


def on_a_floor(tmp_path, shape=BOX):
    model = robot(link("box", inertial(2, (0.01, 0.01, 0.01, 0, 0, 0)) + shape), fixed=False, gravity=(0, 0, -10.0))
    (tmp_path / "floor.urdf").write_text(FLOOR)
    pybullet.loadURDF(str(tmp_path / "floor.urdf"), useFixedBase=True, physicsClientId=model.client)
    return model


@pytest.mark.parametrize("heading", [0.0, 0.3, np.pi / 4])
def test_sliding_friction(tmp_path, heading):
    model = on_a_floor(tmp_path)
    x = model.start()
    x[2], x[7:9] = 0.1, (2 * np.cos(heading), 2 * np.sin(heading))
    assert np.hypot(*model.step(x, [], 0.1)[7:9]) == pytest.approx(2.0 - 0.4 * 10.0 * 0.1, rel=2e-3)


@pytest.mark.parametrize("shape", [BOX, BOX.replace('box size="0.2 0.2 0.2"', 'capsule radius="0.1" length="0.2"')])
def test_contacts_do_not_pass_from_one_step_to_the_next(tmp_path, shape):
    model, rng = on_a_floor(tmp_path, shape), np.random.default_rng(0)
    near = lambda: model.state.plus(x, 0.01 * rng.normal(size=model.state.dim))
    x = model.start()
    x[2], x[7], x[12] = 0.0995, 0.02, 0.1
    for x in (near() for _ in range(6)):
        first = on_a_floor(tmp_path, shape).step(x, [], 0.0125)
        for _ in range(60):
            model.step(near(), [], 0.0125)
            np.testing.assert_array_equal(model.step(x, [], 0.0125), first)


def test_steps_at_stops_and_with_friction_have_no_memory():
    short = {"inside": '<dynamics damping="0.1" friction="0.4"/>', "limit": LIMIT.replace("1e6", "1")}
    model, rng = cart(2.0, **short), np.random.default_rng(0)
    xs, us = rng.uniform([-1.1, -3], [1.1, 3], (30, 2)), rng.uniform(-9, 9, (30, 1))
    alone = [cart(2.0, **short).step(x, u, 0.03) for x, u in zip(xs, us, strict=True)]
    for i in rng.integers(30, size=200):
        np.testing.assert_array_equal(model.step(xs[i], us[i], 0.03), alone[i])


def test_start_is_inside_the_limits():
    assert cart(limit='<limit effort="1" velocity="1" lower="-3" upper="-0.5"/>').start().tolist() == [-0.5, 0.0]
    assert (
        robot(link("box", inertial(1, (1, 1, 1, 0, 0, 0))), fixed=False).start().tolist()
        == [0.0] * 3 + [1.0] + [0.0] * 9
    )


def test_names_of_joints_are_made_to_fit():
    wheels = [
        link(name, inertial(1, (1, 1, 1, 0, 0, 0))) + joint(name, "rod", name) for name in ("wheel-left", "wheel_left")
    ]
    model = rod(*wheels, joints=["wheel-left"])
    assert model.state.names[:3] == ("hinge", "wheel_left", "wheel_left_")
    assert model.action.names == ("wheel_left",)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (joint("belt", "rod", "tip", inside='<mimic joint="hinge"/>'), "'belt' mimics"),
        (joint("ball", "rod", "tip", "floating"), "'ball' is floating"),
        (joint("belt", "rod", "nowhere"), "'nowhere'"),
        ("", "no joints lead from the base 'world' to tip"),
        (joint("belt", "rod", "tip") + joint("a", "p", "q") + joint("b", "q", "p"), "to p, q"),
    ],
)
def test_what_bullet_does_not_do_is_refused(inside, message):
    links = link("tip", inertial(1, (1, 1, 1, 0, 0, 0))) + (link("p") + link("q")) * ('"p"' in inside)
    with pytest.raises(ModelError, match=message):
        rod(links, inside)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("revolute", "joint 'belt' is revolute and has no <limit>; .* lower and upper, or make it continuous"),
        ("prismatic", "joint 'belt' is prismatic and has no <limit>; .* lower and upper$"),
    ],
)
def test_a_joint_with_an_end_needs_a_limit(kind, message):
    tip = link("tip", inertial(1, (1, 1, 1, 0, 0, 0)))
    with pytest.raises(ModelError, match=message):
        rod(tip, joint("belt", "rod", "tip", kind))
    assert rod(tip, joint("belt", "rod", "tip", kind, inside=LIMIT)).state.size == 4
    assert rod(tip, joint("belt", "rod", "tip")).state.size == 4


@pytest.mark.parametrize("scheme", ["", "package://", "model://"])
@pytest.mark.parametrize("use", ["visual", "collision"])
def test_a_mesh_that_is_missing_is_named(tmp_path, scheme, use):
    meshes = "".join(
        f'<{use}><geometry><mesh filename="{scheme}my/{name}.obj"/></geometry></{use}>' for name in ("rod", "tip")
    )
    (tmp_path / "my").mkdir()
    (tmp_path / "urdf").mkdir()
    path = tmp_path / "urdf" / "robot.urdf"
    path.write_text(f'<robot name="r">{link("rod", inertial(1, ROD) + meshes)}</robot>')
    triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    (tmp_path / "my" / "rod.obj").write_text(triangle)
    with pytest.raises(ModelError, match=f"not where the file says: {scheme}my/tip.obj$"):
        BulletDynamics(path)
    (tmp_path / "my" / "tip.obj").write_text(triangle)
    assert BulletDynamics(path, fixed=False).state.size == 13


@pytest.mark.parametrize("moments", [(1, 1, 5, 0, 0, 0), (-1, 1, 1, 0, 0, 0), (1, 1, 1, 2, 0, 0)])
def test_inertia_of_no_body_is_refused(moments):
    with pytest.raises(ModelError, match="inertia of link 'rod' is that of no body"):
        rod(moments=moments)


def test_messages_are_short(data):
    with pytest.raises(ModelError, match="a mesh that is not where"):
        BulletDynamics(data / "robot_models" / "urdf" / "iiwa7.urdf")
    with pytest.raises(ModelError) as error:
        BulletDynamics("nowhere/" * 200)
    assert len(str(error.value)) < 300
    chain = [link("l0", inertial(1, (1, 1, 1, 0, 0, 0)))]
    for i in range(1, 40):
        chain += [link(f"l{i}", inertial(1, (1, 1, 1, 0, 0, 0))), joint(f"joint{i}", f"l{i - 1}", f"l{i}")]
    with pytest.raises(ModelError, match="no moving joint 'knee'; there are joint1, .* and 31 more") as error:
        robot(*chain, joints=["knee"])
    assert len(str(error.value)) < 300
    for text in ("<robot", "<sdf/>", "<robot name='r'><link name='a'><inertial/></link></robot>", "<robot name='r'/>"):
        with pytest.raises(ModelError, match="URDF|<inertial>"):
            BulletDynamics(text)
