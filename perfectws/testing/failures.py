"""What callbacks raised while a test ran: the framework logs it and goes on, a test is to fail of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from traceback import format_exception

from ..callbacks import CallbackOwner
from ..errors import ConnectionClosed, ConnectionRejected
from ..net.loop import Loop
from ..websocket.opcodes import CloseCode


class WatchedLoop(Loop):
    """A loop on streams only, which remembers what callbacks raise.

    Args:
        errors: Gets what they have raised, in order.
    """

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__(None)
        self.errors = errors

    def count_failure(self, owner: CallbackOwner, error: Exception) -> None:
        """Take an exception that has left a callback, and remember it."""
        if owner.is_failure(error):
            self.errors.append(error)
        super().count_failure(owner, error)


@contextmanager
def explained(errors: list[Exception]) -> Iterator[None]:
    """Let what a client meets in a block name the callback's error that it comes of, if it does."""
    try:
        yield
    except (ConnectionClosed, ConnectionRejected, ConnectionError) as error:
        if errors and _comes_of_a_callback(error):
            error.__cause__ = errors[-1]
        raise


def _comes_of_a_callback(error: ConnectionClosed | ConnectionRejected | ConnectionError) -> bool:
    match error:
        case ConnectionClosed():
            return error.code == CloseCode.INTERNAL_ERROR
        case ConnectionRefusedError():  # the server has stopped
            return False
        case ConnectionRejected():
            return error.status == HTTPStatus.INTERNAL_SERVER_ERROR
    return True


def raise_all(errors: list[Exception]) -> None:
    """Raise what callbacks have raised: one error as it is, several as a group. They are forgotten then."""
    raised = [*errors]
    errors.clear()
    if len(raised) == 1:
        raise raised[0]
    if raised:
        raise ExceptionGroup("callbacks of the server raised", raised)


def tell_all(errors: list[Exception], error: BaseException) -> None:
    """Let ``error``, which a test fails of already, tell what callbacks have raised besides."""
    told = [*_chain(error)]
    for each in errors:
        if each not in told:
            error.add_note("A callback of the server had raised:\n" + "".join(format_exception(each)))
    errors.clear()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
