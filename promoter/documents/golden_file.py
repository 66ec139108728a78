"""Golden requests as a version carries them: predict bodies of TensorFlow Serving's REST API, as JSON."""

from __future__ import annotations

import json
from typing import Any

from promoter.errors import InvalidInput

GOLDEN_FILE = "assets.extra/golden_requests.json"
LARGEST_BYTES = 64 * 2**20
MOST_REQUESTS = 1000


def parse_bodies(content: bytes, where: str) -> list[Any]:
    """The bodies in `content`: one, or a list of them. What is in a body is for whoever asks a model.

    Raises InvalidInput, which names `where`.
    """
    try:
        document = json.loads(content) if len(content) <= LARGEST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not JSON: {error}") from error
    if document is None:
        raise InvalidInput(f"{where} is empty, or larger than {LARGEST_BYTES >> 20} MiB")
    bodies = document if isinstance(document, list) else [document]
    if not 1 <= len(bodies) <= MOST_REQUESTS:
        raise InvalidInput(f"{where} holds {len(bodies)} requests: 1 to {MOST_REQUESTS} are asked")
    return bodies
