"""The ablations of the truck: the page shows the stored results, and every row changes what its name tells."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pilotage.learning.worlds.truck import ablations
from pilotage.learning.worlds.truck.ablations import ABLATIONS, AFFORDABLE, COLUMNS, STORED, measured, table
from pilotage.learning.worlds.truck.policy import TruckPolicy
from pilotage.learning.worlds.truck.world import TruckSettings

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "truck.md"
QUICK = replace(AFFORDABLE, steps=1, batch=4, horizon=3, emulator_steps=2)


def test_the_page_shows_the_stored_results():
    kept = json.loads(STORED.read_text())
    assert set(kept["results"]) <= set(ABLATIONS) and set(kept["settings"]) == set(TruckSettings().__dataclass_fields__)
    page = PAGE.read_text(encoding="utf-8")
    for row in table(kept["results"].items()):
        assert row in page


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_row_changes_the_settings_of_the_others(name):
    changed = replace(AFFORDABLE, **ABLATIONS[name])
    assert (changed == AFFORDABLE) == (name == "all lessons")


def test_a_row_is_trained_kept_and_not_trained_again(tmp_path):
    first = dict(measured(["the network of 1990"], QUICK, tmp_path, 20))
    policy = TruckPolicy.load(tmp_path / "the-network-of-1990")
    assert policy.inputs == "state" and list(policy.network.settings["hidden"]) == [25]
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*/lessons/*")}
    again = dict(measured(["the network of 1990", "no barrier"], QUICK, tmp_path, 20))
    assert first["the network of 1990"] == again["the network of 1990"]
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())
    assert json.loads((tmp_path / "ablations.json").read_text())["results"] == again


def test_the_command_prints_the_stored_table(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ablations", "--stored"])
    ablations.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].count("|") == len(COLUMNS) + 3
    assert len(lines) == 2 + len(json.loads(STORED.read_text())["results"])
