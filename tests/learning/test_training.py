"""Laws of the training loop."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pilotage.core import ModelError, PilotageError, SettingError
from pilotage.learning import Record, TensorBoard, TrainingEnd, TrainingSettings, first_process, load_best, runs, train
from pilotage.learning._processes import rank

from .trainees import LONG, SHORT, TOGETHER, Curriculum, Halves

ROOT = Path(__file__).parents[2]


class Counting:
    """Its weight is the number of steps done, at a rate of 1; losses are times the factors given by step."""

    def __init__(self, factors=()):
        self.net = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        torch.nn.init.zeros_(self.net.weight)
        self.modules, self.factors = {"net": self.net}, dict(factors)

    def loss(self, step, generator):
        assert self.net.training
        return -self.net.weight.sum() * self.factors.get(step, 1.0), {"step": step}


class Scripted(Counting):
    """Its scores are given."""

    def __init__(self, scores, factors=()):
        super().__init__(factors)
        self.scores = iter(scores)

    def validate(self):
        assert not self.net.training
        assert not torch.is_grad_enabled()
        return {"score": next(self.scores)}


def weight(trainee):
    return float(trainee.modules["net"].weight.detach().sum())


def weights(trainee):
    return {f"{m}.{n}": v for m, module in trainee.modules.items() for n, v in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_steps_are_those_of_adamw():
    """The same numbers as torch's own optimiser, clipping and schedule in a plain loop."""
    trainee, plain = Halves(16), Halves(16)
    train(trainee, TOGETHER)
    net = plain.modules["net"]
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.5 + 0.5 * math.cos(math.pi * k / 60))
    for step in range(60):
        optimizer.zero_grad()
        plain.loss(step, None)[0].backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(weights(trainee)["net.weight"], net.weight.detach(), rtol=1e-12, atol=1e-12)


def test_schedules():
    common = {"steps": 100, "rate": 2.0}
    assert {TrainingSettings(**common, schedule="constant").rate_at(k) for k in range(100)} == {2.0}
    cosine = TrainingSettings(**common)
    assert [cosine.rate_at(k) for k in (0, 50, 100)] == pytest.approx([2.0, 1.0, 0.0])
    decay = TrainingSettings(**common, schedule="decay", decay_after=0.6)
    assert [decay.rate_at(k) for k in (0, 60, 80, 100)] == pytest.approx([2.0, 2.0, 1.0, 0.0])
    warm = TrainingSettings(**common, schedule="constant", warm_up=4)
    assert [warm.rate_at(k) for k in range(5)] == [0.5, 1.0, 1.5, 2.0, 2.0]


def test_the_best_weights_are_kept_and_the_modules_evaluate():
    trainee = Scripted(scores=[5.0, 2.0, 3.0, float("nan"), 2.0])
    shown: list[Record] = []
    given = TrainingSettings(steps=50, rate=1.0, schedule="constant", validate_every=10)
    trained = train(trainee, given, progress=shown.append)
    assert trained.best.step == 20 and weight(trainee) == pytest.approx(20.0, abs=1e-6)
    assert trained.end is TrainingEnd.COMPLETED and not trained.reason and not trainee.net.training
    assert [record.step for record in shown] == [10, 20, 30, 40, 50] and tuple(shown) == trained.records
    assert shown[0].metrics["step"] == np.mean(range(10))  # means since the last validation
    assert shown[1].metrics["step"] == np.mean(range(10, 20))


def test_without_a_validation_the_loss_is_the_score():
    trained = train(Counting(), TrainingSettings(steps=30, rate=0.1, schedule="constant", validate_every=10))
    assert [record.score for record in trained.records] == [record.loss for record in trained.records]
    assert trained.best.step == 30  # the loss falls


def test_training_stops_when_the_score_does_not_improve():
    trainee = Scripted(scores=[3.0, 2.0, 2.5, 2.0, 1.0])
    trained = train(trainee, TrainingSettings(steps=100, rate=1.0, schedule="constant", validate_every=5, patience=2))
    assert trained.end is TrainingEnd.EARLY_STOP and "2 validations" in trained.reason
    assert trained.records[-1].step == 20 and trained.best.step == 10 and weight(trainee) == pytest.approx(10.0)


COLLAPSING = TrainingSettings(steps=50, rate=1.0, schedule="constant", validate_every=10, save_every=10, collapse=1.0)


def test_after_a_collapse_training_goes_on_from_the_best_weights_at_half_the_rate(tmp_path):
    """A weight that counts steps; 3.5 is a collapse after 2, but 2.9 is none."""
    scores = [2.0, 3.5, 2.9, float("nan"), 1.0]
    trainee = Scripted(scores)
    trained = train(trainee, COLLAPSING, tmp_path)
    assert [record.rate for record in trained.records] == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert weight(trainee) == pytest.approx(10.0 + 0.25 * 10.0, rel=1e-6)


@pytest.mark.parametrize("stop", [20, 30, 40])
def test_a_run_that_stopped_after_a_collapse_is_resumed_to_the_same_numbers(stop, tmp_path):
    scores = [2.0, 3.5, 2.9, float("nan"), 1.0]
    whole, cut = Scripted(scores), Scripted(scores)
    reference = train(whole, COLLAPSING)

    def interrupt(record):
        if record.step == stop + 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(cut, COLLAPSING, tmp_path, progress=interrupt)
    again = Scripted(scores[stop // 10 :])
    resumed = train(again, COLLAPSING, tmp_path, resume=True)
    assert repr(resumed) == repr(reference) and weight(again) == weight(whole)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_with_the_best_weights(bad, tmp_path):
    trainee = Scripted(scores=[2.0, 3.0], factors=[(25, bad)])
    given = TrainingSettings(steps=50, rate=1.0, schedule="constant", validate_every=10, save_every=8)
    trained = train(trainee, given, tmp_path)
    assert trained.end is TrainingEnd.DIVERGED and "step 26" in trained.reason
    assert trained.best.step == 10 and weight(trainee) == pytest.approx(10.0)
    kept = json.loads((tmp_path / "run.json").read_text())
    assert (kept["step"], kept["end"]) == (24, "diverged")  # the last checkpoint before
    again = Scripted(scores=[9.0])
    assert train(again, given, tmp_path, resume=True) == trained and weight(again) == weight(trainee)
    with pytest.raises(PilotageError, match="step 1 .*rate below 0.3"):
        train(Counting(factors=[(0, bad)]), TrainingSettings(rate=0.3))


def test_a_gradient_that_is_no_number_ends_too():
    class Root(Counting):
        def loss(self, step, generator):
            return (self.net.weight.sum() * (step != 5)).abs().sqrt(), {}

    trainee = Root()
    torch.nn.init.ones_(trainee.net.weight)
    trained = train(trainee, TrainingSettings(steps=20, rate=1e-3, validate_every=2))
    assert trained.end is TrainingEnd.DIVERGED and "step 6" in trained.reason and "gradient" in trained.reason
    assert math.isfinite(weight(trainee))


def test_the_streams_of_the_caller_are_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    train(Curriculum(), TrainingSettings(steps=3))
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_replay():
    runs_of = [Curriculum() for _ in range(3)]
    for trainee, seed in zip(runs_of, (1, 1, 2), strict=True):
        torch.manual_seed(random.randrange(1000))  # the caller's stream does not matter
        train(trainee, TrainingSettings(steps=20, seed=seed))
    first, again, other = map(weights, runs_of)
    assert same(first, again) and not same(first, other)


@pytest.fixture(scope="module")
def uninterrupted():
    """What runs come to that nothing interrupts, by their settings."""
    found = {}
    for given in (SHORT, LONG):
        trainee = Curriculum()
        found[given] = train(trainee, given), weights(trainee), trainee.state()
    return found


def killed_while_training(folder: Path, draw: random.Random) -> None:
    """Train in a process that is killed at a random time after a checkpoint that it wrote."""
    words = [sys.executable, "-m", "tests.learning.trainees", "curriculum", str(folder), "0.004"]
    before = (folder / "run.json").read_bytes() if (folder / "run.json").is_file() else b""
    with subprocess.Popen(words, cwd=ROOT) as process:
        while not (folder / "run.json").is_file() or (folder / "run.json").read_bytes() == before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def assert_same_run(folder: Path, given: TrainingSettings, uninterrupted) -> None:
    reference, known, evolved = uninterrupted[given]
    trainee = Curriculum()
    assert train(trainee, given, folder, resume=True) == reference
    assert same(weights(trainee), known) and trainee.state() == evolved
    other = Curriculum()
    assert load_best(folder, other.modules) == reference.best and same(weights(other), known)


def test_a_run_that_was_killed_ends_with_the_same_numbers(tmp_path, uninterrupted):
    killed_while_training(tmp_path, random.Random())
    assert_same_run(tmp_path, LONG, uninterrupted)
    assert uninterrupted[LONG][2]["lesson"] > 1  # there is something that evolves


@pytest.mark.slow
def test_a_run_that_was_killed_often_ends_with_the_same_numbers(tmp_path, uninterrupted):
    for _ in range(3):
        killed_while_training(tmp_path, random.Random())
    assert_same_run(tmp_path, LONG, uninterrupted)


@pytest.mark.parametrize("write", [1, 2, 3, 4, 6, 7, 8, 20])
def test_a_run_that_ends_within_a_write_is_whole(write, tmp_path, uninterrupted, monkeypatch):
    real, count = runs.write_atomic, iter(range(1, 10**6))

    def ends(path, content):
        if next(count) == write:
            raise KeyboardInterrupt
        real(path, content)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(runs, "write_atomic", ends)
        train(Curriculum(), SHORT, tmp_path)
    assert_same_run(tmp_path, SHORT, uninterrupted)
    assert len([*tmp_path.glob("*.safetensors")]) <= 4  # at most one orphan of each kind


def processes(command: list[list[str]], environments: list[dict[str, str]]) -> None:
    started = [
        subprocess.Popen(words, cwd=ROOT, env={**os.environ, **more})
        for words, more in zip(command, environments, strict=True)
    ]
    assert [process.wait(timeout=240) for process in started] == [0] * len(started)


def assert_like_one_of_the_double_batch(folder: Path) -> None:
    alone, together = Halves(16), Halves(8)
    reference = train(alone, TOGETHER)
    record = load_best(folder, together.modules)
    assert record.loss == pytest.approx(reference.best.loss, rel=1e-12)
    for name, value in weights(alone).items():
        torch.testing.assert_close(weights(together)[name], value, rtol=1e-11, atol=1e-12)


def test_two_processes_are_one_of_the_double_batch(tmp_path):
    """They are started with the variables that torchrun sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [sys.executable, "-m", "tests.learning.trainees", "halves", str(tmp_path), "0"]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    processes([words] * 2, [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)])
    assert_like_one_of_the_double_batch(tmp_path)


@pytest.mark.slow
def test_torchrun(tmp_path):
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    processes([[*words, "-m", "tests.learning.trainees", "halves", str(tmp_path), "0"]], [{}])
    assert_like_one_of_the_double_batch(tmp_path)


def test_curves_for_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    given = TrainingSettings(steps=30, rate=1.0, schedule="constant", validate_every=10)
    with TensorBoard(tmp_path) as board:
        trained = train(Counting(), given, progress=board)
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(record.step, pytest.approx(record.loss)) for record in trained.records]
    assert "step" in events.Tags()["scalars"] and "score" in events.Tags()["scalars"]


class Answers(Counting):
    def __init__(self, answer=None, modules=None, found=None):
        super().__init__()
        self.answer, self.found = answer, found
        if modules is not None:
            self.modules = modules
        if found is not None:
            self.validate = lambda: self.found

    def loss(self, step, generator):
        return super().loss(step, generator) if self.answer is None else self.answer


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"answer": torch.ones(1)}, "loss of Answers"),
        ({"answer": (torch.ones(()), {})}, "loss of Answers"),
        ({"answer": (torch.ones(3, requires_grad=True), {})}, "loss of Answers"),
        ({"modules": {}}, "modules of Answers"),
        ({"modules": {"a": 3}}, "modules of Answers"),
        ({"found": {"error": 1.0}}, "validate of Answers .*error"),
        ({"found": 1.0}, "validate of Answers gives 1.0"),
    ],
)
def test_trainees_that_do_not_keep_their_contract(wrong, said):
    with pytest.raises(ModelError, match=said):
        train(Answers(**wrong), TrainingSettings(steps=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"rate": -1.0},
        {"schedule": "step"},
        {"patience": 0},
        {"collapse": 0.0},
        {"clip": 0.0},
        {"decay_after": 1.0},
    ],
    ids=str,
)
def test_settings_have_a_range(wrong):
    with pytest.raises(SettingError, match=f"{next(iter(wrong))} of TrainingSettings is"):
        TrainingSettings(**wrong)


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "nowhere", "cuda:99", "xpu:7"])
def test_devices_that_there_are_not(device):
    with pytest.raises(SettingError, match=f"device is '{device}'"):
        train(Counting(), TrainingSettings(steps=1, device=device))


def test_devices():
    assert train(Counting(), TrainingSettings(steps=1, device="cpu", precision="mixed")).best.step == 1
    train(Counting(), TrainingSettings(steps=1, device="auto"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_trains_in_mixed_precision(tmp_path):
    given = TrainingSettings(steps=20, device="cuda", precision="mixed", save_every=5)
    trainee = Halves(8)
    trainee.modules["net"] = torch.nn.Linear(3, 2)

    def loss(step, generator):
        net = trainee.modules["net"]
        x = torch.randn(16, 3, device=net.weight.device)
        assert net(x).dtype == torch.bfloat16
        return net(x).pow(2).mean(), {}

    trainee.loss = loss
    trained = train(trainee, given, tmp_path)
    assert trainee.modules["net"].weight.dtype == torch.float32
    assert train(trainee, given, tmp_path, resume=True) == trained


def test_a_folder_is_needed_to_resume():
    with pytest.raises(SettingError, match="resume=True needs the folder"):
        train(Counting(), TrainingSettings(steps=1), resume=True)


def test_modules_may_share_parameters():
    trainee = Counting()
    trainee.modules["again"] = trainee.net
    train(trainee, TrainingSettings(steps=10, rate=1.0, schedule="constant"))
    assert weight(trainee) == pytest.approx(10.0)


TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.mark.parametrize("missing", [None, *TORCHRUN])
def test_the_first_process_writes(missing, monkeypatch):
    """Other launchers set some of the variables of torchrun, for themselves."""
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    if missing is not None:
        monkeypatch.delenv(missing)
    number = 1 if missing is None else 0
    assert (rank(), first_process()) == (number, number == 0)


def test_frozen_parameters_stay():
    trainee = Counting()
    trainee.modules["other"] = torch.nn.Linear(1, 1)
    trainee.modules["other"].requires_grad_(False)
    before = weights(trainee)["other.weight"].clone()
    train(trainee, TrainingSettings(steps=3, weight_decay=0.5))
    assert torch.equal(weights(trainee)["other.weight"], before) and weight(trainee) > 0
