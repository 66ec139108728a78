"""Canonical status codes, and the one error with which requests and loads fail."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Canonical codes; TensorFlow, gRPC and the metrics' `status` label share numbers and names."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(Exception):
    """A request or a load that failed, with the code and the message that a caller sees."""

    def __init__(self, code: Code, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code.name}: {message}")


def internal(error: Exception) -> ServingError:
    """What a caller sees of an error that nobody foresaw; whoever calls this logs it."""
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
