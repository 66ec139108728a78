"""Which operations of a model are refused, and why.

A SavedModel is a program, and TensorFlow runs it with the rights of its process. Lists of what is forbidden have always
had holes, so a graph may use what is on a list of the allowed, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from promoter.domain.allowed_operations import ALLOWED
from promoter.domain.signature import OperationUse

# Harmless in one place only. Whoever walks the graph holds them to it: savers are reached by nothing but the loader,
# and with the version's own variables; tables are read from the version's own assets; printing goes to no file.
SAVING = frozenset({"Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints"})
RESTORING = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
ASSET_READING = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
PRINTING = frozenset({"PrintV2"})
PLACED = SAVING | RESTORING | ASSET_READING | PRINTING

_KINDS = {
    "runs Python code": (r"(Eager)?PyFunc(Stateless)?",),
    "uses the network or another process": (
        r"_?(Host)?(Send|Recv)",
        r"(Delete)?Rpc\w+|RemoteCall",
        r"Collective\w+|_?Nccl\w+",
        r"(Register|DataService)Dataset\w*",
        r"Debug(Identity|Nan|Numeric)\w*",
        r"ImportEvent|WorkerHeartbeat",
        r"\w*(BigQuery|Bigtable|PubSub|Kafka|Grpc|Http)\w*",
    ),
    "reads or writes files": (
        r"ReadFile|WriteFile|(Experimental)?MatchingFiles\w*",
        r"\w*Reader(V2)?|Reader\w+|RecordInput",
        r"\w*(TextLine|TFRecord|FixedLengthRecord|CSV|Sql|LMDB|Snapshot|Save|Load|Cache)\w*Dataset\w*",
        r"\w*Snapshot\w*|\w+ToTFRecord",
        r"\w*Saver\w*|DistributedSave|LoadAndRemapMatrix",
        r"ImmutableConst|GenerateVocabRemapping|FixedUnigramCandidateSampler|Skipgram",
        r"\w*Summary\w*|DumpTensor|FileSystemSetConfiguration",
        # Their attribute names a file of message types.
        r"DecodeProtoV2|EncodeProto",
    ),
}

# So many are named; the rest is counted.
_NAMED = 20


def refused(uses: Iterable[OperationUse], also_allowed: frozenset[str]) -> tuple[str, ...]:
    """A line for each operation that is not allowed, named with its place; empty where all are.

    also_allowed: names that a policy adds. What runs Python, or uses files or the network, stays refused.
    """
    found = [
        f"{use.operation} in {use.place} (node {use.node}) {_why(use.operation)}"
        for use in uses
        if use.operation not in ALLOWED | PLACED and (dangerous(use.operation) or use.operation not in also_allowed)
    ]
    return (*found[:_NAMED], f"and {len(found) - _NAMED} more") if len(found) > _NAMED else tuple(found)


def dangerous(operation: str) -> str | None:
    """What an operation does that no policy can allow, None where nothing of that is known."""
    name = operation.rpartition(">")[2]
    return next((what for what, names in _KINDS.items() if any(re.fullmatch(form, name) for form in names)), None)


def _why(operation: str) -> str:
    return dangerous(operation) or "is not among the operations that a model may use"
