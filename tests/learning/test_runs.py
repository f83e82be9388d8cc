"""Runs on disk: what is damaged or does not fit is refused in a sentence, and nothing is lost."""

from __future__ import annotations

import json
import math
import shutil
from typing import Literal

import pytest
import torch

from pilotage.core import FormatError, MissingFile, SettingError
from pilotage.core.settings import Count, settings
from pilotage.learning import TrainingSettings, load_best, read_settings, train

from .trainees import SHORT, Curriculum


@settings(kw_only=True)
class Wider(TrainingSettings):
    width: Count = 8
    kinds: tuple[Literal["a", "b"], ...] = ("a",)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    given = Wider(steps=20, validate_every=5, save_every=6, rate=0.01)
    train(Curriculum(), given, folder)
    return folder, given


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a run that may be damaged, and its settings."""
    return shutil.copytree(finished[0], tmp_path / "run"), finished[1]


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def assert_refused(kind, said, folder, given, resume=True, width=8):
    """The run is refused, and neither its files nor the modules have changed."""
    trainee = Curriculum(width=width)
    files, weights = content(folder), {k: v.clone() for k, v in trainee.modules["head"].state_dict().items()}
    with pytest.raises(kind, match=said):
        train(trainee, given, folder, resume=resume)
    assert content(folder) == files
    assert all(torch.equal(v, weights[k]) for k, v in trainee.modules["head"].state_dict().items())


def changed(folder, **entries):
    config = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**config, **entries}))


def file_of(folder, kind):
    (found,) = folder.glob(f"{kind}-*.safetensors")
    return found


def test_a_folder_holds_three_files(run):
    folder, given = run
    assert sorted(name.partition("-")[0] for name in content(folder)) == ["best", "last", "run.json"]
    assert read_settings(folder, Wider) == given
    assert json.loads((folder / "run.json").read_text())["records"][-1]["step"] == 20


def test_a_run_is_not_overwritten(run):
    folder, given = run
    assert_refused(SettingError, "holds a run at step 20; resume=True continues it", folder, given, resume=False)


@pytest.mark.parametrize(
    "other", [{"rate": 0.02}, {"steps": 21}, {"seed": 1}, {"width": 9}, {"kinds": ("b",)}, {"clip": None}], ids=str
)
def test_other_settings_are_refused(other, run):
    folder, given = run
    values = {name: getattr(given, name) for name in given.__dataclass_fields__}
    name = next(iter(other))
    assert_refused(
        SettingError, f"{name} is .*but the run .*begun with .*{name}=", folder, Wider(**{**values, **other})
    )


@pytest.mark.parametrize("free", [{"save_every": 3}, {"device": "cpu"}], ids=str)
def test_settings_that_change_no_number_may_differ(free, run):
    folder, given = run
    values = {name: getattr(given, name) for name in given.__dataclass_fields__}
    again = train(Curriculum(), Wider(**{**values, **free}), folder, resume=True)
    assert again.records[-1].step == 20 and again.best == load_best(folder, Curriculum().modules)


def test_another_architecture_is_refused(run):
    folder, given = run
    said = r"another architecture: body\.0\.weight has shape \(8, 2\) there, and shape \(9, 2\) here"
    assert_refused(FormatError, said, folder, given, width=9)
    with pytest.raises(FormatError, match=said):
        load_best(folder, Curriculum(width=9).modules)
    with pytest.raises(FormatError, match=r"head\.bias has shape \(1,\) there, and no such weights here"):
        load_best(folder, {"body": Curriculum().modules["body"]})


@pytest.mark.parametrize("kind", ["last", "best"])
def test_tensors_that_are_cut_off_or_missing(kind, run):
    folder, given = run
    file = file_of(folder, kind)
    whole = file.read_bytes()
    for other in (whole[: len(whole) // 2], b"", whole[:-1] + b"!"):
        file.write_bytes(other)
        assert_refused(FormatError, rf"{kind}-.*is damaged: its content does not match", folder, given)
    file.unlink()
    assert_refused(MissingFile, rf"{kind}-.* is missing", folder, given)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"settings": {"stepps": 3}}, "no setting stepps; did you mean steps"),
        ({"settings": {"steps": -3}}, "steps of Wider is -3"),
        ({"settings": 3}, "settings that do not fit"),
        ({"surprise": 1}, r"unknown entries \['surprise'\]"),
        ({"format": 9}, "no run of format 1"),
        ({"records": [{"step": 1}]}, "is damaged"),
        ({"records": 4}, "is damaged"),
        ({"step": "many"}, "is damaged"),
        ({"end": "boredom"}, "is damaged"),
        ({"last": "../last.safetensors"}, "`last` is '../last.safetensors'"),
        ({"best": 3}, "`best` is 3"),
    ],
    ids=str,
)
def test_a_damaged_description_is_refused(entries, said, run):
    folder, given = run
    changed(folder, **entries)
    assert_refused(FormatError, said, folder, given)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "\xff"])
def test_a_description_that_is_cut_off(text, run):
    folder, given = run
    (folder / "run.json").write_bytes(text.encode("latin-1"))
    assert_refused(FormatError, r"run\.json", folder, given)


def test_there_is_no_run(tmp_path):
    with pytest.raises(MissingFile, match=r"no run in .*: run\.json is missing"):
        load_best(tmp_path, Curriculum().modules)
    with pytest.raises(MissingFile, match=r"no run in"):
        read_settings(tmp_path / "nowhere", Wider)


def test_settings_of_another_class_are_refused(run):
    folder, _ = run
    with pytest.raises(FormatError, match="TrainingSettings has no setting width"):
        read_settings(folder, TrainingSettings)


@settings(kw_only=True)
class Unkept(TrainingSettings):
    function: object = math.sin


def test_settings_that_are_no_plain_values(tmp_path):
    with pytest.raises(SettingError, match="function of Unkept is a builtin_function"):
        train(Curriculum(), Unkept(steps=1), tmp_path)
    assert not content(tmp_path)


def test_numbers_that_are_not_finite_are_kept(tmp_path):
    class Wild(Curriculum):
        def validate(self):
            return {**super().validate(), "wild": float("-inf"), "none": float("nan")}

    trained = train(Wild(), SHORT, tmp_path)
    json.loads((tmp_path / "run.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    record = load_best(tmp_path, Curriculum().modules)
    assert record.metrics["wild"] == -math.inf and math.isnan(record.metrics["none"])
    assert record.score == trained.best.score


def test_before_the_first_validation_there_are_no_best_weights(tmp_path):
    class Ends(Curriculum):
        def loss(self, step, generator):
            if step == 10:
                raise KeyboardInterrupt
            return super().loss(step, generator)

    with pytest.raises(KeyboardInterrupt):
        train(Ends(), TrainingSettings(steps=20, save_every=4), tmp_path)
    with pytest.raises(FormatError, match="no best weights"):
        load_best(tmp_path, Curriculum().modules)
    assert train(Curriculum(), TrainingSettings(steps=20, save_every=4), tmp_path, resume=True).best.step == 20
