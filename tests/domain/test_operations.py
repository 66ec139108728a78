"""Which operations a model may use."""

from __future__ import annotations

import pytest

from promoter.domain.allowed_operations import ALLOWED
from promoter.domain.operations import PLACED, dangerous, refused
from promoter.domain.signature import OperationUse


def use(operation):
    return OperationUse(operation, "the graph", "n")


FILES = """
ReadFile WriteFile MatchingFiles WholeFileReaderV2 TextLineReaderV2 TFRecordReaderV2 ReaderReadV2 TextLineDataset
TFRecordDatasetV2 FixedLengthRecordDatasetV2 CSVDatasetV2 SqlDataset LMDBDataset MatchingFilesDataset SaveDatasetV2
LoadDataset SnapshotDatasetV2 DatasetToTFRecord ImmutableConst LoadAndRemapMatrix GenerateVocabRemapping Skipgram
FixedUnigramCandidateSampler RecordInput CreateSummaryFileWriter WriteScalarSummary DumpTensor DecodeProtoV2
EncodeProto DistributedSave CacheDatasetV2 ExperimentalLMDBDataset
"""
NETWORK = """
Send Recv _Send _HostRecv RpcCall RpcServer DeleteRpcFutureResource RemoteCall CollectiveReduceV3 NcclAllReduce
DataServiceDatasetV4 RegisterDatasetV2 DebugIdentityV3 ImportEvent WorkerHeartbeat IO>BigQueryClient
"""
COMPUTING = "Conv2D VarHandleOp StatefulPartitionedCall LookupTableFindV2 SaveV2"


@pytest.mark.parametrize("operation", FILES.split())
def test_what_reads_or_writes_files_is_known_and_never_allowed(operation):
    assert dangerous(operation) == "reads or writes files"
    assert refused([use(operation)], frozenset({operation})) == (
        f"{operation} in the graph (node n) reads or writes files",
    )


@pytest.mark.parametrize("operation", NETWORK.split())
def test_what_leaves_the_process_is_known(operation):
    assert dangerous(operation) == "uses the network or another process"


@pytest.mark.parametrize("operation", ["PyFunc", "PyFuncStateless", "EagerPyFunc"])
def test_what_runs_python_is_known(operation):
    assert dangerous(operation) == "runs Python code"


def test_no_list_contradicts_another():
    assert not [name for name in ALLOWED if dangerous(name) and name != "Snapshot"]
    assert not ALLOWED & PLACED
    assert len(ALLOWED) > 800


@pytest.mark.parametrize("operation", COMPUTING.split())
def test_what_computes_is_allowed(operation):
    assert refused([use(operation)], frozenset()) == ()


def test_what_nobody_has_looked_at_is_refused_until_a_policy_names_it():
    assert refused([use("XlaCallModule")], frozenset()) == (
        "XlaCallModule in the graph (node n) is not among the operations that a model may use",
    )
    assert refused([use("XlaCallModule")], frozenset({"XlaCallModule"})) == ()


def test_a_long_list_is_cut():
    lines = refused([use(f"Own{number}") for number in range(30)], frozenset())
    assert (len(lines), lines[-1]) == (21, "and 10 more")
