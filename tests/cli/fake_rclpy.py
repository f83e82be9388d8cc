"""A stand-in for rclpy and its messages, as strict about fields and types as the classes that ROS 2 generates."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

CODES = {"float32": "f", "float64": "d", "int8": "b", "uint8": "B", "int32": "i", "uint32": "I"}
BASE, NAME, ARRAY, SEQUENCE = 1, 2, 3, 4


@cache
def message_class(name: str) -> type:
    """The class of a message, made from the definitions of rosbags."""
    from rosbags.typesys import Stores, get_typestore

    fields = dict(get_typestore(Stores.ROS2_HUMBLE).fielddefs[name][1])

    def init(self: Any, **given: Any) -> None:
        assert given.keys() <= fields.keys(), f"{name} has no fields {given.keys() - fields.keys()}"
        for field, kind in fields.items():
            vars(self)[field] = checked(given[field], kind, f"{name}.{field}") if field in given else default(kind)

    def setattr_(self: Any, field: str, value: Any) -> None:
        vars(self)[field] = checked(value, fields[field], f"{name}.{field}")

    return type(name.rpartition("/")[2], (), {"__init__": init, "__setattr__": setattr_})


def default(kind: Any) -> Any:
    """The value of a field that is not given."""
    node, (what, *more) = kind[0], kind[1] if isinstance(kind[1], tuple) else (kind[1],)
    if node == NAME:
        return message_class(what)()
    if node == BASE:
        return "" if what == "string" else False if what == "bool" else 0.0 if what.startswith("float") else 0
    inner = what[1][0]
    if node == ARRAY:
        return np.zeros(more[0], inner)
    return array.array(CODES[inner]) if inner in CODES else []


def checked(value: Any, kind: Any, field: str) -> Any:
    """The value, if a class that ROS 2 generates would take it."""
    node, (what, *more) = kind[0], kind[1] if isinstance(kind[1], tuple) else (kind[1],)
    if node == NAME:
        assert isinstance(value, message_class(what)), f"{field} is {type(value)}"
    elif node == BASE:
        wanted = {"string": str, "bool": bool}.get(what, float if what.startswith("float") else int)
        assert isinstance(value, wanted), f"{field} is {type(value)}; expected {wanted}"
    elif node == ARRAY:
        assert value.dtype == what[1][0] and value.shape == (more[0],), f"{field} is {value.dtype} {value.shape}"
    elif what[1][0] in CODES:
        assert isinstance(value, array.array) and value.typecode == CODES[what[1][0]], f"{field} is {type(value)}"
    else:
        assert all(isinstance(each, message_class(what[1])) for each in value), field
    return value


class FakeNode:
    """A node in all that a bridge uses of it, whose messages a test passes by hand."""

    def __init__(self, name: str) -> None:
        self.name, self.destroyed = name, False
        self.takers: dict[str, tuple[type, Callable[[Any], None], Any]] = {}
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.sent: list[tuple[str, Any]] = []
        self.said: list[str] = []

    def create_subscription(self, kind: type, topic: str, take: Callable[[Any], None], quality: Any) -> None:
        self.takers[topic] = kind, take, quality

    def create_publisher(self, kind: type, topic: str, depth: int) -> Any:
        def publish(message: Any) -> None:
            assert type(message) is kind, f"{topic} is for {kind}"
            self.sent.append((topic, message))

        return SimpleNamespace(publish=publish)

    def create_timer(self, period: float, call: Callable[[], None]) -> None:
        self.timers.append((period, call))

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.said.append)

    def destroy_node(self) -> None:
        self.destroyed = True

    def hear(self, topic: str, message: Any) -> list[tuple[str, Any]]:
        """Pass a message to the subscription of a topic, and return what the node publishes."""
        kind, take, _ = self.takers[topic]
        assert type(message) is kind
        before = len(self.sent)
        take(message)
        return self.sent[before:]


class FakeRclpy:
    """The module `rclpy`, whose `spin` runs a scenario on the node.

    Args:
        monkeypatch: puts it, and the packages of messages, in place of the real ones.
        scenario: what happens while the node spins; it may raise KeyboardInterrupt, as a user does.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, scenario: Callable[[FakeNode], None]) -> None:
        self.calls: list[str] = []
        self.node: FakeNode | None = None
        rclpy: Any = ModuleType("rclpy")
        rclpy.init = lambda: self.calls.append("init")
        rclpy.try_shutdown = lambda: self.calls.append("shutdown")
        rclpy.create_node = self.create_node
        rclpy.spin = scenario
        rclpy.qos = qos = ModuleType("rclpy.qos")
        vars(qos).update(
            QoSProfile=SimpleNamespace,
            ReliabilityPolicy=SimpleNamespace(BEST_EFFORT="best effort", RELIABLE="reliable"),
            DurabilityPolicy=SimpleNamespace(VOLATILE="volatile", TRANSIENT_LOCAL="transient local"),
        )
        for name, module in (("rclpy", rclpy), ("rclpy.qos", qos)):
            monkeypatch.setitem(sys.modules, name, module)
        for package in ("builtin_interfaces", "geometry_msgs", "nav_msgs", "sensor_msgs", "std_msgs", "tf2_msgs"):
            messages: Any = ModuleType(f"{package}.msg")
            messages.__getattr__ = lambda kind, package=package: message_class(f"{package}/msg/{kind}")
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
            monkeypatch.setitem(sys.modules, f"{package}.msg", messages)

    def create_node(self, name: str) -> FakeNode:
        self.node = FakeNode(name)
        return self.node
