"""The perceive, plan, act loop, with parts simple enough to predict."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import (
    Action,
    ActionStatus,
    Agent,
    Controller,
    Filter,
    Filtered,
    Gaussian,
    PilotageError,
    Plan,
    PlanStatus,
    Sensor,
    Space,
    Update,
)

LINE = Space("x [m]")


class Ruler(Sensor):
    state = reading = LINE

    def observe(self, x, context=None):
        return x

    def noise(self, x, context=None):
        return np.eye(1)


class DeadReckoning:
    """A filter that adds up the actions and believes every reading."""

    def __init__(self, seed=None):
        self.seed, self.time, self.x, self.log = seed, 0.0, 0.0, []

    @property
    def belief(self):
        return Gaussian.of(LINE, [self.x], std=1)

    def predict(self, dt=None, *, to=None, u=None):
        self.log.append(("predict", to))
        self.x += float(u[0]) * (to - self.time)
        self.time = to

    def update(self, sensor, z, t=None, context=None):
        self.log.append(("update", t))
        if not np.isnan(z[0]):
            self.x = float(z[0])
        return Update(self.belief, np.zeros(1), np.eye(1), 0.0, 0.0, True)

    def step(self, sensor, z, u=None, dt=None, context=None):
        raise AssertionError("an agent predicts and updates")

    def run(self, us, readings, ts=None, *, sensor=None, contexts=None):
        raise AssertionError("an agent steps")


class Walk:
    """Walks at speed 1 to the end of the plan."""

    def __init__(self, plan=None):
        self.goal, self.seed = (0.0 if plan is None else plan.xs[-1, 0]), None

    def reset(self, *, seed=None):
        self.seed = seed

    def act(self, belief, t=0.0):
        gap = self.goal - belief.mean[0]
        if abs(gap) < 1e-9:
            return Action(np.zeros(1), ActionStatus.DONE)
        return Action(np.array([np.clip(gap, -1, 1)]))


def to(goal):
    return lambda belief: Plan(PlanStatus.SOLVED, belief.space, np.array([belief.mean, [goal]]), cost=1.0)


NOTHING = np.array([np.nan])


def test_the_parts_keep_their_protocols():
    assert isinstance(DeadReckoning(), Filter)
    assert isinstance(Walk(), Controller)


def test_an_agent_walks_to_its_goal_on_dead_reckoning():
    agent = Agent(Filtered(DeadReckoning, Ruler()), to(3.0), Walk)
    actions = [agent.step(NOTHING, float(t)) for t in range(5)]
    assert [float(a.u[0]) for a in actions] == [1, 1, 1, 0, 0]
    assert actions[-1].status is ActionStatus.DONE
    assert agent.belief.mean[0] == 3.0


def test_the_filter_predicts_to_the_observation_and_then_updates():
    made = []
    agent = Agent(
        Filtered(lambda seed: made.append(DeadReckoning(seed)) or made[-1], {"a": Ruler(), "b": Ruler()}), act=Walk()
    )
    agent.step({"a": [2.0]}, 0.0)
    agent.step({"a": [2.0], "b": NOTHING}, 0.5)
    agent.step({}, 1.0)
    assert made[-1].log == [("update", 0.0), ("predict", 0.5), ("update", 0.5), ("update", 0.5), ("predict", 1.0)]
    with pytest.raises(PilotageError, match="'c', which no sensor reads"):
        agent.step({"c": [1.0]}, 1.5)


def test_plans_are_made_when_needed_and_only_then():
    calls, holds = [], [True]

    def plan(belief):
        calls.append(float(belief.mean[0]))
        return to(2.0)(belief)

    agent = Agent(Filtered(DeadReckoning, Ruler()), plan, Walk, valid=lambda plan, belief: holds[0])
    agent.step(NOTHING, 0.0)
    agent.step(NOTHING, 1.0)
    assert calls == [0.0]
    holds[0] = False
    agent.step(NOTHING, 1.5)
    assert calls == [0.0, 1.5]
    holds[0] = True
    assert agent.step([2.0], 2.0).status is ActionStatus.DONE
    assert calls == [0.0, 1.5]
    agent.step([-1.0], 3.0)
    assert calls == [0.0, 1.5, -1.0]


def test_a_failed_plan_raises_or_falls_back_by_name():
    def none(belief):
        return Plan(PlanStatus.NO_PATH, reason="the door is shut")

    agent = Agent(Filtered(DeadReckoning, Ruler()), none, Walk)
    with pytest.raises(PilotageError, match="the door is shut"):
        agent.step(NOTHING, 0.0)
    wait = Action(np.zeros(1), ActionStatus.FALLBACK, reason="hold: the door is shut")
    agent = Agent(Filtered(DeadReckoning, Ruler()), none, Walk, fallback=lambda belief, plan: wait)
    assert agent.step(NOTHING, 0.0) is wait
    assert agent.step(NOTHING, 1.0) is wait


def test_a_seed_reaches_perception_and_controller_and_replays():
    seeds = []

    def start(seed):
        seeds.append(seed)
        return DeadReckoning(seed)

    walker = Walk()
    agent = Agent(Filtered(start, Ruler()), act=walker)
    assert seeds == [None]
    agent.reset(seed=5)
    first = (seeds[-1], walker.seed)
    agent.reset(seed=6)
    other = (seeds[-1], walker.seed)
    agent.reset(seed=5)
    assert (seeds[-1], walker.seed) == first
    assert len({*first, *other}) == 4
    agent.step(NOTHING, 0.0)
    agent.reset()
    assert agent.belief is agent.action is agent.plan is None


def test_an_agent_that_cannot_act_is_refused():
    eyes = Filtered(DeadReckoning, Ruler())
    with pytest.raises(PilotageError, match="needs act"):
        Agent(eyes)
    with pytest.raises(PilotageError, match="has no plan"):
        Agent(eyes, act=Walk)


def test_a_bare_reading_for_several_sensors_is_refused():
    eyes = Filtered(DeadReckoning, {"ruler": Ruler()})
    with pytest.raises(PilotageError, match="give a mapping from ruler to readings"):
        eyes.perceive([1.0], None, 0.0)


def test_parts_that_are_none_are_refused_in_sentences():
    with pytest.raises(PilotageError, match="a function that makes the filter of an episode"):
        Filtered(DeadReckoning(None), Ruler())
    with pytest.raises(PilotageError, match="wrap a filter in Filtered"):
        Agent(DeadReckoning(None), act=Walk(None))

    class Bare(Walk):
        def act(self, belief_or_state, t=0.0):
            return super().act(belief_or_state, t).u

    agent = Agent(Filtered(DeadReckoning, Ruler()), act=Bare(None))
    with pytest.raises(PilotageError, match="returned ndarray; `act` has to return an Action"):
        agent.step(NOTHING, 0.0)


def test_agents_have_names_to_show():
    def plan(belief):
        return Plan(PlanStatus.INVALID)

    eyes = Filtered(DeadReckoning, {"ruler": Ruler()})
    named = "test_agents_have_names_to_show.<locals>.plan"
    assert repr(Agent(eyes, act=Walk())) == "Agent(perceive=Filtered(ruler), act=Walk)"
    assert repr(Agent(eyes, plan, lambda plan: Walk())).startswith(f"Agent(perceive=Filtered(ruler), plan={named}")
    assert repr(Filtered(DeadReckoning, Ruler())) == "Filtered(Ruler(x from x))"
