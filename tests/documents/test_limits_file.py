"""limits.yaml: what it may say, by the parser and by its JSON schema alike."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from promoter.documents.limits_file import parse_limits
from promoter.domain.shared_limits import SharedLimits
from promoter.errors import InvalidDocument

WHERE = "environments/limits.yaml"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/limits.schema.json").read_text())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", {}),
        ("# nothing yet\n", {}),
        ("limits:\n", {}),
        ("limits: {production: {}}\n", {"production": SharedLimits()}),
        (
            "limits:\n  production:\n    concurrent_rollouts: 3\n    exposure: 60\n  staging: {exposure: 200}\n",
            {"production": SharedLimits(3, 60), "staging": SharedLimits(None, 200)},
        ),
    ],
)
def test_limits_are_read_by_environment(content, expected):
    assert parse_limits(content, WHERE) == expected
    jsonschema.validate(yaml.safe_load(content), SCHEMA)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("production: {exposure: 60}\n", 1, "unknown key 'production'. Remove it; the keys are limits"),
        ("limits: 3\n", 1, "limits must be a mapping"),
        ("limits: [3]\n", 1, "limits must be a mapping"),
        ("limits:\n  Production: {exposure: 60}\n", 2, "'Production' cannot name an environment"),
        ("limits:\n  production: {exposur: 60}\n", 2, "unknown key 'exposur' in limits.production. Did you mean"),
        ("limits:\n  production: {exposure: 0}\n", 2, "limits.production.exposure is 0. Write a whole number from 1"),
        ("limits:\n  production:\n    exposure: 0.5\n", 3, "limits.production.exposure is 0.5. Write a whole number"),
        ('limits:\n  production: {concurrent_rollouts: "3"}\n', 2, "limits.production.concurrent_rollouts is '3'"),
    ],
)
def test_what_is_no_limit_is_refused_with_line_and_remedy(content, line, message):
    with pytest.raises(InvalidDocument) as caught:
        parse_limits(content, WHERE)
    assert (caught.value.where, caught.value.line) == (WHERE, line)
    assert message in str(caught.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(content), SCHEMA)
