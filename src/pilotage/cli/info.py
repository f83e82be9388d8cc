"""`pilotage info`: installed versions and compiled code."""

from __future__ import annotations

import importlib.metadata
import json as jsonlib
import os
import platform
import re
import sys
from typing import Any


def info(*, json: bool = False) -> None:
    """Show what is installed: versions, extras, compiled code.

    Args:
        json: Print one JSON object instead of text.
    """
    facts = gather()
    print(jsonlib.dumps(facts, indent=2) if json else _text(facts))


def gather() -> dict[str, Any]:
    """Everything that `pilotage info` shows, as plain values."""
    from pilotage.models.trace._compiler import on_disk

    from .warm import entries

    core, extras = requirements()
    drivers = entries()
    return {
        "pilotage": importlib.metadata.version("pilotage"),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "core": core,
        "extras": extras,
        "drivers": len(drivers),
        "warm": sum(map(on_disk, drivers)),
        "cores": os.cpu_count(),
    }


def requirements() -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    """Versions of the core dependencies and of those of each extra; None where a package is not installed."""
    core: dict[str, str | None] = {}
    extras: dict[str, dict[str, str | None]] = {}
    for line in importlib.metadata.requires("pilotage") or []:
        requirement, _, marker = line.partition(";")
        name = re.split(r"[\s<>=!~\[(]", requirement.strip())[0]
        limit = re.search(r"python_version < '(\d+)\.(\d+)'", marker.replace('"', "'"))
        if name == "pilotage" or (limit and sys.version_info[:2] >= (int(limit[1]), int(limit[2]))):
            continue
        extra = re.search(r"extra == '([\w-]+)'", marker.replace('"', "'"))
        target = extras.setdefault(extra[1], {}) if extra else core
        target[name] = _version(name)
    return core, extras


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _text(facts: dict[str, Any]) -> str:
    rows = [
        ("pilotage", facts["pilotage"]),
        ("python", f"{facts['python']} ({facts['executable']})"),
        ("platform", facts["platform"]),
        ("cores", facts["cores"]),
        ("packages", ", ".join(f"{name} {version}" for name, version in facts["core"].items())),
        ("drivers", _drivers(facts["warm"], facts["drivers"])),
    ]
    for extra, packages in facts["extras"].items():
        if extra != "all":  # the others, again
            rows.append((f"[{extra}]", _extra(extra, packages, facts["extras"])))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def _extra(extra: str, packages: dict[str, str | None], extras: dict[str, dict[str, str | None]]) -> str:
    """Name what an extra consists of: other extras whole, then its own packages, then what is missing."""
    inside = {name: set(parts) for name, parts in extras.items() if set(parts) < set(packages)}
    widest = [name for name, parts in inside.items() if not any(parts < other for other in inside.values())]
    shared = set[str]().union(*inside.values())
    missing = [name for name, version in packages.items() if version is None]
    found = [f"{name} {version}" for name, version in packages.items() if version and name not in shared]
    here = ", ".join([*(f"[{name}]" for name in widest), *found])
    cure = f"not installed: {', '.join(missing)} (pip install 'pilotage[{extra}]')" if missing else ""
    return "; ".join(part for part in (here, cure) if part)


def _drivers(warm: int, count: int) -> str:
    rest = "" if warm == count else "; the others are compiled when they are first used, or now by `pilotage warm`"
    return f"{warm} of {count} compiled{rest}"
