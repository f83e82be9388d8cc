"""The public check finds what it is for."""

from __future__ import annotations

import pytest

from pilotage.core import SE2, SE3, Angle, LeftPerturbed, Quaternion, Space, means
from pilotage.testing import check_space


def no_wrap(self, y, x, m):
    return [y[0] - x[0]]


def no_arc(self, x, d, m):
    c, s = m.cos(x[2]), m.sin(x[2])
    return [x[0] + c * d[0] - s * d[1], x[1] + s * d[0] + c * d[1], m.wrap(x[2] + d[2])]


def wrong_side(self, x, d, m):
    return SE3_PLUS(self, x, [d[0], d[1], d[2], -d[3], d[4], d[5]], m)


SE3_PLUS = SE3.plus


def drifting(self, x, d, m):
    return [1.001 * c for c in QUATERNION_PLUS(self, x, d, m)]


QUATERNION_PLUS = Quaternion.plus


@pytest.mark.parametrize(
    ("part", "method", "broken", "law"),
    [
        (Angle, "minus", no_wrap, "minus on arrays = minus on components"),
        (SE2, "plus", no_arc, r"minus\(plus\(x, d\), x\) = d"),
        (SE3, "plus", wrong_side, r"minus\(plus\(x, d\), x\) = d"),
        (Quaternion, "plus", drifting, r"plus\(x, 0\) = x"),
    ],
)
def test_a_broken_part_is_found(monkeypatch, part, method, broken, law):
    monkeypatch.setattr(part, method, broken)
    with pytest.raises(AssertionError, match=rf"{law} fails on Space.*off by"):
        check_space(Space(f"p: {part.kind}"))


def test_a_side_that_is_mixed_up_is_found(monkeypatch):
    for method in ("plus", "minus", "transport", "rate"):
        monkeypatch.setattr(LeftPerturbed, method, lambda self, *given, method=method: getattr(self.of, method)(*given))
    with pytest.raises(AssertionError, match="on the left fails on Space"):
        check_space(Space("p: SE2 left"))
    monkeypatch.undo()
    monkeypatch.setattr(SE2, "swapped", lambda self, x, d, m: d)
    with pytest.raises(AssertionError, match="swapped to the left is the adjoint fails on Space"):
        check_space(Space("p: SE2 left"))


def test_a_mean_that_averages_components_is_found(monkeypatch):
    monkeypatch.setattr(means, "_descend", lambda space, xs, w: (w[..., None] * xs).sum(-2))
    with pytest.raises(AssertionError, match="mean"):
        check_space(Space("yaw: angle"))
