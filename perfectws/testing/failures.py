"""What callbacks raised while a test ran: the framework logs it and goes on, a test is to fail of it."""

from __future__ import annotations

from collections.abc import Iterator
from traceback import format_exception

from ..callbacks import CallbackOwner
from ..net.loop import Loop


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
