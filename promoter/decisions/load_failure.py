"""Why a version does not load, told from what TensorFlow says about it."""

from __future__ import annotations

import re

# TensorFlow's own words (core/framework/op.cc, graph/graph_constructor.cc, framework/node_def_util.cc,
# cc/saved_model/loader.cc, util/tensor_bundle/tensor_bundle.cc).
_CAUSES = (
    (
        re.compile(r"Op type not registered '(?P<what>[^']+)'"),
        "the operation {what} is not registered in the TensorFlow that loads it",
    ),
    (
        re.compile(r"GraphDef min consumer version (?P<what>\d+) above current version \d+"),
        "its format is too new: it asks for a TensorFlow that reads graphs of version {what}",
    ),
    (
        re.compile(r"NodeDef mentions attr '(?P<what>[^']+)' not in Op"),
        "its format is too new: the attribute {what} is not known to the TensorFlow that loads it",
    ),
    (
        re.compile(r"Key (?P<what>\S+) not found in checkpoint"),
        "variables are missing: {what} is not among those that were saved",
    ),
    (
        re.compile(r"Unsuccessful TensorSliceReader constructor|variables/variables\.(?P<what>\S+); No such file"),
        "variables are missing: their files are not there",
    ),
    (
        re.compile(r"DATA_LOSS|checksum|[Tt]runcated|corrupt(ed|ion)|not an sstable|Read less bytes than requested"),
        "its variables are damaged, or their upload broke off",
    ),
)


def load_failure(code: str, message: str) -> str:
    """What a person should know first, as a sentence without its full stop. code: `NOT_FOUND` and the like."""
    for pattern, sentence in _CAUSES:
        if (found := pattern.search(f"{code}: {message}")) is not None:
            return sentence.format(**{name: text or "" for name, text in found.groupdict().items()})
    return f"TensorFlow cannot load it ({code})"
