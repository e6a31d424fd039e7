"""What a figure was measured on: the processor, the system, and the versions of what ran."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import perfectws


def processor() -> str:
    """Return what the processor calls itself."""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def description() -> str:
    """Say what this machine is, in words that tell nothing of whose it is: no name, and no build of its kernel."""
    release = re.match(r"\d+(\.\d+)?", platform.release())
    cores = os.cpu_count() or 1
    system = f"{platform.system()} {release[0] if release else ''}".strip()
    return f"{cores} {'core' if cores == 1 else 'cores'}, {processor()}, {system}"


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, of perfectws, and of those of the packages that are installed."""
    found = {"python": sys.version.split()[0], "perfectws": perfectws.__version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
