"""Windows of episodes: all of them once an epoch, none across two episodes, in an order of the seed, read in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from pilotage.core import PilotageError, SettingError
from pilotage.io import Episode, Sequences, write_sequences
from pilotage.learning import Windows

LENGTHS = (7, 2, 0, 12)


@pytest.fixture
def walks(tmp_path: Path) -> Sequences:
    """Episodes whose observations are their number and the step."""

    def walk(k: int, steps: int) -> Episode:
        seen = np.stack([np.full(steps + 1, k), np.arange(steps + 1)], -1).astype(np.float32)
        return Episode(seen, seen[:-1], np.zeros(steps), np.zeros(steps, bool), np.zeros(steps, bool))

    write_sequences(tmp_path / "walks", [walk(k, steps) for k, steps in enumerate(LENGTHS)])
    return Sequences(tmp_path / "walks")


@pytest.mark.parametrize("stride", [1, 3])
def test_an_epoch_has_every_window_once_and_none_across_episodes(walks: Sequences, stride: int) -> None:
    windows = Windows(walks, length=3, batch=4, stride=stride)
    parts = list(windows.epoch(0))
    seen = np.concatenate([part["observations"].numpy() for part in parts])
    assert seen.shape[1:] == (4, 2) and all(len(part["actions"]) == 4 for part in parts[:-1])
    assert (seen[:, :, 0] == seen[:, :1, 0]).all(), "of one episode"
    assert (np.diff(seen[:, :, 1]) == 1.0).all(), "one step after another"
    np.testing.assert_array_equal(np.concatenate([part["actions"].numpy() for part in parts]), seen[:, :-1])
    expected = {(k, s) for k, steps in enumerate(LENGTHS) for s in range(0, steps - 2, stride)}
    assert {(int(k), int(s)) for k, s in seen[:, 0]} == expected
    assert len(seen) == len(windows) == len(expected)


def test_the_order_is_that_of_seed_and_epoch(walks: Sequences) -> None:
    one, two, other = (Windows(walks, length=3, batch=4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.order(5), two.order(5))
    assert (one.order(5) != one.order(6)).any() and (one.order(5) != other.order(5)).any()
    first, again = (next(iter(w.epoch(3)))["observations"] for w in (one, two))
    assert (first == again).all()


def test_only_what_a_batch_needs_is_read(walks: Sequences, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[int]()
    whole = Sequences.window
    monkeypatch.setattr(Sequences, "window", lambda s, e, k, n: read.append(n) or whole(s, e, k, n))
    next(iter(Windows(walks, length=3, batch=4).epoch()))
    assert read == [3] * 4


def test_a_batch_is_a_copy(walks: Sequences) -> None:
    batch = next(iter(Windows(walks, length=2, batch=3).epoch()))
    batch["observations"].zero_()
    assert walks.arrays["observations"][-1].tolist() == [3.0, 12.0]


def test_too_long_windows_are_refused(walks: Sequences) -> None:
    with pytest.raises(PilotageError, match="12"):
        Windows(walks, length=13, batch=4)
    with pytest.raises(SettingError, match="length"):
        Windows(walks, length=0, batch=4)
