"""Whether a callback can be called as documented: decided once, when it is given.

So a mistake is raised where it is made (law 13). What is given for every message, a continuation or a completion, is
not looked at: that would cost more than the call. The error that its call raises says what it is called with.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import CO_VARARGS, Parameter, Signature, signature
from math import inf
from traceback import walk_tb
from types import FunctionType, MethodType

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)

#: The least and the most positional arguments that something can be called with; ``None`` if nothing is known of it.
_Range = tuple[float, float] | None


def check_callable(callback: object, what: str, *parameters: str) -> None:
    """Raise `TypeError` unless ``callback`` can be called with so many arguments.

    Args:
        callback: What was given.
        what: What it was given as, such as ``"a completion"``.
        *parameters: What it will be called with, such as ``"socket", "text"``.
    """
    arguments_for(callback, what, parameters)


def arguments_for(callback: object, what: str, *forms: Sequence[str]) -> int:
    """Return how many arguments ``callback`` is to be called with: those of the first of ``forms`` that it can take.

    Raises:
        TypeError: It can be called with none of them.
    """
    if not callable(callback):
        raise TypeError(f"{what} is a callable {_taking(forms)}, not {callback!r}")
    taken = _range_of(callback)
    for form in forms:
        if taken is None or taken[0] <= len(form) <= taken[1]:
            return len(form)
    raise TypeError(f"{what} is a callable {_taking(forms)}: {_described(callback)} cannot be called so")


def explain_call(error: Exception, note: str) -> None:
    """Add ``note`` to an error that the very call of a callback raised: it could not be called with what it was given.

    Args:
        error: What the call raised.
        note: What the callbacks are called with that were not looked at before.
    """
    if not isinstance(error, TypeError):
        return
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    # A frame of anybody else is the callback's: it was called, and has called something wrongly itself.
    if frames and all(str(frame.f_globals.get("__name__")).startswith("perfectws.") for frame in frames):
        error.add_note(note)


def _taking(forms: Sequence[Sequence[str]]) -> str:
    takes = " or ".join(f"({', '.join(form)})" for form in forms)
    return "without arguments" if takes == "()" else f"that takes {takes}"


def _range_of(callback: object) -> _Range:
    """Return how many positional arguments ``callback`` takes.

    A function's code tells it at once; `inspect.signature`, which is for the rest, takes ten times as long.
    """
    is_method = type(callback) is MethodType
    function = callback.__func__ if isinstance(callback, MethodType) else callback
    if not isinstance(function, FunctionType):
        return _range_of_signature(callback)
    code = function.__code__
    if code.co_kwonlyargcount > len(function.__kwdefaults__ or ()):
        return inf, 0  # it can never be called with positional arguments alone
    count = code.co_argcount - is_method
    most = inf if code.co_flags & CO_VARARGS else count
    return max(0, count - len(function.__defaults__ or ())), most


def _range_of_signature(callback: object) -> _Range:
    found = _signature_of(callback)
    if found is None:
        return None
    least = most = 0.0
    for parameter in found.parameters.values():
        has_default = parameter.default is not Parameter.empty
        if parameter.kind in _POSITIONAL:
            most += 1
            least += not has_default
        elif parameter.kind is Parameter.VAR_POSITIONAL:
            most = inf
        elif parameter.kind is Parameter.KEYWORD_ONLY and not has_default:
            return inf, 0
    return least, most


def _signature_of(callback: object) -> Signature | None:
    try:
        return signature(callback, follow_wrapped=False)  # type: ignore[arg-type]  # a callable
    except (TypeError, ValueError):
        return None  # of a function in C, which may not tell


def _described(callback: object) -> str:
    name = getattr(callback, "__qualname__", None) or repr(callback)
    return f"{name}{_signature_of(callback) or '()'}"
