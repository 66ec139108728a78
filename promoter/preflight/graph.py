"""A SavedModel's graph as something to walk: what is where, what reaches what, and where a value comes from.

Everything is read from protocol buffers; nothing is run, and TensorFlow is not there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from promoter.saved_model.protos import types_pb2

# The main graph's scope; every other scope is a function's name, which is never empty.
MAIN = ""

# Operations that call functions with inputs that are the function's own, from this position on
# (tensorflow/core/ops/functional_ops.cc).
_CALLS = {
    "PartitionedCall": 0,
    "StatefulPartitionedCall": 0,
    "While": 0,
    "StatelessWhile": 0,
    "If": 1,
    "StatelessIf": 1,
    "Case": 1,
    "StatelessCase": 1,
}
# What writes a variable: its handle comes first.
_WRITES_VARIABLE = re.compile(r"Assign\w*VariableOp|Resource(Scatter|StridedSlice)\w+")
_STRING = types_pb2.DT_STRING


@dataclass(frozen=True, slots=True)
class NodeAt:
    """A node by scope and name."""

    scope: str
    name: str


class Graph:
    """One MetaGraphDef's graph and function library."""

    def __init__(self, graph_def: Any) -> None:
        self._nodes: dict[str, dict[str, Any]] = {MAIN: {node.name: node for node in graph_def.node}}
        self._arguments: dict[str, tuple[str, ...]] = {}
        count = len(graph_def.node)
        for function in graph_def.library.function:
            name = function.signature.name
            count += len(function.node_def)
            self._nodes[name] = {node.name: node for node in function.node_def}
            self._arguments[name] = tuple(argument.name for argument in function.signature.input_arg)
        self._calls: dict[tuple[str, str], tuple[str, ...]] = {
            (scope, name): called
            for scope, nodes in self._nodes.items()
            for name, node in nodes.items()
            if (called := tuple(self._called(node)))
        }

        # Of nodes or functions that share a name, only one is seen here, and TensorFlow may take the other.
        self.has_twins = count != sum(map(len, self._nodes.values())) or MAIN in self._arguments

    @property
    def functions(self) -> Iterable[str]:
        """The names in the function library."""
        return self._arguments

    def nodes(self) -> Iterator[tuple[str, Any]]:
        """Every node, with its scope."""
        for scope, nodes in self._nodes.items():
            for node in nodes.values():
                yield scope, node

    def recursive(self) -> str | None:
        """A function that calls itself, at once or through others; None where none does."""
        calls: dict[str, set[str]] = {}
        for (scope, _), functions in self._calls.items():
            calls.setdefault(scope, set()).update(functions)
        waiting = {function: len(calls.get(function, ())) for function in self._arguments}
        callers: dict[str, list[str]] = {}
        for function in self._arguments:
            for called in calls.get(function, ()):
                callers.setdefault(called, []).append(function)
        # Functions that call nothing are taken away until none is left, or only rings are.
        ready = [function for function, count in waiting.items() if count == 0]
        while ready:
            done = ready.pop()
            del waiting[done]
            for caller in callers.get(done, ()):
                waiting[caller] -= 1
                if waiting[caller] == 0:
                    ready.append(caller)
        return min(waiting, default=None)

    def reached(self, roots: Iterable[str]) -> frozenset[NodeAt]:
        """All that may run when the main graph's `roots` are asked for. Of a function that is called, every node."""
        found: set[NodeAt] = set()
        entered: set[str] = set()
        pending = deque(NodeAt(MAIN, _node_name(root)) for root in roots)
        while pending:
            at = pending.popleft()
            node = self._nodes[at.scope].get(at.name)
            if node is None or at in found:
                continue
            found.add(at)
            if at.scope == MAIN:
                pending.extend(NodeAt(MAIN, _node_name(reference)) for reference in node.input)
            for function in self._calls.get((at.scope, at.name), ()):
                if function not in entered:
                    entered.add(function)
                    pending.extend(NodeAt(function, name) for name in self._nodes[function])
        return frozenset(found)

    def origins(self, scope: str, reference: str) -> frozenset[NodeAt]:
        """The nodes a text comes from, through identities, calls of functions, and variables.

        An argument that somebody passes in a way not known here is `NodeAt(function, "")`.
        """
        found: set[NodeAt] = set()
        seen: set[tuple[str, str]] = set()
        pending = [(scope, reference)]
        while pending:
            place = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            scope, reference = place
            name = _node_name(reference)
            node = self._nodes[scope].get(name)
            if node is not None and node.op == "Identity" and node.input:
                pending.append((scope, node.input[0]))
            elif node is not None and node.op == "ReadVariableOp" and node.input:
                pending.extend(self._written(scope, node.input[0], found))
            elif node is not None:
                found.add(NodeAt(scope, name))
            elif scope != MAIN and name in self._arguments[scope]:
                pending.extend(self._passed(scope, self._arguments[scope].index(name), found))
        return frozenset(found)

    def _passed(self, function: str, position: int, found: set[NodeAt]) -> Iterator[tuple[str, str]]:
        """What callers pass as one argument; callers that cannot be followed are put into `found`."""
        for scope, node in self._callers.get(function, ()):
            offset = 0 if node.op == function else _CALLS.get(node.op)
            if offset is None or offset + position >= len(node.input):
                found.add(NodeAt(function, ""))
            else:
                yield scope, node.input[offset + position]

    def _written(self, scope: str, handle: str, found: set[NodeAt]) -> Iterator[tuple[str, str]]:
        """What anybody writes into a variable; writers that cannot be followed are put into `found`."""
        for at in self.origins(scope, handle):
            if (variable := self._variable(at)) is None:
                found.add(at)
                continue
            for writer_scope, node in self._writers.get(variable, ()):
                if node.op == "AssignVariableOp" and len(node.input) > 1:
                    yield writer_scope, node.input[1]
                else:
                    found.add(NodeAt(writer_scope, node.name))
        # A handle from nowhere known may be that of this variable.
        found.update(NodeAt(scope, node.name) for scope, node in self._writers.get(None, ()))

    @cached_property
    def _writers(self) -> Mapping[tuple[str, str] | None, list[tuple[str, Any]]]:
        """What writes texts into variables, by variable; None stands for those that are not known."""
        found: dict[tuple[str, str] | None, list[tuple[str, Any]]] = {}
        for scope, node in self.nodes():
            if not _WRITES_VARIABLE.fullmatch(node.op) or not node.input:
                continue
            if "dtype" in node.attr and node.attr["dtype"].type != _STRING:
                continue
            for at in self.origins(scope, node.input[0]):
                found.setdefault(self._variable(at), []).append((scope, node))
        return found

    def _variable(self, at: NodeAt) -> tuple[str, str] | None:
        """What makes two handles the same variable; None where `at` is no handle."""
        node = self._nodes[at.scope].get(at.name)
        if node is None or node.op != "VarHandleOp":
            return None
        names = [node.attr[name].s.decode("utf-8", "replace") for name in ("container", "shared_name")]
        return names[0], names[1] or node.name

    @cached_property
    def _callers(self) -> Mapping[str, list[tuple[str, Any]]]:
        found: dict[str, list[tuple[str, Any]]] = {}
        for (scope, name), called in self._calls.items():
            for function in called:
                found.setdefault(function, []).append((scope, self._nodes[scope][name]))
        return found

    def _called(self, node: Any) -> Iterator[str]:
        if node.op in self._arguments:
            yield node.op
        for value in node.attr.values():
            kind = value.WhichOneof("value")
            if kind == "func":
                yield from self._known(value.func.name)
            elif kind == "list":
                for function in value.list.func:
                    yield from self._known(function.name)

    def _known(self, name: str) -> Iterator[str]:
        if name in self._arguments:
            yield name


def _node_name(reference: str) -> str:
    """The node that an input names: `node`, `node:1`, `node:output:0` or `^node`."""
    return reference.removeprefix("^").partition(":")[0]
