"""Takes one figure: one scenario, one server, one round."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fairness, tls_load
from .processes import (
    Cores,
    Failure,
    RunningServer,
    failure_text,
    run_load,
    running_load,
    running_process,
    running_server,
)
from .scenarios import Scenario
from .servers import SERVERS, Server

#: Seconds between keepalive pings where memory is measured: each connection is to have had one.
PING_INTERVAL = 8.0
#: How long opening connections, or draining, may take, in seconds.
PATIENCE = 60.0
#: How many messages of each connection a window has at least: with fewer it is the beginning that is measured.
LEAST_TURNS = 3
#: The longest window that is tried for that, in seconds.
LONGEST_WINDOW = 12.0
#: What clients are measured against.
_SERVER_OF_CLIENTS = "picows-uvloop"
#: How often a polite connection speaks, beside one that floods: messages per second.
POLITE_RATE = 500


@dataclass(frozen=True)
class Timing:
    """How long a figure is taken, in seconds, after how long a time to warm up."""

    seconds: float
    warmup: float

    @property
    def limit(self) -> float:
        """How long a load may run before it is killed, in seconds."""
        return 2 * (self.seconds + self.warmup) + 2 * PATIENCE


@dataclass(frozen=True)
class Figures:
    """What was measured of one server in one round. Times are microseconds, of memory bytes.

    Attributes:
        rate: Messages, deliveries or connections per second.
        cpu_us: The server's CPU time for each.
        p50_us, p99_us: Their latency, as fast as it goes.
        half_rate, half_cpu_us, half_p50_us, half_p99_us: The same at half that rate.
        load_busy: Which part of the time the load was busy: near 1 it is what limits.
        count: How many were counted, each of them checked.
        memory: Bytes per idle connection.
        gap_ms: The longest time that another task had to wait, in milliseconds.
        gap_cpu_ms: The same, without what other processes took.
    """

    rate: float | None = None
    cpu_us: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    half_rate: float | None = None
    half_cpu_us: float | None = None
    half_p50_us: float | None = None
    half_p99_us: float | None = None
    load_busy: float | None = None
    count: int = 0
    memory: float | None = None
    gap_ms: float | None = None
    gap_cpu_ms: float | None = None


@contextlib.contextmanager
def server_for(scenario: Scenario, server: Server, cores: Cores) -> Iterator[RunningServer]:
    """Run a server around a block, the way that a scenario needs it."""
    if scenario.kind.startswith("wss"):
        with tls_load.certificate() as pem, running_server(server, cores, certificate=str(pem)) as running:
            yield running
    elif scenario.kind == "idle":
        with running_server(server, cores, ping_interval=PING_INTERVAL, deflate=scenario.deflate) as running:
            yield running
    elif scenario.kind.startswith("client"):
        # The other way round: the client has the server's core, and the server the load's.
        with running_server(_server_of_clients(), Cores(cores.load, cores.server)) as running:
            running.client = server
            yield running
    elif scenario.kind == "gap":
        # Its watch wakes a thousand times a second.
        with running_server(server, cores, module="benchmarks.fairness", rest=0.5) as running:
            yield running
    else:
        with running_server(server, cores, deflate=scenario.deflate) as running:
            yield running


def _server_of_clients() -> Server:
    """Return the server that all clients are measured against."""
    reference = SERVERS[_SERVER_OF_CLIENTS]
    return reference if reference.why_not("echo") is None else SERVERS["perfectws"]


def measure(
    scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing, rate: float | None = None
) -> Figures:
    """Take the figures of one scenario. ``rate`` is the messages per second of a paced one.

    Raises:
        Failure: The server did not do as it must.
    """
    match scenario.kind:
        case "echo" if scenario.paced:
            assert rate is not None
            return _paced(scenario, running, cores, timing, rate)
        case "idle":
            return _memory(scenario, running, cores)
        case "wss":
            return _wss(scenario, running, cores, timing)
        case "wss-idle":
            return _wss_memory(scenario, running, cores)
        case "client" | "client-open":
            return _client(scenario, running, cores, timing)
        case "gap":
            return _gap(scenario, running, cores, timing)
        case "polite":
            return _polite(scenario, running, cores, timing)
        case _:
            return _saturated(scenario, running, cores, timing)


def _options(scenario: Scenario, timing: Timing) -> dict[str, Any]:
    options: dict[str, Any] = {"seconds": timing.seconds, "warmup": timing.warmup, "patience": PATIENCE}
    match scenario.kind:
        case "echo":
            options |= {"in_flight": scenario.in_flight, "spread": int(scenario.spread), "parts": scenario.parts}
            options["half"] = int(not scenario.spread and scenario.parts == 1 and not scenario.deflate)
            options["path"] = "/parts" if scenario.parts > 1 else "/echo"
        case "room" | "fanout":
            options |= {"path": "/room", "rotate": int(scenario.rotate)}
        case "open":
            options["opening"] = scenario.connections
    if scenario.deflate:
        options["deflate"] = 1
    return options | {"connections": scenario.connections, "size": scenario.size}


def _saturated(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing) -> Figures:
    report = _report(scenario, running, cores, timing)
    least = LEAST_TURNS * scenario.connections * scenario.in_flight
    if scenario.kind == "echo" and report["window"]["messages"] < least:
        report = _report(scenario, running, cores, _longer(timing, least / max(report["window"]["messages"], 1)))
        if report["window"]["messages"] < least / LEAST_TURNS:
            raise Failure(f"not one message of each connection came back in {report['window']['seconds']:.0f} s")
    latency = report["opening" if scenario.kind == "open" else "latency"]
    figures = _window(report["window"])
    figures |= {"p50_us": latency["p50_us"], "p99_us": latency["p99_us"]}
    if "half_window" in report:
        half = _window(report["half_window"])
        figures |= {"half_rate": half["rate"], "half_cpu_us": half["cpu_us"]}
        figures |= {"half_p50_us": report["paced"]["p50_us"], "half_p99_us": report["paced"]["p99_us"]}
    return Figures(**figures)


def _report(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing) -> dict[str, Any]:
    return run_load(scenario.kind, running, cores, timeout=timing.limit, **_options(scenario, timing))


def _longer(timing: Timing, factor: float) -> Timing:
    seconds = max(timing.seconds, min(1.2 * factor * timing.seconds, LONGEST_WINDOW))
    return Timing(seconds, max(timing.warmup, seconds / LEAST_TURNS))


def _window(window: dict[str, Any]) -> dict[str, Any]:
    count, seconds = window["messages"], window["seconds"]
    if not count:
        raise Failure(f"nothing came back in {seconds:.1f} s")
    return {
        "rate": count / seconds,
        "cpu_us": window["server_cpu_seconds"] / count * 1e6,
        "load_busy": window["busy"],
        "count": count,
    }


def _paced(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing, rate: float) -> Figures:
    options = _options(scenario, timing) | {"half": 0, "paced": scenario.connections, "rate": rate}
    report = run_load("echo", running, cores, timeout=timing.limit, **options)
    if report["overrun"] or report["window"]["messages"] < 0.9 * rate * timing.seconds:
        raise Failure(f"cannot do {rate:,.0f} messages a second")
    figures = _window(report["window"])
    return Figures(**figures, p50_us=report["paced"]["p50_us"], p99_us=report["paced"]["p99_us"])


def _polite(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing) -> Figures:
    options = _options(scenario, timing) | {"in_flight": scenario.in_flight, "paced": 1, "rate": POLITE_RATE}
    report = run_load("echo", running, cores, timeout=timing.limit, **options)
    figures = _window(report["window"])
    return Figures(**figures, p50_us=report["paced"]["p50_us"], p99_us=report["paced"]["p99_us"])


def _gap(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing) -> Figures:
    options = _options(scenario, timing) | {"in_flight": scenario.in_flight}
    fairness.read_gaps(running.port)  # what was seen before does not count
    report = run_load("echo", running, cores, timeout=timing.limit, **options)
    gaps = fairness.read_gaps(running.port)
    return Figures(**_window(report["window"]), gap_ms=gaps["longest_ms"], gap_cpu_ms=gaps["longest_cpu_ms"])


def _wss(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing) -> Figures:
    options = _options(scenario, timing)
    command = tls_load.command(running.port, running.process.pid, cores.load, options)
    report = tls_load.run(command, running, timing.limit)
    figures = _window(report["window"])
    return Figures(**figures, p50_us=report["latency"]["p50_us"], p99_us=report["latency"]["p99_us"])


def _memory(scenario: Scenario, running: RunningServer, cores: Cores) -> Figures:
    """Hold idle connections until each had a ping, and see what the server has grown by."""
    options: dict[str, Any] = {"size": scenario.size, "deflate": int(scenario.deflate)}
    # What the first ones cost is not theirs.
    run_load("echo", running, cores, timeout=PATIENCE, connections=100, seconds=0.2, **options)
    before = running.memory()
    options |= {"connections": scenario.connections, "seconds": PATIENCE, "patience": 2 * PATIENCE}
    with running_load("idle", running, cores, **options) as load:
        for expected in (b"open\n", b"pinged\n"):
            _expect(load, expected, running)
        time.sleep(0.5)  # the last pongs are still on their way
        memory = (running.memory() - before) / scenario.connections
    running.wait_for_rest()
    return Figures(memory=memory, count=scenario.connections)


def _wss_memory(scenario: Scenario, running: RunningServer, cores: Cores) -> Figures:
    """Hold idle TLS connections, and see what the server has grown by."""
    options = {"connections": 20, "size": scenario.size, "seconds": 0.2, "warmup": 0.1}
    tls_load.run(tls_load.command(running.port, running.process.pid, cores.load, options), running, PATIENCE)
    running.wait_for_rest()
    before = running.memory()
    options |= {"connections": scenario.connections}
    command = [*tls_load.command(running.port, running.process.pid, cores.load, options), "--idle"]
    with running_process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as load:
        _expect(load, b"open\n", running)
        running.wait_for_rest()
        memory = (running.memory() - before) / scenario.connections
    return Figures(memory=memory, count=scenario.connections)


def _client(scenario: Scenario, running: RunningServer, cores: Cores, timing: Timing) -> Figures:
    """Run a client against the server, and see what CPU time the client takes."""
    assert running.client is not None
    command = [sys.executable, "-m", "benchmarks.clients", running.client.name, "--port", str(running.port)]
    command += ["--parent", str(os.getpid())] + ([] if cores.server is None else ["--cpu", str(cores.server)])
    command += ["--connections", str(scenario.connections), "--size", str(scenario.size)]
    command += ["--seconds", str(timing.seconds), "--warmup", str(timing.warmup)]
    command += ["--opens"] if scenario.kind == "client-open" else []
    folder = Path(__file__).parent.parent
    try:
        finished = subprocess.run(
            command, capture_output=True, timeout=timing.limit, stdin=subprocess.DEVNULL, cwd=folder, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"not done after {timing.limit:.0f} s") from None
    if finished.returncode:
        raise Failure(failure_text(finished.stderr, running)[-2000:])
    return Figures(**_window(json.loads(finished.stdout)["window"]))


def _expect(load: subprocess.Popen[bytes], line: bytes, running: RunningServer) -> None:
    assert load.stdout is not None
    assert load.stderr is not None
    if load.stdout.readline() != line:  # it ends by itself, so that this cannot wait for ever
        raise Failure(failure_text(load.stderr.read(), running))
