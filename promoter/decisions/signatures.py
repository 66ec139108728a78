"""Whether whoever talks to the stable version can talk to the candidate: signatures compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from promoter.domain.signature import Signature, TensorSpec

Signatures = Mapping[str, Signature]


@dataclass(frozen=True, slots=True)
class SignatureChange:
    """One difference, as a line: `- ` was there, `+ ` is new, `~ ` is another. breaks: for stable's callers."""

    text: str
    breaks: bool


def compared(stable: Signatures, candidate: Signatures) -> tuple[SignatureChange, ...]:
    """Every difference, those that break callers first; empty where there is none."""
    found: list[SignatureChange] = []
    for name in sorted(stable.keys() | candidate.keys()):
        if name not in candidate:
            found.append(SignatureChange(f"- signature {name} is gone", breaks=True))
        elif name not in stable:
            found.append(SignatureChange(f"+ signature {name} is new", breaks=False))
        else:
            found.extend(_inputs(name, stable[name], candidate[name]))
            found.extend(_outputs(name, stable[name], candidate[name]))
    return tuple(sorted(found, key=lambda change: not change.breaks))


def _inputs(signature: str, stable: Signature, candidate: Signature) -> Iterator[SignatureChange]:
    gone = sorted(stable.inputs.keys() - candidate.inputs.keys())
    new = sorted(candidate.inputs.keys() - stable.inputs.keys())
    for name in gone:
        spec = stable.inputs[name]
        # A new input of the same kind is most likely the old one under another name.
        same = [other for other in new if candidate.inputs[other] == spec and other not in candidate.optional]
        if len(same) == 1:
            new.remove(same[0])
            yield SignatureChange(f"~ {signature}: input {name} ({spec}) is now called {same[0]}", breaks=True)
        else:
            yield SignatureChange(f"- {signature}: input {name} ({spec}) is gone", breaks=True)
    for name in new:
        optional = name in candidate.optional
        kind = "optional input" if optional else "input, without a default,"
        text = f"+ {signature}: {kind} {name} ({candidate.inputs[name]}) is new"
        yield SignatureChange(text, breaks=not optional)
    for name in sorted(stable.inputs.keys() & candidate.inputs.keys()):
        yield from _tensor(f"{signature}: input {name}", stable.inputs[name], candidate.inputs[name], narrowing=True)
        if name in stable.optional and name not in candidate.optional:
            yield SignatureChange(f"~ {signature}: input {name} has lost its default", breaks=True)


def _outputs(signature: str, stable: Signature, candidate: Signature) -> Iterator[SignatureChange]:
    for name in sorted(stable.outputs.keys() - candidate.outputs.keys()):
        yield SignatureChange(f"- {signature}: output {name} ({stable.outputs[name]}) is gone", breaks=True)
    for name in sorted(candidate.outputs.keys() - stable.outputs.keys()):
        yield SignatureChange(f"+ {signature}: output {name} ({candidate.outputs[name]}) is new", breaks=False)
    for name in sorted(stable.outputs.keys() & candidate.outputs.keys()):
        yield from _tensor(
            f"{signature}: output {name}", stable.outputs[name], candidate.outputs[name], narrowing=False
        )


def _tensor(what: str, stable: TensorSpec, candidate: TensorSpec, *, narrowing: bool) -> Iterator[SignatureChange]:
    """The difference between two tensors. narrowing: an input may not take less, an output not give more."""
    if stable == candidate:
        return
    text = f"~ {what} was {stable} and is {candidate}"
    taker, giver = (candidate, stable) if narrowing else (stable, candidate)
    yield SignatureChange(text, breaks=stable.dtype != candidate.dtype or not _takes(taker, giver))


def _takes(taker: TensorSpec, giver: TensorSpec) -> bool:
    """Whether every shape that `giver` allows is one that `taker` allows."""
    if taker.shape is None:
        return True
    if giver.shape is None or len(taker.shape) != len(giver.shape):
        return False
    return all(size is None or size == given for size, given in zip(taker.shape, giver.shape, strict=True))
