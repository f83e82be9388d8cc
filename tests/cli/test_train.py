"""`pilotage train` and `pilotage eval`: what they print, keep and refuse."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from pilotage.cli.assign import assigned, described
from pilotage.cli.main import main
from pilotage.core.errors import SettingError
from pilotage.learning import LearnedDynamics, TrainingSettings
from pilotage.learning.worlds import DynamicsSettings, worlds

Capture = pytest.CaptureFixture[str]
QUICK = ["--set", "drives=20", "--steps", "60", "--hidden", "16", "--validate-every", "20", "--save-every", "25"]


def test_train_resume_and_evaluate(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "runs" / "a"
    words = ["train", "dynamics", *QUICK, "--set", "model=unicycle", "--seed", "3", "--folder", str(folder)]
    assert main([*words, "--json", "--tensorboard"]) == 0
    caught = capsys.readouterr()
    facts = json.loads(caught.out)
    assert facts["end"] == "completed" and facts["settings"]["seed"] == 3 and facts["settings"]["hidden"] == [16]
    assert facts["best"]["step"] <= 60 and "60/60" in caught.err and any((folder / "tensorboard").iterdir())

    assert main(words) == 2
    assert "holds a run at step 60; --resume continues it" in capsys.readouterr().err
    assert main([*words, "--resume", "--json", "--quiet"]) == 0
    caught = capsys.readouterr()
    assert json.loads(caught.out) == facts and caught.err == ""

    learned = LearnedDynamics.load(folder)
    assert learned.state.names == ("x", "y", "yaw")
    asked = ["eval", "dynamics", "--folder", str(folder), "--drives", "30", "--length", "5", "--seed", "4"]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "unicycle" and 0.0 < found["one_step"] < 1.0 and found["success"]["episodes"] == 30
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(asked) == 0
    page = capsys.readouterr().out
    assert f"of 30 ({100 * found['success']['interval'][0]:.1f} to" in page and found["success"]["hash"] in page


def test_worlds_are_listed(capsys: Capture) -> None:
    for command in ("train", "eval"):
        assert main([command]) == 0
        assert re.search(r"dynamics +A network learns", capsys.readouterr().out)
        assert main([command, "--json"]) == 0
        assert set(json.loads(capsys.readouterr().out)["worlds"]) == set(worlds.names())


@pytest.mark.parametrize(("command", "fields"), [("train", ["decay_after", "hidden"]), ("eval", ["tolerance"])])
def test_help_teaches(command: str, fields: list[str], capsys: Capture) -> None:
    assert main([command, "dynamics", "--help"]) == 0
    page = capsys.readouterr().out
    assert all(field in page for field in [*fields, "seed", f"pilotage {command} dynamics"])
    assert main([command, "--help"]) == 0
    assert all(name in capsys.readouterr().out for name in worlds.names())


def test_every_field_of_a_world_has_a_meaning() -> None:
    for name in worlds.names():
        made = worlds.get(name)
        for kind in (made.settings, made.options):
            silent = [field for field, _, meaning in described(kind) if not meaning]
            assert not silent, f"{kind.__name__} does not explain {silent}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere"], "there is no world 'nowhere'; there are dynamics"),
        (["train", "math:pi"], "the world 'math:pi' is 3.14"),
        (["train", "dynamics", "--rat", "3"], "no setting rat; did you mean rate?"),
        (["train", "dynamics", "--set", "drive=3"], "no setting drive; did you mean drives?"),
        (["train", "dynamics", "--rate", "fast"], "rate of DynamicsSettings is 'fast'; expected a positive number"),
        (["train", "dynamics", "--set", "steps=2.5"], "steps of DynamicsSettings is 2.5"),
        (["train", "dynamics", "--set", "steps"], "set is 'steps'; expected key=value"),
        (["train", "dynamics", "--seed", "1", "--set", "seed=2"], "seed is given twice"),
        (["train", "dynamics", "--resume"], "--resume needs the folder of the run; give --folder"),
        (["train", "dynamics", "--model", "gnss", "--quiet", "--folder", "FOLDER"], "expected a name of dynamics"),
        (["train", "dynamics", "--model", "boat", "--quiet", "--folder", "FOLDER"], "no model 'boat'"),
        (["train", "dynamics", "--device", "tpu", "--quiet", "--folder", "FOLDER"], "device is 'tpu'"),
        (["eval", "dynamics"], "no weights in the package; train it, and give --folder"),
        (["eval", "dynamics", "--folder", "FOLDER"], "there is no run in"),
        (["eval", "dynamics", "--tolerence", "3"], "no setting tolerence; did you mean tolerance?"),
    ],
)
def test_errors_are_one_sentence(words: list[str], said: str, tmp_path: Path, capsys: Capture) -> None:
    assert main([str(tmp_path) if word == "FOLDER" else word for word in words]) == 2
    caught = capsys.readouterr()
    assert caught.out == "" and said in caught.err and caught.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_says_so(tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "dynamics", *QUICK, "--rate", "1e300", "--folder", str(tmp_path), "--quiet"]
    assert main(words) == 2
    assert "training diverged" in capsys.readouterr().err


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pilotage.learning.worlds.dynamics.train", interrupted)
    assert main(["train", "dynamics", "--quiet", "--folder", str(tmp_path / "half")]) == 2
    assert f"continue with --folder {tmp_path / 'half'} --resume" in capsys.readouterr().err


def test_values_are_typed_by_their_fields() -> None:
    found = assigned(DynamicsSettings, ["hidden=32,16", "model=7", "clip=None"], {"warm-up": "3", "seed": None})
    assert (found.hidden, found.model, found.clip, found.warm_up, found.seed) == ((32, 16), "7", None, 3, 0)
    assert assigned(TrainingSettings, ["rate=1e-2", "schedule=decay"], {}).rate == 0.01
    with pytest.raises(SettingError, match="schedule of TrainingSettings is 'step'"):
        assigned(TrainingSettings, ["schedule=step"], {})


def test_the_command_line_starts_without_torch() -> None:
    code = "from pilotage.cli.main import main; import sys; main(['--help']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "train.md"
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```bash\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = "".join(blocks).splitlines()
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0
    printed = capsys.readouterr().out
    assert "open_loop" in printed and "of 100 (" in printed
