"""What TensorFlow says when a version does not load, as a person should read it."""

from __future__ import annotations

import pytest

from promoter.decisions.load_failure import load_failure


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (
            "NOT_FOUND",
            "Op type not registered 'TFText>Tokenize' in binary running on host.",
            "the operation TFText>Tokenize is not registered in the TensorFlow that loads it",
        ),
        (
            "INVALID_ARGUMENT",
            "GraphDef min consumer version 2300 above current version 2205 for TensorFlow 2.20.0.",
            "its format is too new: it asks for a TensorFlow that reads graphs of version 2300",
        ),
        (
            "INVALID_ARGUMENT",
            "NodeDef mentions attr 'grad_a' not in Op<name=MatMul; signature=…>",
            "its format is too new: the attribute grad_a is not known to the TensorFlow that loads it",
        ),
        (
            "NOT_FOUND",
            "Key kernel/.ATTRIBUTES/VARIABLE_VALUE not found in checkpoint",
            "variables are missing: kernel/.ATTRIBUTES/VARIABLE_VALUE is not among those that were saved",
        ),
        (
            "NOT_FOUND",
            "/models/43/variables/variables.data-00000-of-00001; No such file or directory",
            "variables are missing: their files are not there",
        ),
        (
            "OUT_OF_RANGE",
            "Read less bytes than requested",
            "its variables are damaged, or their upload broke off",
        ),
        ("INTERNAL", "the dog ate it", "TensorFlow cannot load it (INTERNAL)"),
    ],
)
def test_causes_are_told_apart(code, message, reason):
    assert load_failure(code, message) == reason
