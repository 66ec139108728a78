"""`python -m promoter.preflight.scan FOLDER`: what a version's graph is made of, parsed in a process of its own.

No TensorFlow is loaded and nothing of the version is run. Answers with one message: the facts, or why there are none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from promoter.domain.operations import ASSET_READING, PRINTING, RESTORING, SAVING, dangerous
from promoter.preflight.graph import MAIN, Graph, NodeAt
from promoter.preflight.wire import send
from promoter.saved_model.protos import saved_model_pb2, types_pb2

GRAPH_FILE = "saved_model.pb"
# TensorFlow would read these as well, and in which order is its own affair.
_OTHER_GRAPH_FILES = ("saved_model.pbtxt", "saved_model.cpb")
_SERVE_TAG = "serve"

LARGEST_GRAPH = 512 * 2**20
MOST_NODES = 250_000
_MOST_FINDINGS = 20

_VARIABLES = frozenset({"VarHandleOp", "Variable", "VariableV2"})
_INITIALIZERS = ("saved_model_main_op", "legacy_init_op")
_INITIALIZER_SIGNATURE = "__saved_model_init_op"
_OWN_SIGNATURES = frozenset({_INITIALIZER_SIGNATURE, "__saved_model_train_op"})
_TO_LOG = re.compile(r"stdout|stderr|log\((info|warning|error|fatal)\)")
_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})", re.ASCII)


class Unreadable(Exception):
    """The graph cannot be read, or is larger than what is read; its text is a sentence."""


def scan(folder: Path) -> dict[str, Any]:
    """The facts that the checks judge, as JSON's types. Raises Unreadable, OSError."""
    meta_graphs = _parsed(_content(folder)).meta_graphs
    serving = [graph for graph in meta_graphs if _SERVE_TAG in graph.meta_info_def.tags]
    if len(serving) != 1:
        raise Unreadable(f"{len(serving)} of its graphs have the tag {_SERVE_TAG}, which one must have")
    findings: list[str] = []
    uses: dict[tuple[str, str], str] = {}
    for meta_graph in meta_graphs:
        graph = Graph(meta_graph.graph_def)
        if (function := graph.recursive()) is not None:
            findings.append(f"function {function} calls itself, which TensorFlow may not survive")
        found = _Walk(folder, meta_graph, graph)
        findings.extend(found.findings())
        for use, node in found.uses():
            uses.setdefault(use, node)
    return {
        "uses": [[operation, place, node] for (operation, place), node in sorted(uses.items())],
        "findings": findings[:_MOST_FINDINGS],
        "signatures": _signatures(serving[0]),
        "missing_variables": _missing_variables(folder, serving[0]),
        "written_by": serving[0].meta_info_def.tensorflow_version,
        "nodes": sum(_count(meta_graph) for meta_graph in meta_graphs),
    }


def _content(folder: Path) -> bytes:
    for name in _OTHER_GRAPH_FILES:
        if (folder / name).exists():
            raise Unreadable(f"it holds a {name}, which a server might load in place of {GRAPH_FILE}")
    path = folder / GRAPH_FILE
    if path.stat().st_size > LARGEST_GRAPH:
        raise Unreadable(f"{GRAPH_FILE} is larger than {LARGEST_GRAPH >> 20} MiB: keep weights in variables")
    return path.read_bytes()


def _parsed(content: bytes) -> Any:
    try:
        found = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError as error:
        raise Unreadable(f"{GRAPH_FILE} is truncated, or no SavedModel") from error
    nodes = sum(map(_count, found.meta_graphs))
    if nodes > MOST_NODES:
        raise Unreadable(f"its graph has {nodes} nodes, more than {MOST_NODES}")
    return found


def _count(meta_graph: Any) -> int:
    graph = meta_graph.graph_def
    return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)


class _Walk:
    """One MetaGraphDef, looked through."""

    def __init__(self, folder: Path, meta_graph: Any, graph: Graph) -> None:
        self._folder = folder
        self._meta = meta_graph
        self._graph = graph
        signatures = meta_graph.signature_def
        self._initializing = graph.reached(_initializers(meta_graph))
        self._serving = graph.reached(
            tensor
            for name, signature in signatures.items()
            if name not in _OWN_SIGNATURES
            for info in signature.outputs.values()
            for tensor in _tensors(info)
        )
        saver = meta_graph.saver_def
        self._restoring = graph.reached(filter(None, (saver.restore_op_name,)))
        self._checkpoint = NodeAt(MAIN, saver.filename_tensor_name.partition(":")[0])
        self._assets = {
            NodeAt(MAIN, asset.tensor_info.name.partition(":")[0]): asset.filename
            for asset in meta_graph.asset_file_def
        }

    def uses(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Each operation and place, with a node that has it there."""
        functions = frozenset(self._graph.functions)
        for scope, node in self._graph.nodes():
            if node.op not in functions or dangerous(node.op) is not None:
                yield (node.op, self._place(NodeAt(scope, node.name))), node.name

    def findings(self) -> Iterator[str]:
        """What cannot be checked, and what is wrong with operations that are harmless in one place only."""
        if self._graph.has_twins:
            yield "two of its nodes, or two of its functions, have the same name"
        for scope, node in self._graph.nodes():
            at = NodeAt(scope, node.name)
            where = f"{node.op} in {self._place(at)} (node {node.name})"
            if any(value.WhichOneof("value") == "placeholder" for value in node.attr.values()):
                yield f"{where} leaves an attribute to its caller, so it cannot be known what it does"
            if (wrong := self._misplaced(at, node)) is not None:
                yield f"{where} {wrong}"
        for filename in self._assets.values():
            if os.path.basename(filename) != filename or filename in ("", ".", ".."):  # noqa: PTH119 - a name, no path
                yield f"the asset {filename} is not in the folder assets"

    def _misplaced(self, at: NodeAt, node: Any) -> str | None:
        if node.op in SAVING and at in self._serving | self._initializing | self._restoring:
            return "writes files when the version is loaded or asked"
        # Who asks may feed any tensor that a signature names as its input.
        if node.op in RESTORING | ASSET_READING and at in self._serving:
            return "reads files when the version is asked"
        if node.op in RESTORING and at in self._initializing:
            return "reads files when the version is initialized"
        if node.op in RESTORING and at in self._restoring and not self._from(at, node, 0) <= {self._checkpoint}:
            return "reads another file than the version's own variables"
        if node.op in ASSET_READING and not self._from(at, node, 1) <= self._assets.keys():
            return "reads a file that is not among the version's assets"
        if node.op in PRINTING and not _TO_LOG.fullmatch(_text(node, "output_stream", "stderr")):
            return "writes to a file"
        return None

    def _from(self, at: NodeAt, node: Any, position: int) -> frozenset[NodeAt]:
        if position >= len(node.input):
            return frozenset({NodeAt(at.scope, "")})
        # No origin at all: it is in a function that nobody calls.
        return self._graph.origins(at.scope, node.input[position])

    def _place(self, at: NodeAt) -> str:
        function = "" if at.scope == MAIN else f"function {at.scope}"
        if at in self._initializing:
            return f"the initializer, {function}" if function else "the initializer"
        return function or "the graph"


def _text(node: Any, attribute: str, default: str) -> str:
    found: bytes = node.attr[attribute].s if attribute in node.attr else default.encode()
    return found.decode("utf-8", "replace")


def _initializers(meta_graph: Any) -> Iterator[str]:
    for key in _INITIALIZERS:
        yield from meta_graph.collection_def[key].node_list.value if key in meta_graph.collection_def else ()
    if _INITIALIZER_SIGNATURE in meta_graph.signature_def:
        for info in meta_graph.signature_def[_INITIALIZER_SIGNATURE].outputs.values():
            yield from _tensors(info)


def _tensors(info: Any) -> Iterable[str]:
    match info.WhichOneof("encoding"):
        case "name":
            return (info.name,)
        case "coo_sparse":
            sparse = info.coo_sparse
            return (sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name)
        case "composite_tensor":
            return [name for component in info.composite_tensor.components for name in _tensors(component)]
    return ()


def _signatures(meta_graph: Any) -> dict[str, Any]:
    return {
        name: {
            "inputs": {alias: _tensor(info) for alias, info in signature.inputs.items()},
            "outputs": {alias: _tensor(info) for alias, info in signature.outputs.items()},
            "optional": sorted(signature.defaults),
        }
        for name, signature in meta_graph.signature_def.items()
        if name not in _OWN_SIGNATURES
    }


def _tensor(info: Any) -> list[Any]:
    """The type's name in TensorFlow's messages without `DT_`, and the sizes; -1 for any size, null for any rank."""
    number = info.dtype
    dtype = types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else str(number)
    shape = None if info.tensor_shape.unknown_rank else [dimension.size for dimension in info.tensor_shape.dim]
    return [dtype.removeprefix("DT_").lower(), shape]


def _missing_variables(folder: Path, meta_graph: Any) -> str | None:
    """The file of the variables that is not there, though the graph has variables.

    The loader itself says nothing then: the version loads, and fails with its first request.
    """
    graph = meta_graph.graph_def
    operations = {node.op for node in graph.node}
    operations.update(node.op for function in graph.library.function for node in function.node_def)
    if operations.isdisjoint(_VARIABLES):
        return None
    variables = folder / "variables"
    if not (variables / "variables.index").is_file():
        return "variables/variables.index"
    names = {path.name for path in variables.iterdir()}
    counts = {int(found[1]) for name in names if (found := _SHARD.fullmatch(name))}
    if not counts:
        return "variables/variables.data-00000-of-00001"
    shards = (f"variables.data-{shard:05}-of-{count:05}" for count in counts for shard in range(count))
    return next((f"variables/{shard}" for shard in shards if shard not in names), None)


def _answered(folder: Path) -> Mapping[str, Any]:
    try:
        return {"facts": scan(folder)}
    except Unreadable as error:
        return {"unreadable": str(error)}
    except OSError as error:
        return {"unreadable": f"{GRAPH_FILE} cannot be read: {error.strerror}"}


def main() -> None:
    """Answer, and end."""
    send(sys.stdout.buffer, _answered(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
