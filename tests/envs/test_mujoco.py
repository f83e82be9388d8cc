from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import mujoco
import numpy as np
import pytest

from pilotage.control import MPPI, reach
from pilotage.core import ActionStatus, Angle, ModelError, Quaternion, Real, Space, SpaceError, jacobian
from pilotage.envs import MujocoDynamics
from pilotage.testing import check_dynamics

PENDULUM = """<mujoco><option timestep="0.01"><flag eulerdamp="disable"/></option><worldbody><body>
<joint name="theta" axis="0 1 0" damping="0.1"/><inertial pos="0 0 -1" mass="1" diaginertia="1e-3 1e-3 1e-3"/>
</body></worldbody>
<actuator><motor name="torque" joint="theta" ctrllimited="true" ctrlrange="-2 2"/></actuator></mujoco>"""

# Every kind of joint, a muscle-like activation, contact with the floor.
ZOO = """<mujoco><option timestep="0.002" integrator="implicitfast"/><worldbody><geom type="plane" size="5 5 1"/>
<body pos="0 0 0.4"><freejoint name="base"/><geom size="0.1" mass="1"/>
  <body pos="0.3 0 0"><joint name="hip-left" type="ball" damping="0.2"/><geom size="0.05" pos="0.1 0 0" mass="0.3"/>
    <body pos="0.3 0 0"><joint name="knee" axis="0 1 0" range="-45 45" damping="0.1"/>
      <geom size="0.05" pos="0.1 0 0" mass="0.2"/>
      <body pos="0.2 0 0"><joint name="slider" type="slide" axis="1 0 0" limited="true" range="-0.1 0.1"
      damping="1" stiffness="5"/><geom size="0.04" mass="0.1"/></body></body></body></body></worldbody>
<actuator><motor name="knee" joint="knee" ctrllimited="true" ctrlrange="-1 1"/>
<general joint="slider" dyntype="filter" dynprm="0.05" gainprm="2"/></actuator></mujoco>"""


def zoo(**settings):
    return MujocoDynamics(ZOO, **settings)


def states(model, n, seed=0):
    """Random states around one in the air."""
    d = np.random.default_rng(seed).normal(size=(n, model.state.dim)) * 0.3
    return model.state.plus(np.concatenate([model.model.qpos0, np.zeros(model.model.nv + model.model.na)]), d)


def test_spaces_come_from_the_model():
    model = zoo()
    assert (model.state.size, model.state.dim) == (7 + 4 + 1 + 1 + 11 + 1, 2 * 11 + 1)
    kinds = {p.name: type(p) for p in model.state.parts}
    assert kinds["base.q"] is kinds["hip_left"] is Quaternion
    assert kinds["knee"] is kinds["base.x"] is Real
    knee = model.state.index("knee")
    assert (model.state.low[knee], model.state.high[knee]) == pytest.approx((-np.pi / 4, np.pi / 4))
    assert model.state.units[knee] == "rad"
    assert model.state.tangent_names[-2:] == ("slider.rate", "act0")
    assert model.action == Space("knee in [-1, 1]", "u1")
    assert MujocoDynamics(PENDULUM).state.high[0] == np.inf


def test_the_tangent_is_mujocos_own():
    model = zoo()
    m = model.model
    x, y = states(model, 2)
    ours, theirs = model.state.minus(y, x), np.empty(m.nv)
    mujoco.mj_differentiatePos(m, theirs, 1.0, x[: m.nq], y[: m.nq])
    np.testing.assert_allclose(ours[: m.nv], theirs, atol=1e-12)


def test_a_step_is_the_simulators():
    model = zoo()
    m = mujoco.MjModel.from_xml_string(ZOO)
    m.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_WARMSTART)
    d = mujoco.MjData(m)
    u = np.array([0.7, 0.4])
    for x in states(model, 3):
        d.qpos[:], d.qvel[:], d.act[:], d.ctrl[:] = x[: m.nq], x[m.nq : m.nq + m.nv], x[m.nq + m.nv :], u
        mujoco.mj_step(m, d, 10)
        np.testing.assert_allclose(model.step(x, u, 0.02), np.concatenate([d.qpos, d.qvel, d.act]), atol=1e-9)


@pytest.mark.parametrize("threads", [0, 2])
def test_batches_and_rollouts_are_steps(threads):
    model = zoo(threads=threads)
    x0 = states(model, 6).reshape(3, 2, -1)
    us = np.random.default_rng(1).uniform(-1, 1, (3, 2, 5, 2))
    xs = model.rollout(x0, us, 0.02)
    assert xs.shape == (3, 2, 6, model.state.size)
    for i in np.ndindex(3, 2):
        x = x0[i]
        for t in range(5):
            x = model.step(x, us[(*i, t)], 0.02)
            np.testing.assert_allclose(xs[(*i, t + 1)], x, atol=1e-8)
    np.testing.assert_allclose(model.step(x0, us[..., 0, :], 0.02), xs[..., 1, :], atol=1e-12)
    np.testing.assert_array_equal(model.step(x0, us[0, 0, 0], 0.02)[2, 1], model.step(x0[2, 1], us[0, 0, 0], 0.02))
    assert model.rollout(x0, us[:, :, :0], 0.02).shape == (3, 2, 1, model.state.size)


@pytest.mark.parametrize("dt", [0.002, 0.006])
def test_derivatives_agree_with_differences(dt):
    model = zoo()
    x, u = states(model, 4), np.array([0.3, -0.2])  # inside the limits, where controls are not clamped
    F, B = model.linearize(x, u, dt)
    assert F.shape == (4, model.state.dim, model.state.dim)
    assert B.shape == (4, model.state.dim, 2)
    np.testing.assert_allclose(F, jacobian(lambda y: model.step(y, u, dt), x, model.state, model.state), atol=2e-5)
    us = np.broadcast_to(u, (4, 2))
    np.testing.assert_allclose(B, jacobian(lambda v: model.step(x, v, dt), us, model.action, model.state), atol=2e-5)


def test_derivatives_of_models_on_rk4():
    model = MujocoDynamics(PENDULUM.replace('timestep="0.01"', 'timestep="0.01" integrator="RK4"'))
    F, B = model.linearize([0.5, 1.0], [0.2], 0.01)
    assert F[0, 1] == pytest.approx(0.01, rel=1e-2)
    assert B[1, 0] == pytest.approx(0.01, rel=1e-2)


def test_any_dt_is_reached_exactly():
    model = MujocoDynamics(PENDULUM)
    free = np.array([0.0, 2.0])
    for dt in (0.003, 0.01, 0.025, 0.1):
        model.step(free, [0.0], dt)
        assert round(dt / model.model.opt.timestep) * model.model.opt.timestep == pytest.approx(dt, abs=1e-15)
        assert model.model.opt.timestep <= 0.01 + 1e-12


@pytest.mark.parametrize("threads", [0, 2])
def test_the_contract_is_kept(threads):
    model = zoo(threads=threads, noise=0.1)
    check_dynamics(model, x=states(model, 4), u=model.action.sample(4, rng=0), dt=0.006, tolerance=1e-4)


def test_a_step_has_no_memory():
    model = zoo()
    x, u = states(model, 1)[0], np.zeros(2)
    x[model.state.index("base.z")] = 0.05  # in contact, where the constraint solver iterates
    first = model.step(x, u, 0.02)
    model.step(states(model, 1, seed=5)[0], np.ones(2), 0.02)
    np.testing.assert_array_equal(model.step(x, u, 0.02), first)


def test_lost_states_are_nan_and_stay_alone():
    model = MujocoDynamics(PENDULUM, threads=2)
    x = np.array([[0.1, 0.0], [np.nan, 0.0], [0.2, 1e200], [0.3, 0.0]])
    y = model.step(x, np.zeros(1), 0.05)
    assert np.isnan(y[1:3]).all()
    np.testing.assert_array_equal(y[[0, 3]], model.step(x[[0, 3]], np.zeros(1), 0.05))
    xs = model.rollout(x[0], np.array([[0.0], [np.nan], [0.0]]), 0.05)
    assert np.isnan(xs[2:]).all()
    np.testing.assert_array_equal(xs[1], y[0])


def test_a_model_without_actuators():
    model = MujocoDynamics(PENDULUM[: PENDULUM.index("<actuator>")] + "</mujoco>")
    assert model.action.size == 0
    assert model.rollout([0.1, 0.0], np.zeros((5, 0)), 0.01).shape == (6, 2)
    assert model.linearize([0.1, 0.0], np.zeros(0), 0.01)[1].shape == (2, 0)


def test_a_hinge_may_be_an_angle():
    model = MujocoDynamics(PENDULUM, state=Space("theta: angle", "rate [rad/s]"))
    y = model.step([3.1, 5.0], [0.0], 0.05)
    assert isinstance(model.state.parts[0], Angle)
    assert -np.pi < y[0] < -2.9
    plain = MujocoDynamics(PENDULUM).step([3.1, 5.0], [0.0], 0.05)
    np.testing.assert_allclose(model.state.minus(y, plain), 0.0, atol=1e-12)


def test_noise():
    model = MujocoDynamics(PENDULUM, noise=(0.1, 0.2))
    np.testing.assert_allclose(model.noise(np.zeros((3, 2)), np.zeros(1), 0.5), [np.diag([0.005, 0.02])] * 3)


def test_it_travels_to_other_processes():
    model = zoo(threads=2)
    x = states(model, 3)
    y = model.step(x, np.zeros(2), 0.01)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.step(x, np.zeros(2), 0.01), y)


@pytest.mark.parametrize("threads", [0, 2])
def test_threads_may_share_a_model(threads):
    """Each with a step of its own: none sees the timestep or the memory of another."""
    model = zoo(threads=threads)
    x = states(model, 4)
    dts = [0.002, 0.005, 0.02, 0.0031]
    work = lambda dt: [(model.step(x, np.zeros(2), dt), *model.linearize(x, np.zeros(2), dt)) for _ in range(10)]
    alone = [work(dt) for dt in dts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, dts))
    for ours, theirs in zip(together, alone, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            for mine, other in zip(a, b, strict=True):
                np.testing.assert_array_equal(mine, other)


def test_a_loaded_model_is_copied():
    m = mujoco.MjModel.from_xml_string(PENDULUM)
    MujocoDynamics(m).step([0.0, 1.0], [0.0], 0.003)
    assert m.opt.timestep == 0.01


def test_files(data):
    model = MujocoDynamics(data / "robot_models" / "mjcf" / "cartpole.xml")
    assert model.state.size == 4
    assert np.isfinite(model.rollout(np.array([0, 0.1, 0, 0]), np.zeros((50, 1)), 0.02)).all()


def test_simulators_that_are_not_installed():
    from pilotage.core import MissingExtra
    from pilotage.envs.late import Late

    with pytest.raises(MissingExtra, match=r"pip install 'pilotage\[envs\]'"):
        _ = Late("a_simulator_that_nobody_has").MjModel
    with pytest.raises(MissingExtra, match=r"pip install 'pilotage\[envs\]' \(on Python 3.11\)"):
        _ = Late("a_simulator_that_nobody_has", only="on Python 3.11").loadURDF


def test_a_broken_installation_is_explained(tmp_path, monkeypatch):
    """As after an upgrade in place from MuJoCo 3 to 4, whose parts take files from each other."""
    from pilotage.core import MissingExtra
    from pilotage.envs.late import Late

    (tmp_path / "half_a_simulator.py").write_text("raise ImportError('core bindings ' + 'are missing ' * 100)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match="pip uninstall -y half_a_simulator its_core; pip install") as error:
        _ = Late("half_a_simulator", "half_a_simulator its_core").MjModel
    assert "core bindings" in str(error.value)
    assert len(str(error.value)) < 400


def test_sentences(tmp_path):
    with pytest.raises(ModelError, match="there is no MuJoCo model at nowhere"):
        MujocoDynamics("nowhere.xml")
    with pytest.raises(ModelError, match="MuJoCo cannot read the model"):
        MujocoDynamics("<mujoco><nonsense/></mujoco>")
    broken = tmp_path / "broken.xml"
    broken.write_text("not xml")
    with pytest.raises(ModelError, match="MuJoCo cannot read the model"):
        MujocoDynamics(broken)
    with pytest.raises(SpaceError, match="does not have the layout of the MuJoCo model"):
        MujocoDynamics(PENDULUM, state=Space("theta: angle"))
    with pytest.raises(ModelError, match="noise must be 2 standard deviations"):
        MujocoDynamics(PENDULUM, noise=(1, 2, 3))
    with pytest.raises(ModelError, match="dt is -"):
        MujocoDynamics(PENDULUM).step([0, 0], [0], -0.1)


def nested(*names):
    """Bodies that hang on each other by hinges."""
    bodies = "".join(f'<body><joint{f" name={name!r}" if name else ""}/><geom size="0.1"/>' for name in names)
    return f"<mujoco><worldbody>{bodies}{'</body>' * len(names)}</worldbody>{{}}</mujoco>"


def test_names_never_meet():
    model = MujocoDynamics(nested("", "joint0", "hip-left", "hip_left", "act0").format(
        """<actuator><general joint="act0" dyntype="filter" dynprm="0.1"/><motor name="u0" joint="act0"/>
        <motor name="knee-1" joint="act0"/><motor name="knee.1" joint="act0"/></actuator>"""
    ))  # fmt: skip
    assert model.state.names[:5] == ("joint0_", "joint0", "hip_left", "hip_left_", "act0")
    assert model.state.names[-1] == "act0_"
    assert model.action.names == ("u0_", "u0", "knee_1", "knee_1_")


def test_start_is_the_models_own():
    home = ZOO.replace("</mujoco>", """<keyframe><key/><key name="home" qpos="1 2 3 1 0 0 0 0 1 0 0 0.2 0.05"
    qvel="1 2 3 4 5 6 7 8 9 10 11" act="0.5"/></keyframe></mujoco>""")  # fmt: skip
    model = MujocoDynamics(home)
    m = model.model
    np.testing.assert_array_equal(model.start(), np.concatenate([m.qpos0, np.zeros(m.nv + m.na)]))
    assert model.start()[2] == 0.4  # above the floor, as the model says
    expected = np.concatenate([m.key_qpos[1], m.key_qvel[1], m.key_act[1]])
    np.testing.assert_array_equal(model.start("home"), expected)
    np.testing.assert_array_equal(model.start(1), expected)
    for wrong in ("away", 2, -1):
        with pytest.raises(ModelError, match=f"no keyframe {wrong!r}; there are .*home"):
            model.start(wrong)
    with pytest.raises(ModelError, match="there are none"):
        zoo().start("home")
    angle = MujocoDynamics(PENDULUM.replace('name="theta"', 'name="theta" ref="200"'), state=Space("theta: angle", "w"))
    assert angle.start()[0] == pytest.approx(np.deg2rad(-160))


SERVO = """<mujoco><worldbody><body name="aim" mocap="true" pos="0 0 1" quat="-1 2 0 0"/>
<body><joint name="j" axis="0 1 0" damping="2"/><geom type="capsule" fromto="0 0 0 .5 0 0" size=".03" mass="1"/></body>
</worldbody><actuator><position name="servo" joint="j" kp="200"/></actuator><keyframe>
<key name="home" qpos="-1.2" ctrl="-1.2"/><key name="same" mpos="0 0 1" mquat="2 -4 0 0" ctrl="1"/>
<key name="far" mpos="0.5 0 1"/><key name="turned" mquat="1 0 0 0"/></keyframe></mujoco>"""


def test_the_command_of_a_keyframe_holds_it():
    arm = MujocoDynamics(SERVO)
    x = arm.start("home")
    end = arm.rollout(x, np.tile(arm.command("home"), (200, 1)), 0.02)[-1]
    np.testing.assert_allclose(end, x, atol=0.02)  # the arm sags a little
    away = arm.rollout(x, np.zeros((200, 1)), 0.02)[-1]
    assert abs(away[0]) < 0.1
    assert [arm.command(i).tolist() for i in range(2)] == [[-1.2], [1.0]]
    arm.command("home")[:] = 0.0
    assert arm.command("home").tolist() == [-1.2]
    with pytest.raises(ModelError, match="no keyframe 'away'; there are home, same, far"):
        arm.command("away")


def test_keyframes_that_move_mocap_bodies_are_refused():
    """What the state leaves out cannot differ from the model."""
    arm = MujocoDynamics(SERVO)
    data = mujoco.MjData(arm.model)
    for name in ("home", "same", "far", "turned"):
        mujoco.mj_resetData(arm.model, data)
        own = data.mocap_pos.copy(), turn(data.mocap_quat[0])
        mujoco.mj_resetDataKeyframe(arm.model, data, arm.model.key(name).id)
        if np.allclose(own[0], data.mocap_pos) and np.allclose(own[1], turn(data.mocap_quat[0])):
            assert arm.start(name)[0] == data.qpos[0]
        else:
            with pytest.raises(ModelError, match=f"keyframe '{name}' moves the mocap body aim"):
                arm.start(name)
            assert name in ("far", "turned")


def turn(q):
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, q / np.linalg.norm(q))
    return matrix


@pytest.mark.skipif(not hasattr(mujoco.mjtEnableBit, "mjENBL_SLEEP"), reason="this MuJoCo lets nothing sleep")
def test_nothing_sleeps():
    """A body that sleeps would move otherwise in a rollout than step by step."""
    model = MujocoDynamics(
        """<mujoco><option timestep="0.002"><flag sleep="enable"/></option><worldbody><geom type="plane" size="5 5 1"/>
        <body pos="0 0 0.0998"><freejoint/><geom size="0.1" mass="1"/></body></worldbody></mujoco>"""
    )
    xs = model.rollout(model.start(), np.zeros((1500, 0)), 0.002)
    ys = np.stack([model.step(x, [], 0.002) for x in xs[:-1:100]])
    np.testing.assert_allclose(xs[1::100], ys, atol=1e-12)


def test_messages_are_short():
    for wrong in ("nowhere/" * 200, f"<mujoco><{'nonsense' * 100}/></mujoco>"):
        with pytest.raises(ModelError) as error:
            MujocoDynamics(wrong)
        assert len(str(error.value)) < 300


EDITS = [
    ({"mass": {"arm": 0.9}}, 'mass="0.6"', 'mass="0.9"'),
    ({"damping": {"elbow": 0.4}}, 'damping="0.1"', 'damping="0.4"'),
    ({"frictionloss": {"elbow": 0.3}}, 'frictionloss="0"', 'frictionloss="0.3"'),
    ({"friction": {"tip": [0.2, 0.005, 0.0001]}}, 'friction="1"', 'friction="0.2"'),
    ({"gear": {"torque": [3.0, 0, 0, 0, 0, 0]}}, 'gear="1"', 'gear="3"'),
    ({"gravity": [0.0, 0.0, -1.6]}, 'gravity="0 0 -9.81"', 'gravity="0 0 -1.6"'),
]
ARM = """<mujoco><option timestep="0.002" gravity="0 0 -9.81"/><worldbody>
<geom type="plane" size="5 5 1" friction="0.1"/>
<body pos="0 0 0.6"><joint name="slide" type="slide" axis="1 0 0" damping="0.2"/><geom size="0.05" mass="0.5"/>
  <body name="arm"><joint name="elbow" axis="0 1 0" damping="0.1" frictionloss="0"/>
    <geom name="tip" type="capsule" fromto="0 0 0 0.4 0 -0.45" size="0.06" mass="0.6" friction="1"/></body></body>
</worldbody>
<actuator><motor name="torque" joint="elbow" gear="1"/></actuator></mujoco>"""


@pytest.mark.parametrize(("given", "old", "new"), EDITS)
def test_other_parameters_are_an_edited_file(given, old, new):
    """Masses, friction and the like act as if the XML had been edited, and the model itself does not change."""
    model, edited = MujocoDynamics(ARM), MujocoDynamics(ARM.replace(old, new))
    x, us = np.array([0.0, 0.1, 0.5, 2.0]), np.random.default_rng(0).normal(size=(80, 1))
    before, made = model.rollout(x, us, 0.02), model.replace(**given)
    np.testing.assert_allclose(made.rollout(x, us, 0.02), edited.rollout(x, us, 0.02), atol=1e-9)
    np.testing.assert_array_equal(model.rollout(x, us, 0.02), before)
    assert np.abs(before - edited.rollout(x, us, 0.02)).max() > 1e-3, "the edit matters"
    for name, value in edited.params.items():
        np.testing.assert_allclose(made.params[name], value)
    for derived in ("body_subtreemass", "body_invweight0", "dof_invweight0", "actuator_acc0", "body_inertia"):
        np.testing.assert_allclose(getattr(made.model, derived), getattr(edited.model, derived), rtol=1e-9)


def test_replaced_models_keep_the_rest():
    """Spaces, noise, threads and the timestep are those of the model, also after steps of another length."""
    model = zoo(noise=0.1, threads=2)
    model.step(states(model, 1)[0], np.zeros(2), 0.003)
    made = pickle.loads(pickle.dumps(model.replace(mass=model.params["mass"] * 1.5)))
    assert made.state == model.state and made.threads == 2 and made.model.opt.timestep == 0.002
    np.testing.assert_array_equal(made.noise_density, model.noise_density)
    np.testing.assert_allclose(made.params["mass"], 1.5 * model.params["mass"])


def test_parameters_that_a_model_cannot_have():
    model = MujocoDynamics(ARM)
    for given, said in (
        ({"mas": 1.0}, "mass"), ({"mass": [1.0, 2.0, 3.0]}, r"\(2,\)"), ({"mass": -1.0}, "mass"),
        ({"damping": {"knee": 1.0}}, "elbow"), ({"gravity": {"z": 1.0}}, "gravity"), ({"gear": "high"}, "high"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            model.replace(**given)


def test_samplers_simulate_all_samples_in_one_call(monkeypatch):
    model, calls = MujocoDynamics(PENDULUM, threads=2), []
    drive = MPPI(model, reach(model, [0.0, 0.0]), horizon=15, samples=64, dt=0.05, rng=0)
    roll, step = model.rollout, model.step
    monkeypatch.setattr(model, "rollout", lambda x0, us, dt: (calls.append(np.shape(us)), roll(x0, us, dt))[1])
    monkeypatch.setattr(model, "step", lambda *given: (calls.append("step"), step(*given))[1])
    x = np.array([0.3, 0.0])
    for tick in range(40):
        action = drive.act(x, 0.05 * tick)
        assert action.status is ActionStatus.SOLVED
        x = roll(x, action.u[None], 0.05)[-1]
    assert calls == [(64, 15, 1)] * 40
    assert np.abs(x).max() < 0.1
