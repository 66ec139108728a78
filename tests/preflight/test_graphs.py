"""Graphs that are refused before anything is loaded, and those that only look like them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest

from promoter.domain.operations import refused
from promoter.preflight.child import Child, ChildLost, Limits
from promoter.preflight.facts import Unreadable, scanned
from promoter.saved_model.protos import meta_graph_pb2, saved_model_pb2, types_pb2

pytestmark = pytest.mark.sandbox

READS = "reads or writes files"


def limits(seconds=30.0, memory=2 * 2**30):
    return Limits(memory, time.monotonic() + seconds, cpu=30, files=64)


def wrong(folder, also=frozenset()):
    facts = scanned(folder, limits())
    return [*refused(facts.uses, also), *facts.findings]


@pytest.mark.parametrize("name", ["stable", "vocabulary", "prints", "more-outputs", "never-ends"])
def test_what_computes_and_reads_its_own_assets_is_allowed(versions, name):
    assert wrong(versions / name) == []


@pytest.mark.parametrize(
    ("name", "operation", "place", "why"),
    [
        ("reads", "ReadFile", "function __inference_", READS),
        ("reads-in-branch", "ReadFile", "function cond_true_", READS),
        ("reads-in-main-op", "ReadFile", "the initializer (node stolen)", READS),
        ("reads-when-initialized", "ReadFile", "the initializer, function __inference__initializer_", READS),
        ("prints-to-file", "PrintV2", "function __inference_", "writes to a file"),
        ("saves", "SaveV2", "function __inference_", "writes files when the version is loaded or asked"),
        ("python", "PyFunc", "function __inference_", "runs Python code"),
    ],
)
def test_what_does_more_is_refused_by_name_and_place(versions, name, operation, place, why):
    (line,) = wrong(versions / name)
    assert line.startswith(f"{operation} in {place}")
    assert line.endswith(why)


@pytest.mark.parametrize(
    "operation", ["ReadFile", "WholeFileReaderV2", "MatchingFiles", "RpcCall", "EagerPyFunc", "Frobnicate"]
)
def test_an_operation_is_found_in_the_graph_itself(edited, operation):
    folder = edited("stable", lambda meta: meta.graph_def.node.add(name="hidden", op=operation))
    (line,) = wrong(folder)
    assert line.startswith(f"{operation} in the graph (node hidden) ")


def test_a_policy_allows_further_operations_but_never_files(edited):
    def change(meta):
        meta.graph_def.node.add(name="own", op="Frobnicate")
        meta.graph_def.node.add(name="file", op="ReadFile")

    (line,) = wrong(edited("stable", change), frozenset({"Frobnicate", "ReadFile"}))
    assert line.startswith("ReadFile in the graph")


def test_an_operation_is_found_in_a_graph_that_is_not_served(versions, tmp_path):
    model = saved_model_pb2.SavedModel.FromString((versions / "stable/saved_model.pb").read_bytes())
    other = model.meta_graphs.add()
    other.meta_info_def.tags.append("train")
    other.graph_def.node.add(name="hidden", op="ReadFile")
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    assert [line.split(" (")[0] for line in wrong(tmp_path)] == ["ReadFile in the graph"]


def initializing_node(meta, operation):
    """The node of a function that fills a table from a file, and its function."""
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            if node.op == operation:
                return function, node
    raise AssertionError(operation)


def test_a_table_may_not_be_read_from_another_file(edited):
    def change(meta):
        function, node = initializing_node(meta, "InitializeTableFromTextFileV2")
        constant = function.node_def.add(name="elsewhere", op="Const")
        constant.attr["dtype"].type = types_pb2.DT_STRING
        constant.attr["value"].tensor.string_val.append(b"/etc/passwd")
        node.input[1] = "elsewhere:output:0"

    assert [line.split(") ")[1] for line in wrong(edited("vocabulary", change))] == [
        "reads a file that is not among the version's assets"
    ]


def test_a_table_may_not_be_read_from_a_variable_that_somebody_else_writes(edited):
    def change(meta):
        graph = meta.graph_def
        constant = graph.node.add(name="elsewhere", op="Const")
        constant.attr["dtype"].type = types_pb2.DT_STRING
        (assign,) = [node for node in graph.node if node.op == "AssignVariableOp"]
        second = graph.node.add(name="again", op="AssignVariableOp", input=[assign.input[0], "elsewhere"])
        second.attr["dtype"].type = types_pb2.DT_STRING

    assert "not among the version's assets" in wrong(edited("vocabulary", change))[0]


def test_an_asset_may_not_lie_elsewhere(edited):
    def change(meta):
        meta.asset_file_def[0].filename = "../../43/assets/words.txt"

    assert wrong(edited("vocabulary", change)) == ["the asset ../../43/assets/words.txt is not in the folder assets"]


def test_variables_may_not_be_restored_from_elsewhere(edited):
    def change(meta):
        function, node = initializing_node(meta, "RestoreV2")
        function.node_def.add(name="elsewhere", op="Const").attr["dtype"].type = types_pb2.DT_STRING
        node.input[0] = "elsewhere:output:0"

    assert "reads another file than the version's own variables" in wrong(edited("stable", change))[0]


def test_a_request_may_not_restore_variables(edited):
    def change(meta):
        signature = meta.signature_def["serving_default"]
        signature.outputs["restored"].name = f"{meta.saver_def.restore_op_name}:0"

    assert "reads files when the version is asked" in wrong(edited("stable", change))[0]


def test_functions_that_call_each_other_in_a_ring_are_refused(edited):
    def change(meta):
        library = meta.graph_def.library
        for name, called in (("one", "two"), ("two", "one")):
            node = library.function.add(signature={"name": name}).node_def.add(name="call", op="PartitionedCall")
            node.attr["f"].func.name = called

    assert wrong(edited("stable", change)) == ["function one calls itself, which TensorFlow may not survive"]


def test_what_an_attribute_leaves_open_is_refused(edited):
    def change(meta):
        node = meta.graph_def.library.function[0].node_def.add(name="open", op="PartitionedCall")
        node.attr["f"].placeholder = "given"

    assert "leaves an attribute to its caller" in wrong(edited("stable", change))[0]


def test_nodes_with_one_name_are_refused(edited):
    folder = edited("stable", lambda meta: meta.graph_def.node.add(name="saver_filename", op="NoOp"))
    assert wrong(folder) == ["two of its nodes, or two of its functions, have the same name"]


# What cannot be read


def test_a_truncated_graph_is_unreadable(edited):
    folder = edited("stable")
    content = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(Unreadable, match=r"unreadable: saved_model.pb is truncated, or no SavedModel"):
        scanned(folder, limits())


def test_a_graph_of_a_million_nodes_is_unreadable_and_soon(tmp_path):
    meta = meta_graph_pb2.MetaGraphDef()
    meta.meta_info_def.tags.append("serve")
    graph = b"".join(
        b"\x0a" + bytes([len(node)]) + node for node in (b"\x0a\x07%07d\x12\x04NoOp" % n for n in range(10**6))
    )
    body = meta.SerializeToString() + b"\x12" + varint(len(graph)) + graph
    (tmp_path / "saved_model.pb").write_bytes(b"\x12" + varint(len(body)) + body)
    # With less than it needs, the child would be ended instead of telling.
    with pytest.raises(Unreadable, match="its graph has 1000000 nodes, more than 250000"):
        scanned(tmp_path, limits(memory=2**30, seconds=20))


def varint(number):
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def test_a_second_file_that_could_be_loaded_instead_is_refused(edited):
    folder = edited("stable")
    (folder / "saved_model.pbtxt").write_text("")
    with pytest.raises(Unreadable, match=r"holds a saved_model\.pbtxt"):
        scanned(folder, limits())


def test_a_version_without_a_graph_to_serve_is_unreadable(edited):
    folder = edited("stable", lambda meta: meta.meta_info_def.ClearField("tags"))
    with pytest.raises(Unreadable, match="0 of its graphs have the tag serve"):
        scanned(folder, limits())


def test_a_child_that_is_killed_for_its_memory_says_nothing_good(tmp_path):
    with (tmp_path / "saved_model.pb").open("wb") as file:
        file.truncate(400 * 2**20)
    with pytest.raises(Unreadable, match="unreadable: the process that parsed it"):
        scanned(tmp_path, limits(memory=128 * 2**20))


def test_a_child_that_takes_too_long_says_nothing_good(versions):
    with pytest.raises(Unreadable, match="took longer than the time limit"):
        scanned(versions / "stable", limits(seconds=0.02))


# The leash

PEEK = """
import json, os, socket, sys
from promoter.preflight.wire import send
def tried(do):
    try:
        do()
    except OSError as error:
        return type(error).__name__
send(sys.stdout.buffer, {
    "environment": sorted(os.environ),
    "write": tried(lambda: open(sys.argv[1] + "/written", "wb", buffering=0).write(b"x")),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", int(open(sys.argv[1] + "/port").read())), 1)),
})
"""


def test_a_child_has_no_credentials_no_network_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMOTER_GIT_TOKEN", "secret")
    monkeypatch.setattr("promoter.preflight.child._python", lambda _: (sys.executable, "-P", "-c", PEEK))
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "port").write_text(str(server.getsockname()[1]))
        with Child("unused", tmp_path, limits()) as child:
            found, _ = child.answer()
    assert not [name for name in found["environment"] if name.startswith("PROMOTER")]
    assert found["write"] == "OSError"
    if subprocess.run(["unshare", "--user", "--net", "true"], check=False, capture_output=True).returncode == 0:
        assert found["network"] is not None


def test_a_child_that_talks_nonsense_is_lost(tmp_path, monkeypatch):
    command = (sys.executable, "-c", "print(" + json.dumps('{"arrays": 3}').replace('"', "'") + ")")
    monkeypatch.setattr("promoter.preflight.child._python", lambda _: command)
    with Child("unused", tmp_path, limits()) as child, pytest.raises(ChildLost, match="gave an answer that is none"):
        child.answer()
