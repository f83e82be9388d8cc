"""Drawings show the given data: artists hold it, in metres."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist, ArtistInspector
from matplotlib.colors import to_rgba
from PIL import Image
from scipy import stats

from pilotage.core import (
    BOX,
    Gaussian,
    Mixture,
    Particles,
    PilotageError,
    Plan,
    PlanStatus,
    Raster,
    Scans,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
    TrackTable,
)
from pilotage.estimators import EKF
from pilotage.maps import OccupancyGrid
from pilotage.models import position, radar, unicycle
from pilotage.viz import (
    NavigationRun,
    draw_belief,
    draw_detections,
    draw_discs,
    draw_ellipse,
    draw_goals,
    draw_grid,
    draw_particles,
    draw_path,
    draw_pose,
    draw_raster,
    draw_scan,
    draw_tracks,
    map_figure,
    navigation_animation,
    navigation_picture,
    scale_bar,
    write_animation,
)

POSE = Space("x y [m]", "yaw: angle")
GRID = OccupancyGrid.from_ascii(["#####", "#..?#", "#...#", "#####"], resolution=0.5, origin=(2.0, -1.0, 0.4))


def test_tracks_and_detections_are_where_the_table_says() -> None:
    _, ax = map_figure([[0, 0], [10, 10]])
    space = Space("vx [m/s]", "x y [m]")
    tracks = TrackTable([0, 1, 0, 1], [4, 4, 2, 2], [[9, 0, 1], [9, 2, 3], [9, 4, 5], [9, 6, 7]], space=space)
    lines = draw_tracks(ax, tracks, color="red")
    assert [line.get_xydata().tolist() for line in lines] == [[[4, 5], [6, 7]], [[0, 1], [2, 3]]]
    assert [line.get_label() for line in lines] == ["2", "4"] and lines[0].get_color() == "red"
    assert [text.get_text() for text in ax.texts] == ["2", "4"]
    box = TrackTable([0.0], [1], [[10, 20, 4, 8]], space=BOX)
    assert draw_tracks(ax, box, names=False)[0].get_xydata().tolist() == [[12, 24]] and len(ax.texts) == 2
    for sensor, row, place in (
        (position(), [1, 2], [1, 2]),
        ("radar", [1, 2], [1, 2]),
        ("camera", [10, 20, 4, 8], [12, 24]),
    ):
        assert draw_detections(ax, Scans(sensor, [[row], []], [0.0, 1.0])).get_offsets().tolist() == [place]
    with pytest.raises(SpaceError, match="range"):
        draw_detections(ax, Scans(radar(), [[[1, 2, 3]]], [0.0]))


def test_every_cell_is_where_the_map_says() -> None:
    _, ax = map_figure(GRID)
    limits = ax.get_xlim(), ax.get_ylim()
    image = draw_grid(ax, GRID)
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    colors = np.asarray(image.get_array())
    assert len(np.unique(colors[GRID.occupied], axis=0)) == len(np.unique(colors[GRID.free], axis=0)) == 1
    assert len(np.unique(colors.reshape(-1, 3), axis=0)) == 3
    to_world = image.get_transform() - ax.transData
    cells = np.array([[0, 0], [2, 3], [3, 4]])
    np.testing.assert_allclose(to_world.transform(cells[:, ::-1] + 0.5), GRID.cell_to_world(cells), atol=1e-9)


def test_metres_are_equal_and_all_that_is_known_is_seen() -> None:
    figure, ax = map_figure(GRID, width=5.0)
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    known = GRID.cell_to_world(np.argwhere(~GRID.unknown))
    assert (known > [x0, y0]).all()
    assert (known < [x1, y1]).all()
    box = ax.get_window_extent()
    assert box.width / (x1 - x0) == pytest.approx(box.height / (y1 - y0), rel=1e-6)
    assert figure.get_figwidth() == 5.0
    bar = scale_bar(ax).get_xdata()
    assert bar[1] - bar[0] == pytest.approx(0.5)


def test_inflation_is_shaded() -> None:
    _, ax = map_figure(GRID)
    grown = GRID.inflate(0.5)
    colors = np.asarray(draw_grid(ax, grown).get_array())
    assert (colors[GRID.occupied] == colors[0, 0]).all()
    assert (colors[grown.occupied & ~GRID.occupied] != colors[0, 0]).any(axis=-1).all()


def test_raster_path_discs_and_goals_hold_their_numbers() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    raster = Raster([[0.0, 1.0], [2.0, 3.0]], resolution=1.0)
    np.testing.assert_array_equal(draw_raster(ax, raster).get_array(), raster.values)
    path = np.array([[0.0, 0.0, 9.0], [1.0, 2.0, 9.0]])
    np.testing.assert_array_equal(draw_path(ax, path).get_xydata(), path[:, :2])
    discs = draw_discs(ax, [[1, 1], [2, 2]], [0.5, 0.25])
    extents = [p.get_extents() for p in discs.get_paths()]
    assert [e.width for e in extents] == pytest.approx([1.0, 0.5])
    dots, texts = draw_goals(ax, [[1, 2], [3, 1]])
    np.testing.assert_array_equal(dots.get_offsets(), [[1, 2], [3, 1]])
    assert [text.get_text() for text in texts] == ["1", "2"]
    assert draw_goals(ax, [[1, 2]], names=False)[1] == [] and len(ax.texts) == 2


def test_plans_and_beliefs_are_paths_in_colours_of_their_own() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    xs = np.array([[0.5, 1.0, 2.0], [0.5, 3.0, 1.0]])
    plan = Plan(PlanStatus.SOLVED, POSE, xs, cost=1.0)
    beliefs = Gaussian.of(Space("yaw: angle", "x y [m]"), xs, std=1.0)
    lines = [draw_path(ax, xs), draw_path(ax, plan), draw_path(ax, beliefs), draw_path(ax, xs, color="red")]
    assert np.array_equal(lines[1].get_xydata(), xs[:, :2]) and np.array_equal(lines[2].get_xydata(), xs[:, 1:])
    assert len({line.get_color() for line in lines}) == 4 and lines[3].get_color() == "red"
    with pytest.raises(ShapeError, match="the plan has no path to draw: .*out of time"):
        draw_path(ax, Plan(PlanStatus.BUDGET, reason="out of time"))


def test_a_belief_takes_a_style() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    known = Gaussian.of(POSE, [1, 1, 0.5], std=0.1)
    for belief in (known, Mixture([known, known], np.log([0.8, 0.2]))):
        ellipse, arrow = draw_belief(ax, belief, lw=3.0, color="lime")[:2]
        assert ellipse.get_linewidth() == 3.0  # pyright: ignore[reportAttributeAccessIssue]
        assert ellipse.get_edgecolor()[:3] == arrow.get_facecolor()[:3] == to_rgba("lime")[:3]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_map_leaves_little_above() -> None:
    for given, head in (({}, 0.36), ({"head": 1.0}, 1.0)):
        figure, ax = map_figure([[0, 0], [4, 3]], **given)
        assert (1.0 - ax.get_position().y1) * figure.get_figheight() == pytest.approx(head)


def test_a_pose_points_along_its_yaw() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    tip = draw_pose(ax, [1.0, 2.0, np.pi / 2], 0.5).get_xy()[0]
    np.testing.assert_allclose(tip, [1.0, 2.5], atol=1e-12)


def test_beams_that_saw_nothing_are_left_out() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    drawn = draw_scan(ax, [1, 1, np.pi / 2], [1.0, np.nan, 9.0, 2.0], [0.0, 1.0, 2.0, -np.pi / 2], max_range=5.0)
    np.testing.assert_allclose(drawn.get_segments(), [[[1, 1], [1, 2]], [[1, 1], [3, 1]]], atol=1e-12)


def test_an_ellipse_holds_its_share_of_samples() -> None:
    mean, cov = np.array([1.0, -2.0]), np.array([[2.0, 0.9], [0.9, 0.7]])
    _, ax = map_figure([[-5, -5], [5, 5]])
    ellipse = draw_ellipse(ax, mean, cov, probability=0.9)
    draws = np.random.default_rng(0).multivariate_normal(mean, cov, 20_000)
    unit = ellipse.get_patch_transform().inverted().transform(draws)
    assert (np.hypot(*unit.T) < 1).mean() == pytest.approx(0.9, abs=0.01)
    assert ellipse.get_width() * ellipse.get_height() == pytest.approx(
        4 * stats.chi2(2).ppf(0.9) * np.sqrt(np.linalg.det(cov))
    )
    with pytest.raises(ShapeError, match="mean"):
        draw_ellipse(ax, [1, 2, 3], cov)


def test_beliefs_of_every_kind() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    known = Gaussian.of(POSE, [1, 1, 0.5], std=[0.1, 0.2, 0.1])
    cloud = Particles(POSE, known.sample(7000, rng=0))
    assert len(draw_belief(ax, known)) == 2
    dots = draw_particles(ax, cloud)
    assert 1000 < len(dots.get_offsets()) <= 3000
    ellipse = draw_belief(ax, cloud)[1]
    assert ellipse.get_center() == pytest.approx(cloud.moments().mean[:2])
    both = draw_belief(ax, Mixture([known, known], np.log([0.8, 0.2])))
    assert both[0].get_alpha() > both[-1].get_alpha()
    assert len(draw_belief(ax, Gaussian.of(Space("x y [m]"), [1, 1], std=0.1))) == 1
    se2 = Gaussian.of(Space("speed [m/s]", "pose: SE2"), [9, 1, 2, 0.5], std=[5, 0.1, 0.1, 0.1])
    assert draw_belief(ax, se2)[0].get_center() == pytest.approx([1, 2])


@pytest.mark.parametrize("yaw", [0.0, 0.7, np.pi / 2])
@pytest.mark.parametrize("kind", ["SE2", "SE3"])
def test_the_ellipse_of_a_pose_lies_in_the_world(kind: str, yaw: float) -> None:
    """A pose is uncertain along its own axes; samples of it tell where that is in the world."""
    space = Space(f"pose: {kind}")
    x = space.plus(space.identity(), [1.0, 2.0, *[0.0] * (space.dim - 3), 0.0])
    x = space.plus(x, [*[0.0] * (space.dim - 1), yaw])
    belief = Gaussian.of(space, x, std=[0.3, 0.05, *[0.02] * (space.dim - 2)])
    _, ax = map_figure([[0, 0], [4, 3]])
    ellipse = draw_belief(ax, belief, probability=0.9)[0]
    unit = ellipse.get_patch_transform().inverted().transform(belief.sample(20_000, rng=0)[:, :2])
    assert (np.hypot(*unit.T) < 1).mean() == pytest.approx(0.9, abs=0.01)
    assert ellipse.get_width() < ellipse.get_height()
    assert np.cos(2.0 * (np.radians(ellipse.get_angle()) - yaw + np.pi / 2)) == pytest.approx(1.0, abs=0.01)


def test_what_cannot_be_drawn_is_refused() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    with pytest.raises(ShapeError, match=r"path has shape \(3, 1\); expected \(K, 2\)"):
        draw_path(ax, np.zeros((3, 1)))
    with pytest.raises(ShapeError, match=r"a pose has shape \(2,\); expected \(3,\)"):
        draw_pose(ax, [0.0, 0.0])
    with pytest.raises(ShapeError, match=r"ranges of shape \(2,\) and angles of shape \(1,\)"):
        draw_scan(ax, [0, 0, 0], [1.0, 2.0], [0.0])
    with pytest.raises(ShapeError, match="an ellipse needs a mean .* and a finite covariance"):
        draw_ellipse(ax, [0, 0], np.full((2, 2), np.nan))
    with pytest.raises(SettingError, match="probability is 1.0"):
        draw_ellipse(ax, [0, 0], np.eye(2), probability=1.0)
    with pytest.raises(SettingError, match="probability is 'all'"):
        draw_ellipse(ax, [0, 0], np.eye(2), probability="all")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match=r"radii have shape \(3,\); expected one of them, or \(1,\)"):
        draw_discs(ax, [[1, 1]], [1.0, 2.0, 3.0])
    for draw in (draw_path, draw_goals, draw_particles, draw_pose):
        with pytest.raises(ShapeError, match="is not an array of numbers"):
            draw(ax, "here")
    with pytest.raises(ShapeError, match=r"Gaussians of shape \(3,\) were given; one is drawn at a time"):
        draw_belief(ax, Gaussian.of(POSE, np.zeros((3, 3)), std=1.0))
    robot = EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=1.0)
    for draw, wrong, sentence in (
        (draw_grid, np.zeros((2, 2)), r"draw_grid needs .*from_occupied\("),
        (draw_raster, GRID, r"draw_raster needs .*distance_field\("),
        (draw_belief, robot, r"draw_belief needs .*\.belief"),
    ):
        with pytest.raises(SettingError, match=sentence):
            draw(ax, wrong)
    with pytest.raises(SettingError, match="did you mean color"):
        draw_path(ax, [[0, 0]], colour="red")
    for bad in ([[0, 0]], [[1, 1], [0, 0]], [[0, 0], [1, 0]], [[0, 0], [1, np.inf]]):
        with pytest.raises(ShapeError, match="are no corners; expected the lower left and the upper right one"):
            map_figure(bad)


def test_nothing_is_drawn_of_nothing() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    assert len(draw_path(ax, []).get_xydata()) == 0
    assert len(draw_goals(ax, [])[1]) == 0
    assert len(draw_particles(ax, []).get_offsets()) == 0
    assert len(draw_discs(ax, [], 1.0).get_paths()) == 0
    assert len(draw_scan(ax, [0, 0, 0], [], []).get_segments()) == 0


Draw = Callable[..., Any]
DRAWN: dict[str, Draw] = {
    "path": lambda ax, **style: draw_path(ax, [[0, 0], [1, 1]], **style),
    "pose": lambda ax, **style: draw_pose(ax, [1, 1, 0], **style),
    "goals": lambda ax, **style: draw_goals(ax, [[1, 1]], **style)[0],
    "scan": lambda ax, **style: draw_scan(ax, [1, 1, 0], [1.0], [0.0], **style),
    "ellipse": lambda ax, **style: draw_ellipse(ax, [1, 1], np.eye(2), **style),
    "particles": lambda ax, **style: draw_particles(ax, [[1, 1]], **style),
    "discs": lambda ax, **style: draw_discs(ax, [[1, 1]], 0.5, **style),
}
ALTERED = {
    "color": "red",
    "facecolor": "red",
    "edgecolor": "red",
    "linewidth": 3.0,
    "linestyle": "-",
    "antialiased": True,
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.filterwarnings("error")
def test_settings_have_all_of_their_names(draw: Draw) -> None:
    """Matplotlib itself lists the names; drawn by any of them, the artist has what was asked for."""
    _, ax = map_figure([[0, 0], [4, 3]])
    names = ArtistInspector(draw(ax)).aliasd
    asked = [(name, alias) for name in ALTERED.keys() & names for alias in {name, *names[name]}]
    assert {("linewidth", "lw"), ("linestyle", "ls")} <= set(asked)
    for name, alias in asked:
        drawn, same = draw(ax, **{alias: ALTERED[name]}), draw(ax)
        same.set(**{name: ALTERED[name], "alpha": drawn.get_alpha()})
        assert np.array_equal(getattr(drawn, f"get_{name}")(), getattr(same, f"get_{name}")())
    with pytest.raises(TypeError, match="aliases of one another"):
        draw(ax, lw=1.0, linewidth=2.0)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.filterwarnings("error")
def test_one_colour_replaces_all_that_are_seen(draw: Draw) -> None:
    def seen(artist: Artist) -> set[tuple[float, ...]]:
        found = [
            getattr(artist, get)() for get in ("get_color", "get_facecolor", "get_edgecolor") if hasattr(artist, get)
        ]
        rows = [
            tuple(row) for color in found for row in np.atleast_2d(to_rgba(color) if isinstance(color, str) else color)
        ]
        return {row[:3] for row in rows if len(row) == 4 and row[3] > 0.0}

    _, ax = map_figure([[0, 0], [4, 3]])
    assert seen(draw(ax, color="lime")) == {to_rgba("lime")[:3]} != seen(draw(ax))


def test_dots_take_a_colour_each_and_fields_an_interpolation() -> None:
    _, ax = map_figure([[0, 0], [4, 3]])
    np.testing.assert_array_equal(
        draw_particles(ax, [[1, 1], [2, 2]], c=[0.1, 0.9], cmap="viridis").get_array(), [0.1, 0.9]
    )
    np.testing.assert_array_equal(draw_goals(ax, [[1, 1], [2, 2]], c=[0.1, 0.9])[0].get_array(), [0.1, 0.9])
    assert draw_raster(ax, Raster(np.eye(2), 1.0), interpolation="bilinear").get_interpolation() == "bilinear"


def run_of(ticks: int) -> NavigationRun:
    truth = np.stack([np.linspace(2.5, 3.5, ticks), np.full(ticks, 0.1), np.zeros(ticks)], -1)
    known = np.arange(ticks) >= ticks // 2
    return NavigationRun(
        GRID, 0.1 * np.arange(ticks), truth, truth + [0.03, 0.04, 0.0], np.tile(0.01 * np.eye(3), (ticks, 1, 1)), known,
        clouds=[truth[:3]] * ticks, plans=[None] * (ticks - 1) + [truth], scans=np.ones((ticks, 2)),
        angles=np.array([0.0, 1.0]), max_range=3.0, goals=truth[[-1], :2], reached=np.array([0.1 * ticks]),
        obstacles=np.array([[3.0, 0.3, 0.1]]),
    )  # fmt: skip


def test_picture_shows_paths_and_error() -> None:
    run = run_of(20)
    assert run.found == 10
    np.testing.assert_allclose(run.error, 0.05)
    figure = navigation_picture(run, title="a title")
    ax, strip = figure.axes
    lines = [line.get_xydata() for line in ax.lines]
    assert any(np.array_equal(xy, run.truth[10:, :2]) for xy in lines)
    assert any(np.array_equal(xy, run.mean[10:, :2]) for xy in lines)
    np.testing.assert_allclose(strip.lines[0].get_ydata(), run.error)
    assert "a title" in [text.get_text() for text in figure.texts]


@pytest.mark.filterwarnings("error")
def test_film(tmp_path: Path) -> None:
    file = navigation_animation(tmp_path / "film.gif", run_of(9), frames=6, width=2.0)
    with Image.open(file) as film:
        assert (getattr(film, "n_frames", 1), film.info["duration"]) == (6, 70)
        first = np.asarray(film.convert("RGB"), dtype=int)
        film.seek(5)
        assert (np.abs(np.asarray(film.convert("RGB"), dtype=int) - first).max(axis=-1) > 40).any()
        # Colours are those that were drawn, give or take what a palette takes from them.
        assert min(abs(np.array([38, 50, 56]) - pixel).max() for pixel in np.unique(first.reshape(-1, 3), axis=0)) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]


def test_films_of_no_kind_are_refused(tmp_path: Path) -> None:
    figure, ax = map_figure(GRID)
    line = draw_path(ax, [[0, 0], [1, 1]], color="red")
    assert line.get_color() == "red"
    with pytest.raises(PilotageError, match=r"\.gif or \.mp4"):
        write_animation(tmp_path / "film.avi", figure, [line], lambda i: None, 3)
    with pytest.raises(PilotageError, match="at least one frame"):
        write_animation(tmp_path / "film.gif", figure, [line], lambda i: None, 0)


def test_runs_that_do_not_fit_are_refused() -> None:
    good = run_of(4)
    with pytest.raises(ShapeError, match=r"mean has shape \(3, 3\); expected \(4, 3\)"):
        NavigationRun(GRID, good.times, good.truth, good.mean[:3], good.cov, good.known)
    with pytest.raises(ShapeError, match="clouds has 1 entries; expected 4"):
        NavigationRun(GRID, good.times, good.truth, good.mean, good.cov, good.known, clouds=[good.truth])
