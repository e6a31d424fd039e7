"""Runs the scenarios in rounds: every server once, then every server again, so that what the machine does meanwhile
meets them all alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from .measure import Figures, Timing, measure, server_for
from .processes import Cores, Failure
from .results import REFERENCE, Block, Outcome, Results
from .scenarios import Scenario, echo, why_impossible
from .servers import SERVERS, Server

#: What is measured: each scenario, and the servers that are measured in it.
Plan = Sequence[tuple[Scenario, Sequence[Server]]]
Say = Callable[[str], object]


def say(text: str) -> None:
    """Tell how far it is, beside what is printed."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def run(plan: Plan, cores: Cores, timing: Timing, rounds: int, say: Say = say) -> Results:
    """Measure all of it. A server that fails has no figures, and says why. What is interrupted keeps what it has."""
    results = Results()
    try:
        for number, (scenario, servers) in enumerate(plan, 1):
            say(f"[{number}/{len(plan)}] {scenario.name}: {scenario.title}")
            results.blocks.append(_new_block(scenario, servers))
            _run_block(results.blocks[-1], cores, timing, rounds, say)
    except KeyboardInterrupt:  # every process that was started has ended
        results.was_stopped = True
    return results


def _new_block(scenario: Scenario, servers: Sequence[Server]) -> Block:
    impossible = why_impossible(scenario)
    reasons = {server.name: impossible or server.why_not(scenario.kind, scenario.deflate) for server in servers}
    return Block(scenario, {server.name: Outcome(server, reason=reasons[server.name]) for server in servers})


def _run_block(block: Block, cores: Cores, timing: Timing, rounds: int, say: Say) -> None:
    scenario = block.scenario
    if scenario.kind.endswith("idle"):
        rounds = 1  # memory hardly varies, and ten thousand connections take their time
    for number in range(rounds):
        outcomes = [outcome for outcome in block.outcomes.values() if outcome.reason is None]
        if not outcomes:
            return
        try:
            rate = _reference_rate(scenario, cores, timing) if scenario.paced else None
        except Failure as failure:
            _fail_all(outcomes, f"there is no rate to go by: {failure}")
            return
        first = number % len(outcomes)  # another one each round, so that none always follows the same
        for outcome in outcomes[first:] + outcomes[:first]:
            _run_one(scenario, outcome, number, cores, timing, rate)
            say(f"    round {number + 1}: {outcome.server.name:20} {_in_short(outcome, number)}")


def _fail_all(outcomes: Sequence[Outcome], reason: str) -> None:
    for outcome in outcomes:
        outcome.reason, outcome.failed = reason, True


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
