"""Runs the scenarios in rounds: every server once, then every server again, so that what the machine does meanwhile
meets them all alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from .measure import Figures, Timing, measure, server_for
from .processes import Cores, Failure
from .results import REFERENCE, Block, Outcome, Results
from .scenarios import Scenario, echo
from .servers import SERVERS, Server

#: What is measured: each scenario, and the servers that are measured in it.
Plan = Sequence[tuple[Scenario, Sequence[Server]]]
Say = Callable[[str], None]


def say(text: str) -> None:
    """Tell how far it is, beside what is printed."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run(plan: Plan, cores: Cores, timing: Timing, rounds: int, say: Say = say) -> Results:
    """Measure all of it. A server that fails has no figures, and says why."""
    results = Results()
    for number, (scenario, servers) in enumerate(plan, 1):
        say(f"[{number}/{len(plan)}] {scenario.name}: {scenario.title}")
        results.blocks.append(_run_block(scenario, servers, cores, timing, rounds, say))
    return results


def _run_block(
    scenario: Scenario, servers: Sequence[Server], cores: Cores, timing: Timing, rounds: int, say: Say
) -> Block:
    block = Block(scenario, {server.name: Outcome(server, reason=server.why_not(scenario.kind)) for server in servers})
    if scenario.kind == "idle":
        rounds = 1  # memory hardly varies, and ten thousand connections take their time
    for number in range(rounds):
        rate = _reference_rate(scenario, cores, timing) if scenario.paced else None
        for outcome in block.outcomes.values():
            if outcome.reason is None:
                _run_one(scenario, outcome, number, cores, timing, rate)
                say(f"    round {number + 1}: {outcome.server.name:20} {_in_short(outcome, number)}")
    return block


def _run_one(
    scenario: Scenario, outcome: Outcome, number: int, cores: Cores, timing: Timing, rate: float | None
) -> None:
    try:
        with server_for(scenario, outcome.server, cores) as running:
            outcome.rounds[number] = measure(scenario, running, cores, timing, rate)
    except Failure as failure:
        outcome.reason, outcome.failed = str(failure), not scenario.paced


def _reference_rate(scenario: Scenario, cores: Cores, timing: Timing) -> float:
    """Return half of what the reference can do in this shape, or perfectws where it is not installed."""
    shape = echo(scenario.size, scenario.connections, scenario.in_flight)
    reference = SERVERS[REFERENCE]
    if reference.why_not("echo") is not None:
        reference = SERVERS["perfectws"]
    with server_for(shape, reference, cores) as running:
        return (measure(shape, running, cores, timing).rate or 0) / 2


def _in_short(outcome: Outcome, number: int) -> str:
    figures = outcome.rounds.get(number)
    return outcome.reason or "" if figures is None else in_words(figures)


def in_words(figures: Figures) -> str:
    """Return what matters most of one round."""
    if figures.memory is not None:
        return f"{figures.memory / 1024:.1f} KB each"
    parts = []
    if figures.gap_ms is not None:
        parts.append(f"longest gap {figures.gap_ms:.1f} ms ({figures.gap_cpu_ms:.1f} ms of CPU)")
    if figures.cpu_us is not None:
        parts.append(f"{figures.cpu_us:.2f} µs each, {figures.rate:,.0f} a second")
    if figures.p99_us is not None:
        parts.append(f"p99 {figures.p99_us:,.0f} µs")
    return ", ".join(parts)
