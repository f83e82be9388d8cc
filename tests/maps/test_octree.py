"""The octree against a dictionary of voxels in pure Python, against OctoMap itself, and laws of pruning and order."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, PilotageError, SettingError, ShapeError
from pilotage.maps import OccupancyGrid, OcTree
from pilotage.maps.octree_blocks import Blocks
from pilotage.maps.octree_leaves import keys_of

from .voxels import HIT, MISS, Key, Voxels, crossed, key_of

Array = NDArray[np.float64]
SIDE, CLAMP = 0.25, (0.1192, 0.971)
SPAN = 12


def scans(count: int, points: int, seed: int) -> list[tuple[Array, Array]]:
    """Point clouds in a room of 24 voxels around the origin of the world, and their origins, in voxels."""
    draw = np.random.default_rng(seed)
    return [(draw.uniform(-SPAN, SPAN, (points, 3)), draw.uniform(-4.0, 4.0, 3)) for _ in range(count)]


def built(clouds: list[tuple[Array, Array]], reach: float = math.inf) -> tuple[OcTree, Voxels]:
    """The octree of clouds, and the dictionary."""
    tree, voxels = OcTree(SIDE, clamp=CLAMP), Voxels(CLAMP)
    for points, origin in clouds:
        tree.insert_point_cloud(points * SIDE, origin * SIDE, reach * SIDE)
        voxels.insert(points, origin, reach)
    return tree, voxels


def room() -> tuple[list[Key], Array]:
    """All voxels of the room with some around, and their centres in the world."""
    keys = list(itertools.product(range(-SPAN - 4, SPAN + 4), repeat=3))
    return keys, (np.array(keys) + 0.5) * SIDE


def view(tree: OcTree) -> NDArray[np.float32]:
    """The log-odds of all voxels of the room."""
    return tree.log_odds(room()[1])


@pytest.mark.parametrize("reach", [math.inf, 9.0])
def test_a_dictionary_of_voxels_says_the_same(reach: float) -> None:
    clouds = scans(6, 40, seed=1)
    clouds[2][0][:3] = [[np.nan, 1.0, 1.0], [np.inf, 0.0, 0.0], clouds[2][1]]
    tree, voxels = built(clouds, reach)
    keys, _ = room()
    expected = np.array([voxels.get(key, np.nan) for key in keys], dtype=np.float32)
    np.testing.assert_allclose(view(tree), expected, rtol=1e-6)
    assert np.isnan(expected).any() and (expected > 0).any() and (expected < 0).any()


def test_rays_along_axes_and_edges_end_in_their_voxel() -> None:
    """Where a ray runs along faces of voxels, or ends on one, rounding must not lead it elsewhere."""
    draw = np.random.default_rng(3)
    for _ in range(200):
        a, b = draw.integers(-6, 7, (2, 3)) * 0.5
        tree = OcTree(0.1)
        tree.insert_point_cloud([b * 0.1], a * 0.1)
        start, end = (np.floor(p * 0.1 * (1.0 / 0.1)) for p in (a, b))
        boxes = tree.boxes()
        first = np.rint((boxes.centers - boxes.sizes[:, None] / 2) / 0.1).astype(int)
        assert boxes.occupied.sum() == 1
        np.testing.assert_array_equal(first[boxes.occupied][0], end)
        low, high = np.minimum(start, end), np.maximum(start, end)
        sides = (boxes.sizes / 0.1).round()
        assert (first >= low).all() and (first + sides[:, None] - 1 <= high).all()
        cells = int((sides**3).sum())
        assert cells == int((high - low).sum()) + 1


def test_order_does_not_matter_before_the_limits() -> None:
    clouds = scans(5, 60, seed=2)
    wide: Any = {"clamp": (0.001, 0.999)}
    trees = [OcTree(SIDE, **wide) for _ in range(3)]
    for tree, order in zip(trees, ([0, 1, 2, 3, 4], [4, 2, 0, 1, 3], [3, 4, 1, 0, 2]), strict=True):
        for i in order:
            tree.insert_point_cloud(clouds[i][0] * SIDE, clouds[i][1] * SIDE)
    for tree in trees[1:]:
        np.testing.assert_allclose(view(tree), view(trees[0]), atol=1e-5)


def test_a_scan_is_a_set_of_rays() -> None:
    points, origin = scans(1, 80, seed=4)[0]
    once, twice, discrete = OcTree(SIDE), OcTree(SIDE), OcTree(SIDE)
    once.insert_point_cloud(points * SIDE, origin * SIDE)
    twice.insert_point_cloud(np.concatenate((points[::-1], points)) * SIDE, origin * SIDE)
    np.testing.assert_array_equal(view(twice), view(once))
    near = np.floor(points)[:, None] + np.random.default_rng(5).uniform(0.0, 1.0, (80, 7, 3))
    discrete.insert_point_cloud(near * SIDE, origin * SIDE, discretize=True)
    centred = OcTree(SIDE)
    centred.insert_point_cloud((np.floor(points) + 0.5) * SIDE, origin * SIDE)
    np.testing.assert_array_equal(view(discrete), view(centred))


@pytest.mark.parametrize("depth", [15, 14, 13, 11, 8, 1])
def test_a_node_has_the_largest_value_in_it(depth: int) -> None:
    tree, voxels = built(scans(2, 25, seed=6))
    keys, centers = room()
    side = 1 << (16 - depth)
    if side <= 32:
        nodes = {tuple(k // side * side for k in key) for key in keys}
        expected = {node: voxels.node(node, side) for node in nodes}
        want = [expected[tuple(k // side * side for k in key)] for key in keys]
    else:  # the eight octants around the origin of the world
        octants: dict[tuple[bool, ...], float] = {}
        for key, value in voxels.items():
            octant = tuple(k >= 0 for k in key)
            octants[octant] = max(octants.get(octant, -math.inf), float(value))
        want = [octants.get(tuple(k >= 0 for k in key), math.nan) for key in keys]
    np.testing.assert_allclose(tree.log_odds(centers, depth), want, rtol=1e-6)
    np.testing.assert_array_equal(tree.is_occupied(centers, depth), tree.log_odds(centers, depth) >= 0.0)


def filled() -> OcTree:
    """A tree with large pruned nodes: free space at its limit around a few obstacles."""
    tree = OcTree(SIDE, clamp=CLAMP)
    centers = room()[1]
    for _ in range(8):
        tree.update(centers, False)
    tree.update(centers[::997], True)
    return tree


def test_pruning_changes_no_query() -> None:
    tree, pruned = filled(), filled()
    pruned.prune()
    assert pruned.nbytes < tree.nbytes
    assert pruned.boxes().sizes.max() > 8 * SIDE, "nodes above blocks"
    centers = room()[1]
    for depth in (16, 15, 13, 12, 10, 5):
        np.testing.assert_array_equal(pruned.log_odds(centers, depth), tree.log_odds(centers, depth))
        for name in ("centers", "sizes", "log_odds"):
            np.testing.assert_array_equal(
                getattr(pruned.boxes(depth=depth), name), getattr(tree.boxes(depth=depth), name)
            )
    assert pruned.size == tree.size
    np.testing.assert_array_equal(pruned.bounds(), tree.bounds())
    ways = np.random.default_rng(7).normal(size=(300, 3))
    a, b = (each.cast_ray([0.1, 0.1, 0.1], ways, 3.0) for each in (tree, pruned))
    for name in ("hit", "unknown", "ends", "ranges"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(tree.to_grid(-1.0, 1.0).log_odds, pruned.to_grid(-1.0, 1.0).log_odds)


def test_what_was_pruned_can_still_change() -> None:
    tree, pruned = filled(), filled()
    pruned.prune()
    for points, origin in scans(3, 50, seed=8):
        for each in (tree, pruned):
            each.insert_point_cloud(points * SIDE, origin * SIDE)
    np.testing.assert_array_equal(view(pruned), view(tree))
    assert pruned.size == tree.size


def test_pruned_leaves_are_as_few_as_can_be() -> None:
    leaves = filled()._leaves
    for level in range(1, 6):
        below = leaves.levels == level - 1
        parents, counts = np.unique(leaves.codes[below] >> (3 * level), return_counts=True)
        for parent in parents[counts == 8]:
            inside = below & (leaves.codes >> (3 * level) == parent)
            assert len(np.unique(leaves.values[inside])) > 1, f"eight equal children at level {level - 1}"
    assert (np.diff(leaves.codes) > 0).all()


def test_memory_follows_what_is_seen() -> None:
    tree = OcTree(0.1)
    draw = np.random.default_rng(9)
    way = draw.normal(size=(3000, 3))
    wall = 2.0 * way / np.abs(way).max(axis=1, keepdims=True) + 0.05
    tree.insert_point_cloud(wall, [0.0, 0.0, 0.0])
    first = tree.nbytes
    for _ in range(12):
        tree.insert_point_cloud(wall, [0.0, 0.0, 0.0])
    assert tree.nbytes == first
    far = OcTree(0.1)
    far.update(np.array([[0.0, 0.0, 0.0], [3000.0, -3000.0, 3000.0]]), True)
    assert far.nbytes < 200_000


@pytest.mark.parametrize("ignore_unknown", [False, True])
@pytest.mark.parametrize("reach", [6.0, 30.0])
def test_rays_end_where_a_walk_through_the_voxels_says(ignore_unknown: bool, reach: float) -> None:
    tree, voxels = built(scans(4, 40, seed=10))
    draw = np.random.default_rng(11)
    origins, ways = draw.uniform(-6.0, 6.0, (150, 3)), draw.normal(size=(150, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    found = tree.cast_ray(origins * SIDE, 3.0 * ways, reach * SIDE, ignore_unknown=ignore_unknown)
    kinds = set[str]()
    for n in range(len(ways)):
        kind, last = "nothing", key_of(origins[n])
        for key in crossed(origins[n], origins[n] + reach * ways[n]):
            last = key
            if key not in voxels and not ignore_unknown:
                kind = "unknown"
            elif voxels.get(key, -1.0) >= 0.0:
                kind = "hit"
            if kind != "nothing":
                break
        kinds.add(kind)
        assert (found.hit[n], found.unknown[n]) == (kind == "hit", kind == "unknown")
        np.testing.assert_allclose(found.ends[n], (np.array(last) + 0.5) * SIDE)
        enters = box_entry(last, origins[n], ways[n]) if kind != "nothing" else reach
        np.testing.assert_allclose(found.ranges[n], enters * SIDE, atol=1e-9)
    assert len(kinds) >= 2


def box_entry(key: Key, origin: Array, way: Array) -> float:
    """The distance at which a ray enters a voxel, by slabs; 0 inside."""
    low, high = (np.array(key) - origin) / way, (np.array(key) + 1.0 - origin) / way
    return max(float(np.minimum(low, high).max()), 0.0)


def test_rays_without_a_direction_or_outside_the_tree_have_no_range() -> None:
    tree = OcTree(0.1)
    tree.update([0.0, 0.0, 0.0], True)
    found = tree.cast_ray(
        [[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [1e9, 0.0, 0.0], [0.05, 0.05, 0.05]],
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [np.nan, 0.0, 0.0]],
    )
    assert np.isnan(found.ranges).all() and not found.hit.any()
    found = tree.cast_ray([-5.0, 0.05, 0.05], [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], ignore_unknown=True)
    assert found.hit.tolist() == [True, False]
    np.testing.assert_allclose(found.ranges, [5.0, 32768 * 0.1 - 5.0])


def test_boxes_fill_what_is_known() -> None:
    tree, voxels = built(scans(3, 40, seed=12))
    boxes = tree.boxes()
    assert round(float(((boxes.sizes / SIDE) ** 3).sum())) == len(voxels)
    np.testing.assert_array_equal(tree.log_odds(boxes.centers), boxes.log_odds)
    low, high = np.array([-1.0, -0.5, 0.0]), np.array([1.0, 2.0, 0.9])
    part = tree.boxes(low, high)
    half = boxes.sizes[:, None] / 2
    overlap = ((boxes.centers + half > low) & (boxes.centers - half < high)).all(1)
    np.testing.assert_array_equal(part.centers, boxes.centers[overlap])
    keys = np.array(list(voxels))
    np.testing.assert_allclose(tree.bounds(), (keys.min(0) * SIDE, (keys.max(0) + 1) * SIDE))


def test_slice_is_the_largest_value_of_each_column() -> None:
    tree, voxels = built(scans(3, 40, seed=13))
    grid = tree.to_grid(-2 * SIDE, 3 * SIDE)
    columns: dict[tuple[int, int], float] = {}
    for (i, j, k), value in voxels.items():
        if -2 <= k < 3:
            columns[i, j] = max(columns.get((i, j), -math.inf), float(value))
    rows, cells = grid.shape
    for row in range(rows):
        for column in range(cells):
            x, y = grid.cell_to_world([row, column])
            value = columns.get((math.floor(x / SIDE), math.floor(y / SIDE)), math.nan)
            np.testing.assert_allclose(grid.log_odds[row, column], value, rtol=1e-6)
            assert grid.occupied[row, column] == (value >= 0.0) and grid.free[row, column] == (value < 0.0)
    assert np.isnan(tree.to_grid(500.0, 501.0).log_odds).all()


@pytest.mark.parametrize("suffix", ["bt", "ot"])
def test_files_hold_the_tree(suffix: str, tmp_path: Path) -> None:
    for tree in (built(scans(3, 60, seed=14))[0], filled(), OcTree(0.05)):
        tree.save(tmp_path / f"map.{suffix}")
        again = OcTree.load(tmp_path / f"map.{suffix}", clamp=CLAMP)
        assert again.resolution == tree.resolution
        values, back = view(tree), view(again)
        if suffix == "bt":
            limits = np.array([MISS * 0 - 2.000028, HIT * 0 + 3.5110307], dtype=np.float32)
            values = np.where(np.isnan(values), values, limits[(values >= 0.0).astype(int)])
        else:
            assert again.size == tree.size
        np.testing.assert_allclose(back, values, rtol=1e-6)


def test_one_value_everywhere_is_a_root(tmp_path: Path) -> None:
    from pilotage.io import OctoMapFile, read_octomap, write_octomap

    root = OctoMapFile(0.1, np.array([0]), np.array([16], dtype=np.int8), np.array([np.inf], dtype=np.float32))
    write_octomap(tmp_path / "all.bt", root)
    tree = OcTree.load(tmp_path / "all.bt")
    assert tree.size == 1 and tree.is_occupied([[1e3, -1e3, 0.0], [0.0, 0.0, 0.0]]).all()
    assert len(read_octomap(tmp_path / "all.bt").codes) == 8
    tree.update([0.05, 0.05, 0.05], False)
    assert tree.size == 16 * 8 + 1 and tree.nbytes < 1e6


@pytest.mark.parametrize("name", ["map.bt", "MAP.BT"])
def test_free_and_occupied_are_those_of_the_threshold(name: str, tmp_path: Path) -> None:
    tree = OcTree(SIDE, threshold=0.75)
    at = np.array([[0.1, 0.1, 0.1], [0.6, 0.1, 0.1]])
    tree.update(at, True)
    tree.update(at[1], True)
    assert tree.is_occupied(at).tolist() == [False, True] and tree.is_free(at).tolist() == [True, False]
    tree.save(tmp_path / name)
    assert OcTree.load(tmp_path / name).is_occupied(at).tolist() == [False, True]


@pytest.mark.parametrize("threshold", [0.4, 0.5, 0.7])
def test_a_slice_and_its_file_are_free_and_occupied_where_the_voxels_are(threshold: float, tmp_path: Path) -> None:
    tree = OcTree(SIDE, threshold=threshold)
    cells = (np.column_stack((np.arange(4), np.zeros((4, 2)))) + 0.5) * SIDE
    tree.update(np.tile(cells[[0, 1, 3]], (2, 1)), [False, True, False] * 2)
    tree.to_grid(0.0, SIDE).save(tmp_path / "slice.yaml")
    for grid in (tree.to_grid(0.0, SIDE), OccupancyGrid.load(tmp_path / "slice.yaml")):
        assert grid.is_free(cells[:, :2]).tolist() == tree.is_free(cells).tolist() == [True, False, False, True]
        assert grid.is_occupied(cells[:, :2]).tolist() == [False, True, False, False]


def test_voxels_near_a_threshold_that_is_almost_certain_are_free_or_occupied_in_a_slice_too() -> None:
    """Each of the voxels is a little freer than the one before; the threshold lies between the last two."""
    tree = OcTree(SIDE, threshold=0.002, clamp=(0.0, 1.0))
    cells = (np.column_stack((np.arange(16), np.zeros((16, 2)))) + 0.5) * SIDE
    for n in range(16):
        tree.update(cells[n:], False)
    assert tree.is_occupied(cells).tolist() == [True] * 15 + [False]
    np.testing.assert_array_equal(tree.to_grid(0.0, SIDE).free[0], tree.is_free(cells))


@pytest.mark.parametrize(("clamp", "threshold"), [((0.12, 0.97), 0.98), ((0.12, 0.97), 0.12), ((0.0, 1.0), 5e-4)])
def test_a_threshold_that_no_evidence_reaches_is_refused(clamp: tuple[float, float], threshold: float) -> None:
    with pytest.raises(SettingError, match=f"threshold is {threshold}"):
        OcTree(SIDE, clamp=clamp, threshold=threshold)
    low, high = max(clamp[0], 0.001), min(clamp[1], 0.999)
    for reached in (low + 1e-4, high):
        tree = OcTree(SIDE, clamp=clamp, threshold=reached)
        for occupied in (True, False):
            for _ in range(40):
                tree.update([0.0, 0.0, 0.0], occupied)
            assert tree.is_occupied([0.0, 0.0, 0.0]) == occupied


def test_an_interrupted_scan_leaves_no_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    tree, other = OcTree(SIDE), OcTree(SIDE)
    clouds = [(4.0 * SIDE * points, SIDE * origin) for points, origin in scans(2, 400, seed=18)]

    def stop(blocks: Blocks) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Blocks, "grow", stop)
        with pytest.raises(KeyboardInterrupt):
            tree.insert_point_cloud(*clouds[0])
    for each in (tree, other):
        each.insert_point_cloud(*clouds[1])
    values = view(other)
    known = ~np.isnan(values)
    np.testing.assert_array_equal(view(tree)[known], values[known])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda t: OcTree(0.0), SettingError),
        (lambda t: OcTree(0.1, threshold=1.0), SettingError),
        (lambda t: OcTree(0.1, hit=0.3), ShapeError),
        (lambda t: t.insert_point_cloud([[1.0, 2.0]], [0.0, 0.0, 0.0]), ShapeError),
        (lambda t: t.update([[1.0, 2.0, 3.0]] * 2, [True, False, True]), ShapeError),
        (lambda t: t.insert_point_cloud([[1.0, 2.0, 3.0]], [0.0, np.nan, 0.0]), ShapeError),
        (lambda t: t.insert_point_cloud([[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]] * 2), ShapeError),
        (lambda t: t.insert_point_cloud([[1.0, 2.0, 3.0]], [0.0, 0.0, 0.0], -1.0), SettingError),
        (lambda t: t.log_odds([[0.0, 0.0]]), ShapeError),
        (lambda t: t.log_odds([0.0, 0.0, 0.0], 17), SettingError),
        (lambda t: t.boxes(depth=0), SettingError),
        (lambda t: t.cast_ray(np.zeros((2, 3)), np.ones((3, 3))), ShapeError),
        (lambda t: t.bounds(), ShapeError),
        (lambda t: t.to_grid(1.0, 1.0), ShapeError),
        (lambda t: t.save("map.txt"), FormatError),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(call: Any, error: type[PilotageError]) -> None:
    with pytest.raises(error):
        call(OcTree(0.1))


def test_what_lies_outside_the_tree_is_left_out() -> None:
    tree = OcTree(0.1)
    tree.insert_point_cloud([[1e9, 0.0, 0.0], [-1e300, 0.0, 0.0], [3276.9, 0.0, 0.0]], [0.0, 0.0, 0.0])
    tree.update([[4000.0, 0.0, 0.0], [np.nan, 0.0, 0.0]], True)
    assert tree.size == 0 and tree.is_unknown([[1e9, 0.0, 0.0], [np.inf, 0.0, 0.0]]).all()
    tree.insert_point_cloud([[1e9, 0.0, 0.0]], [0.05, 0.05, 0.05], max_range=2.0)
    assert tree.is_free([[0.05, 0.05, 0.05], [1.95, 0.05, 0.05]]).all() and not tree.boxes().occupied.any()


def test_octomap_itself_says_the_same(tmp_path: Path) -> None:
    octomap = pytest.importorskip("octomap")
    peer, tree = octomap.OcTree(SIDE), OcTree(SIDE, clamp=CLAMP)
    peer.setClampingThresMin(CLAMP[0])
    peer.setClampingThresMax(CLAMP[1])
    draw = np.random.default_rng(15)
    for _ in range(20):  # corners of voxels within, where rounding to single precision changes no voxel
        points = (draw.integers(-SPAN, SPAN, (60, 3)) + draw.integers(1, 16, (60, 3)) / 16.0) * SIDE
        for point, seen in zip(points, draw.random(60) < 0.3, strict=True):
            peer.updateNode(point, bool(seen))
            tree.update(point, bool(seen))
    for points, origin in scans(4, 300, seed=16):
        points, origin = (np.float64(np.float32(each * SIDE)) for each in (points, origin))
        peer.insertPointCloud(points, origin)
        tree.insert_point_cloud(points, origin)
    assert abs(tree.size - peer.size()) <= 0.001 * peer.size(), "a few voxels, from single precision there"
    leaves = [(it.getKey(), it.getValue()) for it in peer.begin_leafs()]
    values = np.array([value for _, value in leaves], dtype=np.float32)
    keys = np.array([[key[axis] for axis in range(3)] for key, _ in leaves], dtype=np.int64)
    same = tree.log_odds((keys - 32768 + 0.5) * SIDE) == values
    assert same.mean() > 0.999
    peer.writeBinary(str(tmp_path / "peer.bt").encode())
    peer.write(str(tmp_path / "peer.ot").encode())
    for suffix in ("bt", "ot"):
        read = OcTree.load(tmp_path / f"peer.{suffix}", clamp=CLAMP)
        read.save(tmp_path / f"ours.{suffix}")
        mine, theirs = ((tmp_path / f"{who}.{suffix}").read_bytes().split(b"data\n", 1) for who in ("ours", "peer"))
        assert mine[1] == theirs[1]
        assert read.size == int(theirs[0].split(b"size ")[1].split()[0])


def test_a_public_map_has_the_nodes_that_its_header_says(data: Path, tmp_path: Path) -> None:
    file = data / "octree" / "geb079.bt"
    tree = OcTree.load(file)
    assert tree.size == 532566 and tree.resolution == 0.08
    tree.save(tmp_path / "again.bt")
    again, given = (each.read_bytes().split(b"data\n", 1)[1] for each in (tmp_path / "again.bt", file))
    assert again == given
    assert tree.nbytes / tree.size < 24.0, "bytes a node"


def test_keys_are_what_codes_were_made_of() -> None:
    keys = np.random.default_rng(17).integers(0, 1 << 16, (500, 3))
    codes = [
        sum(((int(key[axis]) >> bit) & 1) << (3 * bit + axis) for bit in range(16) for axis in range(3)) for key in keys
    ]
    np.testing.assert_array_equal(keys_of(np.array(codes)), keys)
    from pilotage.maps.octree_arrays import codes_at

    np.testing.assert_array_equal(codes_at(np.asarray(keys - 32768.0 + 0.25, dtype=np.float64)), codes)


def test_voxels_at_the_end_of_the_range_hold_nothing_that_has_gone() -> None:
    """octomap_mapping #28 and moveit2 #3286: what was seen in the last voxel of the range was never cleared."""
    tree, origin = OcTree(0.1), [0.05, 0.05, 0.05]
    for x in np.linspace(1.5, 2.2, 71):
        for _ in range(5):
            tree.insert_point_cloud([[x, 0.05, 0.05]], origin, max_range=2.0)
    for _ in range(50):
        tree.insert_point_cloud([[9.0, 0.05, 0.05]], origin, max_range=2.0)
    row = np.stack([np.arange(0.05, 2.5, 0.1), np.full(25, 0.05), np.full(25, 0.05)], -1)
    assert tree.is_free(row).sum() == 20
    assert not tree.is_occupied(row).any()
    tree.insert_point_cloud([[1.95, 0.05, 0.05]], origin, max_range=3.0)
    assert tree.log_odds(row)[19] > tree.log_odds(row)[18], "what lies well within the range is seen"


def test_a_slice_of_a_map_with_points_far_off() -> None:
    """amcl3d #2: the grid made of an octree took more memory than there was, and the program died."""
    tree = OcTree(0.05)
    tree.update([[x, y, 0.02] for x in (0.02, 0.07) for y in (0.02, 0.12)], False)
    near = tree.to_grid(0.0, 1.0)
    tree.update([[1500.0, 0.0, 0.0], [0.0, 1500.0, 0.0], [-1500.0, -1500.0, 0.0]], True)
    with pytest.raises(ShapeError, match="3,600,1.* cells, more than .* low= and high="):
        tree.to_grid(0.0, 1.0)
    part = tree.to_grid(0.0, 1.0, low=(0.0, 0.0), high=(0.1, 0.15))
    assert part.origin == near.origin == (0.0, 0.0, 0.0)
    np.testing.assert_array_equal(part.log_odds, near.log_odds)
    wide = tree.to_grid(0.0, 1.0, low=(-0.1, -0.05), high=(0.1, 0.15))
    assert wide.origin == pytest.approx((-0.1, -0.05, 0.0))
    np.testing.assert_array_equal(wide.log_odds[1:, 2:], near.log_odds)
    assert np.isnan(wide.log_odds[0]).all()
    with pytest.raises(ShapeError, match="no cells"):
        tree.to_grid(0.0, 1.0, low=(0.1, 0.0), high=(0.1, 1.0))
    for corner in ((0.0, np.nan), 0.0, [1.0], (0.0, 0.0, 5.0)):
        for name in ("low", "high"):
            with pytest.raises(ShapeError, match=rf"{name} must be one point \(x, y\)"):
                tree.to_grid(0.0, 1.0, **{name: corner})  # type: ignore[arg-type]
