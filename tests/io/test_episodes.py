"""Episodes: Minari to the bit, LeRobot as its reader wants it, memory-mapped sequences; damaged ones are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import FormatError, MissingFile, ShapeError
from pilotage.io import (
    Episode,
    Sequences,
    minari_facts,
    read_minari,
    write_lerobot,
    write_minari,
    write_sequences,
)

RNG = np.random.default_rng(0)


def episode(steps: int, seed: int | None = None, *, discrete: bool = False, pixels: bool = False) -> Episode:
    seen: Any = RNG.normal(size=(steps + 1, 3))
    if pixels:
        seen = {"state": seen, "eye": RNG.integers(0, 256, (steps + 1, 40, 36, 3), dtype=np.uint8)}
    actions = RNG.integers(-1, 4, steps) if discrete else RNG.normal(size=(steps, 2)).astype(np.float32)
    ends = np.arange(steps) == steps - 1
    return Episode(seen, actions, RNG.normal(size=steps), ends, np.zeros(steps, bool), seed)


def same(a: Episode, b: Episode) -> None:
    assert a.seed == b.seed
    assert set(a.arrays()) == set(b.arrays())
    for name, array in a.arrays().items():
        other = b.arrays()[name]
        assert (array.dtype, array.shape) == (other.dtype, other.shape), name
        assert array.tobytes() == other.tobytes(), name


KINDS = [dict[str, bool](), {"discrete": True}, {"pixels": True}]


@pytest.mark.parametrize("kind", KINDS, ids=["box", "discrete", "pixels"])
def test_minari_is_equal_to_the_bit(tmp_path: Path, kind: dict[str, bool]) -> None:
    pytest.importorskip("h5py")
    given = [episode(5, 7, **kind), episode(1, **kind), episode(9, 0, **kind)]
    write_minari(tmp_path / "walk-v0", iter(given), "test/walk-v0")
    for a, b in zip(given, read_minari(tmp_path / "walk-v0"), strict=True):
        same(a, b)
    facts = minari_facts(tmp_path / "walk-v0")
    assert (facts["total_steps"], facts["total_episodes"], facts["dataset_id"]) == (15, 3, "test/walk-v0")


@pytest.mark.parametrize("kind", KINDS, ids=["box", "discrete", "pixels"])
def test_minari_itself_reads_what_we_write(
    tmp_path: Path, kind: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    given = [episode(5, 7, **kind), episode(3, **kind)]
    write_minari(tmp_path / "walk-v0", given, "walk-v0")
    found = minari.load_dataset("walk-v0")
    assert (found.total_episodes, found.total_steps) == (2, 8)
    for ours, theirs in zip(given, found.iterate_episodes(), strict=True):
        seen = theirs.observations
        for name, array in ours.arrays().items():
            key = name.partition("/")[2]
            other = getattr(theirs, name) if not name.startswith("obs") else seen[key] if key else seen
            np.testing.assert_array_equal(array, other)
        assert all(found.action_space.contains(u) for u in theirs.actions)


@pytest.mark.filterwarnings("ignore::UserWarning")  # about authors
@pytest.mark.parametrize("jpeg", [True, False])
def test_we_read_what_minari_itself_writes(tmp_path: Path, jpeg: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari")
    from gymnasium.spaces import Box, Dict
    from minari.data_collector.episode_buffer import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    one = episode(6, 3, pixels=True)
    seen = one.observations
    assert isinstance(seen, Mapping)
    buffer = EpisodeBuffer(
        seed=3, observations={key: list(each) for key, each in seen.items()}, actions=list(one.actions),
        rewards=one.rewards.tolist(), terminations=one.terminations.tolist(), truncations=one.truncations.tolist(),
    )  # fmt: skip
    space = Dict({"state": Box(-np.inf, np.inf, (3,), np.float64), "eye": Box(0, 255, (40, 36, 3), np.uint8)})
    made = minari.create_dataset_from_buffers(
        "their/walk-v0", [buffer], observation_space=space, action_space=Box(-np.inf, np.inf, (2,), np.float32),
        jpeg_encoding=jpeg,
    )  # fmt: skip
    (read,) = read_minari(tmp_path / "their/walk-v0")
    if jpeg:  # which loses something, but the same for both
        (theirs,) = made.iterate_episodes()
        one = Episode.of({**one.arrays(), "observations/eye": theirs.observations["eye"]}, 3)
    same(read, one)


def test_damaged_minari_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    write_minari(tmp_path / "walk", [episode(20)], "walk-v0")
    with pytest.raises(FormatError, match="exists"):
        write_minari(tmp_path / "walk", [episode(2)], "walk-v0")
    with pytest.raises(FormatError, match="version"):
        write_minari(tmp_path / "x", [episode(2)], "walk")
    file = tmp_path / "walk/data/main_data.hdf5"
    whole = file.read_bytes()
    for share in (0.0, 0.5, 0.9):
        file.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FormatError, match="main_data"):
            list(read_minari(tmp_path / "walk"))
    (tmp_path / "walk/data/metadata.json").write_text("{")
    with pytest.raises(FormatError, match="JSON"):
        read_minari(tmp_path / "walk")
    with pytest.raises(MissingFile):
        read_minari(tmp_path / "none")


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Episode]:
        yield episode(3)
        yield episode(3, pixels=True)

    with pytest.raises(FormatError, match="episode 1"):
        write_sequences(tmp_path / "walks", failing())
    with pytest.raises(FormatError, match="no episodes"):
        write_sequences(tmp_path / "walks", [])
    assert list(tmp_path.iterdir()) == []


def test_lerobot_has_the_files_of_version_3(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    given = [episode(5), episode(7)]
    write_lerobot(tmp_path / "walks", given, 20, task="walk", names={"action": ["left", "right"]})
    info = json.loads((tmp_path / "walks/meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_frames"]) == ("v3.0", 20, 12)
    assert info["features"]["action"] == {"dtype": "float32", "shape": [2], "names": ["left", "right"]}
    assert info["features"]["observation.state"] == {"dtype": "float64", "shape": [3], "names": None}
    frames = parquet.read_table(tmp_path / "walks" / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(frames.column_names) == set(info["features"])
    state = np.array(frames["observation.state"].to_pylist())
    whole = np.concatenate([each.observations[:-1] for each in given])  # type: ignore[index]
    np.testing.assert_array_equal(state, whole)
    assert frames["index"].to_pylist() == list(range(12))
    np.testing.assert_allclose(frames["timestamp"].to_pylist()[:6], [0.0, 0.05, 0.1, 0.15, 0.2, 0.0], atol=1e-7)
    rows = parquet.read_table(tmp_path / "walks/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(r["dataset_from_index"], r["dataset_to_index"], r["tasks"]) for r in rows] == [
        (0, 5, ["walk"]), (5, 12, ["walk"])
    ]  # fmt: skip
    stats = json.loads((tmp_path / "walks/meta/stats.json").read_text())["observation.state"]
    np.testing.assert_allclose(stats["mean"], whole.mean(0))
    np.testing.assert_allclose(stats["std"], whole.std(0))


@pytest.mark.filterwarnings("ignore")  # those of LeRobot and what it imports
def test_lerobot_itself_reads_what_we_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames through LeRobot's own reader, with windows that end with an episode, and one episode alone."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reader = pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError).LeRobotDataset
    given = [episode(5), episode(7)]
    write_lerobot(tmp_path / "walks", given, 20, task="walk", names={"action": ["left", "right"]})
    found = reader("test/walks", root=tmp_path / "walks")
    assert (len(found), found.num_episodes, found.fps) == (12, 2, 20)
    rows = iter(found[i] for i in range(12))
    for k, each in enumerate(given):
        for i in range(len(each)):
            row = next(rows)
            assert (row["episode_index"], row["frame_index"], row["task"]) == (k, i, "walk")
            for name, array in {"observation.state": each.observations, "action": each.actions}.items():
                np.testing.assert_allclose(row[name].numpy(), array[i], rtol=1e-6)  # type: ignore[index]
    window = reader("test/walks", root=tmp_path / "walks", delta_timestamps={"action": [0.0, 0.05]})
    assert window[0]["action"].shape == (2, 2) and window[4]["action_is_pad"].tolist() == [False, True]
    assert len(reader("test/walks", root=tmp_path / "walks", episodes=[1])) == 7


def test_pandas_finds_the_tasks_as_lerobot_does(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write_lerobot(tmp_path / "walks", [episode(5)], 20, task="walk")
    assert pandas.read_parquet(tmp_path / "walks/meta/tasks.parquet").loc["walk", "task_index"] == 0


def test_lerobot_splits_large_files_and_leaves_out_no_picture_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("pilotage.io.lerobot.LARGEST", 3000)
    monkeypatch.setattr("pilotage.io.lerobot.FILES", 2)
    write_lerobot(tmp_path / "walks", [episode(20) for _ in range(5)], 10)
    rows = parquet.read_table(tmp_path / "walks/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    for row in rows:
        place = f"data/chunk-{row['data/chunk_index']:03d}/file-{row['data/file_index']:03d}.parquet"
        index = parquet.read_table(tmp_path / "walks" / place)["episode_index"].to_pylist()
        assert index.count(row["episode_index"]) == 20
    assert len({(row["data/chunk_index"], row["data/file_index"]) for row in rows}) > 2
    with pytest.raises(FormatError, match="eye"):
        write_lerobot(tmp_path / "x", [episode(3, pixels=True)], 10)
    with pytest.raises(FormatError, match="names"):
        write_lerobot(tmp_path / "x", [episode(3)], 10, names={"action": ["one"]})


def test_sequences_are_mapped_and_equal(tmp_path: Path) -> None:
    given = [episode(5, pixels=True), episode(0, pixels=True), episode(9, pixels=True)]
    write_sequences(tmp_path / "walks", given)
    walks = Sequences(tmp_path / "walks")
    assert all(isinstance(array, np.memmap) for array in walks.arrays.values()), "nothing is loaded"
    for k, each in enumerate(given):
        same(walks.episode(k), each)
    part = walks.window(2, 3, 4)
    np.testing.assert_array_equal(part["observations/eye"], given[2].arrays()["observations/eye"][3:8])
    np.testing.assert_array_equal(part["actions"], given[2].actions[3:7])
    with pytest.raises(FormatError, match="episode 0"):
        walks.window(0, 3, 4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("actions.bin", lambda b: b[:-1]), ("actions.bin", lambda b: b + b"x"), ("index.json", lambda b: b[:-5]),
        ("index.json", lambda b: b.replace(b'"version": 1', b'"version": 9')),
        ("index.json", lambda b: b.replace(b"<f4", b"|O8")), ("index.json", lambda b: b.replace(b"[5]", b"[-5]")),
        ("index.json", lambda b: b.replace(b"[5]", b"[50000000000]")),
        ("index.json", lambda b: b.replace(b'"actions"', b'"../actions"')),
    ],
)  # fmt: skip
def test_damaged_sequences_are_refused(tmp_path: Path, name: str, change: Any) -> None:
    write_sequences(tmp_path / "walks", [episode(5)])
    file = tmp_path / "walks" / name
    assert change(file.read_bytes()) != file.read_bytes()
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(FormatError):
        Sequences(tmp_path / "walks")


def test_arrays_that_do_not_match_are_refused() -> None:
    good = episode(4).arrays()
    for name in ("observations", "actions", "terminations"):
        with pytest.raises(ShapeError, match=name):
            Episode.of({**good, name: good[name][1:]})
    with pytest.raises(ShapeError, match="actions"):
        Episode.of({**good, "actions": np.array(["a"] * 4)})
