"""Whether operations are being recorded: no_grad, enable_grad, set_grad_enabled, inference_mode.

The switch is a ContextVar, so each thread and each asyncio task has its own. Every mode works as a
context manager and as a decorator, of generators too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_recording: ContextVar[bool] = ContextVar("minigrad_recording", default=True)
_inference: ContextVar[bool] = ContextVar("minigrad_inference", default=False)

is_grad_enabled = _recording.get  # the engine asks at every operation, so it is the bare method
is_inference_mode_enabled = _inference.get


class _Mode:
    """A grad mode: enter it with `with`, or wrap a function in it."""

    def __init__(self, recording: bool) -> None:
        self._wanted = recording
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(_recording.get())
        _recording.set(self._wanted)

    def __exit__(self, *error: object) -> None:
        _recording.set(self._before.pop())

    def _again(self) -> _Mode:
        """A mode of the same kind, so that a decorated function may call itself."""
        return _Mode(self._wanted)

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                inner = function(*args, **kwargs)
                step, value = inner.send, None
                while True:
                    try:
                        with self._again():
                            item = step(value)
                    except StopIteration as stop:
                        return stop.value
                    try:
                        step, value = inner.send, (yield item)
                    except GeneratorExit:
                        with self._again():
                            inner.close()
                        raise
                    except BaseException as error:
                        step, value = inner.throw, error

            return generator  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_Mode):
    """Do not record what happens inside."""

    def __new__(cls, function: Any = None) -> Any:  # `@no_grad` without parentheses, as PyTorch allows
        mode = super().__new__(cls)
        if function is None:
            return mode
        mode.__init__()  # type: ignore[misc]
        return mode(function)

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_Mode):
    """Record what happens inside, also within no_grad."""

    def __new__(cls, function: Any = None) -> Any:
        mode = super().__new__(cls)
        if function is None:
            return mode
        mode.__init__()  # type: ignore[misc]
        return mode(function)

    def __init__(self) -> None:
        super().__init__(True)


class set_grad_enabled(_Mode):
    """Switch recording on or off at once; as a context manager, until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._before.append(_recording.get())
        _recording.set(self._wanted)

    def __enter__(self) -> None:
        _recording.set(self._wanted)

    def __call__(self, function: F) -> F:
        _recording.set(self._before.pop())  # a decorator changes nothing until the function is called
        return super().__call__(function)


class inference_mode(_Mode):
    """no_grad under another name: nothing inside is recorded."""

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if callable(mode):
            self.__init__(True)  # type: ignore[misc]
            return self(mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)
        self._mode = mode
        self._was: list[bool] = []

    def _again(self) -> inference_mode:
        again: inference_mode = inference_mode(self._mode)
        return again

    def __enter__(self) -> None:
        super().__enter__()
        self._was.append(_inference.get())
        _inference.set(self._mode)

    def __exit__(self, *error: object) -> None:
        _inference.set(self._was.pop())
        super().__exit__(*error)
