"""ROS maps: what is written reads back, real maps read as map_server reads them, damage is a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pilotage.core.errors import FormatError, FormatWarning, SettingError
from pilotage.io import RosMap, read_ros_map, write_ros_map
from pilotage.io.pgm import encode_pgm
from pilotage.io.ros_map import Server
from pilotage.maps.stock import STOCK

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))
LEVELS = arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, 1.0, np.nan]))
VALUES = arrays(np.float32, SHAPES, elements=st.one_of(st.floats(0, 1, width=32), st.just(np.nan)))
YAML = """image: map.pgm
resolution: 0.05
origin: [-1.0, 2.0, 0.5]
negate: 0
occupied_thresh: 0.65
free_thresh: 0.196
"""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maps")


@given(
    p=LEVELS,
    negate=st.booleans(),
    thresholds=st.sampled_from([(0.65, 0.196), (0.65, 0.25), (0.9, 0.8), (0.3, 0.1), (1.0, 0.5), (1.0, 0.0)]),
    image=st.sampled_from([None, "other.pgm", "other.png"]),
)
def test_trinary_round_trip(
    p: np.ndarray, negate: bool, thresholds: tuple[float, float], image: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    file = tmp_path_factory.mktemp("maps") / "map.yaml"
    written = RosMap(p, 0.05, (1.0, -2.0, 0.25), *thresholds, "trinary", negate)
    write_ros_map(file, written, image)
    found = read_ros_map(file)
    np.testing.assert_array_equal(found.occupancy, p)
    assert (found.resolution, found.origin, found.negate) == (0.05, (1.0, -2.0, 0.25), negate)
    assert (found.occupied_thresh, found.free_thresh, found.mode) == (*thresholds, "trinary")


@given(
    p=LEVELS, negate=st.booleans(), thresholds=st.sampled_from([(0.5, 0.499), (0.7, 0.699), (0.001, 0.0), (1.0, 0.999)])
)
def test_unknown_cells_stay_unknown_when_no_grey_lies_between_the_thresholds(
    p: np.ndarray, negate: bool, thresholds: tuple[float, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("maps") / "map.yaml"
    write_ros_map(file, RosMap(p, 0.05, (0.0, 0.0, 0.0), *thresholds, "trinary", negate))
    np.testing.assert_array_equal(read_ros_map(file).occupancy, p)


@given(p=VALUES, negate=st.booleans())
def test_scale_round_trip_to_a_grey_level(
    p: np.ndarray, negate: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("maps") / "map.yaml"
    write_ros_map(file, RosMap(p, 0.1, mode="scale", negate=negate))
    found = read_ros_map(file).occupancy
    np.testing.assert_array_equal(np.isnan(found), np.isnan(p))
    # One level of 255 is spread over the part of the scale between the thresholds.
    assert np.nanmax(np.abs(found - p), initial=0.0) <= 1.0 / 255 / (0.65 - 0.196) + 1e-6


@given(p=VALUES, image=st.sampled_from(["map.pgm", "map.png"]))
def test_raw_round_trip_to_a_percent(p: np.ndarray, image: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("maps") / "map.yaml"
    write_ros_map(file, RosMap(p, 0.1, mode="raw"), image)
    np.testing.assert_allclose(read_ros_map(file).occupancy, p, atol=0.01 + 1e-6)


def test_rows_run_upwards(tmp_path: Path) -> None:
    (tmp_path / "map.pgm").write_bytes(b"P2 1 3 255  0 205 254")
    (tmp_path / "map.yaml").write_text(YAML)
    found = read_ros_map(tmp_path / "map.yaml")
    np.testing.assert_array_equal(found.occupancy, np.array([[0.0], [np.nan], [1.0]], dtype=np.float32))
    assert found.origin == (-1.0, 2.0, 0.5)


@pytest.mark.parametrize(
    ("mode", "negate", "expected"),
    [
        # Bytes 0, 60, 100, 101, 205, 255, worked out by hand from map_server's rules.
        ("trinary", 0, [1.0, 1.0, np.nan, np.nan, np.nan, 0.0]),
        ("trinary", 1, [0.0, np.nan, np.nan, np.nan, 1.0, 1.0]),
        ("scale", 0, [1.0, 1.0, 0.907143, 0.898506, 0.000173, 0.0]),
        ("raw", 0, [0.0, 0.6, 1.0, np.nan, np.nan, np.nan]),
    ],
)
def test_modes(mode: str, negate: int, expected: list[float], tmp_path: Path) -> None:
    (tmp_path / "map.pgm").write_bytes(b"P2 6 1 255  0 60 100 101 205 255")
    (tmp_path / "map.yaml").write_text(YAML.replace("negate: 0", f"negate: {negate}") + f"mode: {mode}\n")
    np.testing.assert_allclose(read_ros_map(tmp_path / "map.yaml").occupancy[0], expected, atol=2e-5)


def test_transparency(tmp_path: Path) -> None:
    pixels = np.array([[[0, 0, 0, 255], [0, 0, 0, 0], [255, 255, 255, 255]]], dtype=np.uint8)
    Image.fromarray(pixels, mode=None).save(tmp_path / "map.png")
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", "map.png") + "mode: scale\n")
    np.testing.assert_array_equal(read_ros_map(tmp_path / "map.yaml").occupancy, np.float32([[1.0, np.nan, 0.0]]))
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", "map.png"))
    np.testing.assert_array_equal(read_ros_map(tmp_path / "map.yaml").occupancy, np.float32([[1.0, np.nan, 0.0]]))
    # Up to Humble, trinary averages alpha in with the colours: (0 + 0 + 0 + 255) / 4 is a dark grey, still occupied.
    found = read_ros_map(tmp_path / "map.yaml", server="humble").occupancy
    np.testing.assert_array_equal(found, np.float32([[1.0, 1.0, 0.0]]))
    with pytest.raises(SettingError, match="server is 'foxy'"):
        read_ros_map(tmp_path / "map.yaml", server="foxy")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::pilotage.core.errors.FormatWarning")  # one of these levels is that grey
@pytest.mark.parametrize("negate", [0, 1])
@pytest.mark.parametrize("mode", ["trinary", "scale"])
def test_what_lies_on_a_threshold_counts(mode: str, negate: int, tmp_path: Path) -> None:
    """Levels of 0.6 and 0.2 and their neighbours; up to Humble a threshold belonged to neither class."""
    dark = np.array([[0, 50, 51, 52, 152, 153, 154, 255]], dtype=np.uint8)
    (tmp_path / "map.pgm").write_bytes(encode_pgm(dark if negate else 255 - dark))
    fields = YAML.replace("0.65", "0.6").replace("0.196", "0.2").replace("negate: 0", f"negate: {negate}")
    (tmp_path / "map.yaml").write_text(f"{fields}mode: {mode}\n")
    found = read_ros_map(tmp_path / "map.yaml").occupancy[0]
    np.testing.assert_array_equal(found == 0.0, dark[0] <= 51)
    np.testing.assert_array_equal(found == 1.0, dark[0] >= 153)
    older = read_ros_map(tmp_path / "map.yaml", server="humble").occupancy[0]
    if mode == "trinary":
        np.testing.assert_array_equal(older == 0.0, dark[0] < 51)
        np.testing.assert_array_equal(older == 1.0, dark[0] > 153)


def test_colours_count_by_their_luma(tmp_path: Path) -> None:
    """Pure green is bright (p 0.28), blue is dark (p 0.93); the mean of the channels takes them for the same."""
    pixels = np.array([[[0, 255, 0], [0, 0, 255], [255, 0, 0]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", "map.png"))
    found = read_ros_map(tmp_path / "map.yaml").occupancy
    np.testing.assert_array_equal(found, np.float32([[np.nan, 1.0, 1.0]]))
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", "map.png") + "mode: scale\n")
    p = 1.0 - np.rint(255 * np.array([0.715158, 0.072186, 0.212656])) / 255
    expected = np.clip((p - 0.196) / (0.65 - 0.196), 0.0, 1.0)
    np.testing.assert_allclose(read_ros_map(tmp_path / "map.yaml").occupancy[0], expected, atol=1e-6)
    older = read_ros_map(tmp_path / "map.yaml", server="humble").occupancy
    np.testing.assert_array_equal(older, np.float32([[1.0, 1.0, 1.0]]))


def test_an_image_of_another_computer_lies_beside_the_yaml(tmp_path: Path) -> None:
    (tmp_path / "map.pgm").write_bytes(b"P2 1 1 255  0")
    for away in ("/home/someone/maps/map.pgm", "C:\\maps\\map.pgm"):
        (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", away))
        with pytest.raises(
            FormatError, match=r"does not exist; a file of that name is in the folder of .* `image: map\.pgm`"
        ):
            read_ros_map(tmp_path / "map.yaml")


NESTED = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'lol'] * 9)}]\n" for i in range(9))


@pytest.mark.parametrize(
    "change",
    [
        *((f"{name}: ", f"{name}: *a8 #") for name in ("origin", "resolution", "negate", "image", "free_thresh")),
        ("negate: 0", "mode: *a8"),
        ("resolution: 0.05", f"resolution: {'9' * 400}"),
        ("resolution: 0.05", f"resolution: {'9' * 9000}"),
        ("resolution: 0.05", f"resolution: {'x' * 9000}"),
        ("resolution: 0.05", f"resolution: *{'x' * 9000}"),
        ("resolution: 0.05", "resolution: 2001-13-45"),
        ("map.pgm", "m" * 9000),
    ],
)
def test_what_a_message_shows_has_a_limit(change: tuple[str, str], tmp_path: Path) -> None:
    """Nine lists of nine lists of nine ...: a few hundred bytes of yaml that would be gigabytes written out."""
    (tmp_path / "map.yaml").write_text(NESTED + YAML.replace(*change))
    with pytest.raises(FormatError) as caught:
        read_ros_map(tmp_path / "map.yaml")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_not_cut_off(name: str, tmp_path: Path) -> None:
    pixels = np.array([[0, 13_000, 52_600, 65_535]], dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", name))
    np.testing.assert_array_equal(read_ros_map(tmp_path / "map.yaml").occupancy, np.float32([[1, 1, np.nan, 0]]))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_every_kind_of_image_says_the_same(mode: str, tmp_path: Path) -> None:
    grey = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    grey.convert("RGB").convert(mode).save(tmp_path / "map.png")
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", "map.png"))
    np.testing.assert_array_equal(read_ros_map(tmp_path / "map.yaml").occupancy, np.float32([[0, 1], [1, 0]]))


def test_pixels_of_no_known_depth_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), dtype=np.float32)).save(tmp_path / "map.tif")
    (tmp_path / "map.yaml").write_text(YAML.replace("map.pgm", "map.tif"))
    with pytest.raises(FormatError, match="not pixels of the kind 'F'"):
        read_ros_map(tmp_path / "map.yaml")


def test_modes_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "map.pgm").write_bytes(b"P2 1 1 255  70")
    (tmp_path / "map.yaml").write_text(YAML + "mode: RAW\n")
    assert read_ros_map(tmp_path / "map.yaml").occupancy[0, 0] == np.float32(0.7)


@pytest.mark.parametrize(
    ("text", "negate"),
    [("'0'", False), ('"1"', True), ('"true"', True), ("'No'", False), ("off", False), ("1", True)],
)
def test_values_in_quotation_marks_are_those_without(text: str, negate: bool, tmp_path: Path) -> None:
    (tmp_path / "map.pgm").write_bytes(b"P2 2 1 255  0 254")
    fields = YAML.replace("negate: 0", f"negate: {text}").replace("0.05", '"0.050000"').replace("0.196", "'0.196'")
    (tmp_path / "map.yaml").write_text(fields.replace("2.0", "'2.0'"))
    found = read_ros_map(tmp_path / "map.yaml")
    assert (found.negate, found.resolution, found.origin, found.free_thresh) == (negate, 0.05, (-1.0, 2.0, 0.5), 0.196)
    np.testing.assert_array_equal(found.occupancy[0] == 1.0, [not negate, negate])


@pytest.mark.parametrize("server", ["main", "humble"])
def test_grey_that_reads_as_free_is_told(server: Server, tmp_path: Path) -> None:
    """Nav2's own maps said 0.25 for years, and so do maps made after them; no warning is an error here."""
    (tmp_path / "map.pgm").write_bytes(b"P2 4 1 255  0 205 254 205")
    (tmp_path / "map.yaml").write_text(YAML)
    assert np.isnan(read_ros_map(tmp_path / "map.yaml", server=server).occupancy[0, [1, 3]]).all()
    (tmp_path / "map.yaml").write_text(YAML.replace("0.196", "0.25"))
    with pytest.warns(FormatWarning, match=r"map.yaml: 2 pixels of grey 205, .* read as free, for free_thresh is 0.25"):
        np.testing.assert_array_equal(read_ros_map(tmp_path / "map.yaml", server=server).occupancy, [[1, 0, 0, 0]])
    for other in ("negate: 1", "negate: 0\nmode: scale", "negate: 0\nmode: raw"):  # map_saver writes no such grey there
        (tmp_path / "map.yaml").write_text(YAML.replace("0.196", "0.25").replace("negate: 0", other))
        read_ros_map(tmp_path / "map.yaml", server=server)
    (tmp_path / "map.pgm").write_bytes(b"P2 4 1 255  0 204 254 206")
    (tmp_path / "map.yaml").write_text(YAML.replace("0.196", "0.25"))
    read_ros_map(tmp_path / "map.yaml", server=server)


@pytest.mark.parametrize("image", ["sub/map.pgm", "../map.png", "/map.pgm"])
def test_images_are_written_beside_the_yaml(image: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a bare file name"):
        write_ros_map(tmp_path / "map.yaml", RosMap(np.zeros((1, 1), dtype=np.float32), 0.1), image)


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("nav2/tb3_sandbox.yaml", (384, 384), (870, 7903)),
        ("turtlebot3_world/map.yaml", (384, 384), (795, 7939)),
    ],
)
def test_real_maps(name: str, shape: tuple[int, int], counts: tuple[int, int], data: Path) -> None:
    found = read_ros_map(data / "ros_maps" / name).occupancy
    assert found.shape == shape
    assert (int((found == 1).sum()), int((found == 0).sum())) == counts


def test_the_depot_of_older_days(data: Path) -> None:
    """free_thresh 0.25 makes the customary grey (205, occupancy 0.196) free there: the file says so, and we pass it on.

    The depot that comes with the package is the same but for that.
    """
    with pytest.warns(FormatWarning, match="8,894 pixels of grey 205"):
        older = read_ros_map(data / "ros_maps/nav2/depot.yaml").occupancy
    assert older.shape == (307, 604)
    assert (int((older == 1).sum()), int((older == 0).sum())) == (5947, 307 * 604 - 5947)
    ours = read_ros_map(STOCK / "depot.yaml").occupancy
    assert int(np.isnan(ours).sum()) == 8894
    np.testing.assert_array_equal(older[~np.isnan(ours)], ours[~np.isnan(ours)])


@pytest.mark.parametrize("file", sorted(STOCK.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_unmapped_pixel_of_a_stock_map_is_free(file: Path) -> None:
    pixels = np.asarray(Image.open(file.with_suffix(".pgm")))[::-1]
    np.testing.assert_array_equal(np.isnan(read_ros_map(file).occupancy), pixels == 205)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("image: map.pgm\n", ""), "`image` is missing"),
        (("resolution: 0.05\n", ""), "`resolution` is missing"),
        (("origin: [-1.0, 2.0, 0.5]\n", ""), "`origin` is missing"),
        (("occupied_thresh: 0.65\n", ""), "`occupied_thresh` is missing"),
        (("resolution: 0.05", "resolution: .nan"), "`resolution` must be a finite number"),
        (("resolution: 0.05", "resolution: five"), "`resolution` must be a finite number"),
        (("resolution: 0.05", "resolution: true"), "`resolution` must be a finite number"),
        (("resolution: 0.05", "resolution: -1"), "must be positive"),
        (("[-1.0, 2.0, 0.5]", "[1.0, 2.0]"), "must be \\[x, y, yaw\\]"),
        (("[-1.0, 2.0, 0.5]", "[1.0, 2.0, .inf]"), "`origin` must be a finite number"),
        (("occupied_thresh: 0.65", "occupied_thresh: 0.1"), "0 <= free_thresh < occupied_thresh"),
        (("negate: 0", "negate: maybe"), "`negate` must be 0 or 1"),
        (("negate: 0", "mode: quaternary"), "`mode` must be one of"),
        (("negate: 0", "mode: [trinary]"), "`mode` must be one of"),
        (("map.pgm", "missing.pgm"), "does not exist"),
        (("map.pgm", "[1]"), "must be a file name"),
        (("map.pgm", "broken.png"), "cannot be read as an image"),
        (("map.pgm", "short.pgm"), "truncated"),
        ((YAML, "- a list"), "must hold fields"),
        ((YAML, ""), "must hold fields"),
        ((YAML, "image: [1\n"), "line 2: not valid yaml"),
    ],
)
def test_damage_is_a_sentence(change: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "map.pgm").write_bytes(b"P2 1 1 255  0")
    (tmp_path / "short.pgm").write_bytes(b"P5 9 9 255\n  ")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (tmp_path / "map.yaml").write_text(YAML.replace(*change))
    with pytest.raises(FormatError, match=sentence) as caught:
        read_ros_map(tmp_path / "map.yaml")
    assert str(tmp_path) in str(caught.value)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    half = RosMap(np.full((2, 2), np.nan, dtype=np.float32), 0.1, mode="scale")
    with pytest.raises(FormatError, match=r"which .pgm lacks; use \.png"):
        write_ros_map(tmp_path / "map.yaml", half, "map.pgm")
    with pytest.raises(FormatError, match=r"ends in \.pgm or \.png"):
        write_ros_map(tmp_path / "map.yaml", half, "map.bmp")
    with pytest.raises(FormatError, match="mode must be one of"):
        write_ros_map(tmp_path / "map.yaml", RosMap(half.occupancy, 0.1, mode="binary"))
    with pytest.raises(FormatError, match="thresholds must satisfy"):
        write_ros_map(tmp_path / "map.yaml", RosMap(half.occupancy, 0.1, occupied_thresh=0.1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"occupancy": np.array([[3.0]])}, "probabilities"),
        ({"occupancy": np.array([0.5])}, "rows, columns"),
        ({"resolution": float("nan")}, "`resolution` must be a finite number"),
        ({"resolution": -0.1}, "positive resolution"),
        ({"origin": (0.0, float("inf"), 0.0)}, "`origin` must be a finite number"),
        ({"origin": (0.0, "east", 0.0)}, "`origin` must be a finite number"),
        ({"origin": (0.0, 0.0)}, "an origin \\(x, y, yaw\\)"),
    ],
)
def test_a_map_that_would_not_come_back_is_not_written(change: dict, sentence: str, tmp_path: Path) -> None:
    sound = {"occupancy": np.array([[0.5]]), "resolution": 0.1, "mode": "raw"}
    with pytest.raises(FormatError, match=sentence):
        write_ros_map(tmp_path / "room.yaml", RosMap(**{**sound, **change}))
    assert not list(tmp_path.iterdir())


def test_brackets_without_end(tmp_path: Path) -> None:
    (tmp_path / "room.yaml").write_text("[" * 20_000)
    with pytest.raises(FormatError, match="not valid yaml"):
        read_ros_map(tmp_path / "room.yaml")
