"""Hypothesis plays with a whole WebSocket: peer, application, network and clock, step by step."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .data import Data
from .watching import Boom, watched
from .web_socket import MAX_WRITE_BUFFERS, World

#: More, and longer, by ``PERFECTWS_PROPERTIES=deep`` in `tests/properties`, and by ``python -m tests.fuzz``.
EXAMPLES, STEPS = 40, 25

bytes_ = st.integers(0, 255)


class Machine(RuleBasedStateMachine):
    """What may happen to a connection; `World` says what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.around = ExitStack()
        self.world: World | None = None

    @initialize(is_client=st.booleans(), with_deflate=st.booleans(), most=st.sampled_from(MAX_WRITE_BUFFERS))
    def open(self, is_client: bool, with_deflate: bool, most: int) -> None:
        self.around.enter_context(watched(Boom))
        self.world = World(is_client, with_deflate, most)

    def take(self, step: int, which: int, much: int, rest: bytes = b"") -> None:
        assert self.world is not None
        self.world.take(step, Data(bytes((which, much)) + rest))

    @rule(data=st.binary(max_size=40))
    def bring_anything(self, data: bytes) -> None:
        self.take(0, 0, len(data), data)

    @rule(step=st.sampled_from([1, 3]), which=bytes_, much=bytes_)
    def bring_a_frame(self, step: int, which: int, much: int) -> None:
        self.take(step, which, much)

    @rule(which=bytes_, much=bytes_)
    def call(self, which: int, much: int) -> None:
        self.take(4, which, much)

    @rule(which=bytes_, much=bytes_)
    def plan_for_a_callback(self, which: int, much: int) -> None:
        self.take(6, which, much)

    @rule(which=bytes_, much=bytes_)
    def call_in_a_thread(self, which: int, much: int) -> None:
        self.take(8, which, much)

    @rule(step=st.sampled_from([9, 14]))
    def turn(self, step: int) -> None:
        self.take(step, 0, 0)

    @rule(much=bytes_)
    def let_time_pass(self, much: int) -> None:
        self.take(11, 0, much)

    @rule(step=st.sampled_from([12, 13]), much=bytes_)
    def take_output(self, step: int, much: int) -> None:
        self.take(step, 0, much)

    @rule(which=bytes_)
    def interrupt(self, which: int) -> None:
        self.take(15, which, 0)

    @precondition(lambda self: self.world is not None)
    @invariant()
    def nothing_is_wrong(self) -> None:
        assert self.world is not None
        self.world.check()

    def teardown(self) -> None:
        """Fail if anything is left."""
        world, self.world = self.world, None
        with self.around:
            socket = None if world is None else world.finish()
            del world
            assert socket is None or socket() is None, (
                "the socket is held by something that only the collector would find"
            )


TestWebSocket = Machine.TestCase
TestWebSocket.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS)
