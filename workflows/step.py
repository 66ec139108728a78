"""`python -m workflows.step`: Hera's runner, with an exit status that tells a step's verdict from a fault.

0   done
1   refused: what the step was given goes no further, and would be refused again
2   broken: everything else, and worth another try
"""

from __future__ import annotations

import runpy
import sys
import traceback

from promoter.errors import PromoterError

REFUSED = 1
BROKEN = 2


class Refused(PromoterError):
    """A step's verdict on what it was given."""


def main() -> None:
    """Run the step that the arguments name, as Hera's runner does, and end with its status."""
    try:
        runpy.run_module("hera.workflows.runner", run_name="__main__", alter_sys=True)
    except Refused as refusal:
        _end(f"refused: {refusal}", REFUSED)
    except PromoterError as error:
        _end(f"error: {error}", BROKEN)
    except Exception:  # noqa: BLE001 - whatever it is, it is no verdict
        _end(traceback.format_exc(), BROKEN)


def _end(message: str, status: int) -> None:
    sys.stderr.write(f"{message}\n")
    sys.exit(status)


if __name__ == "__main__":
    # By its own name, so that steps raise the same Refused that is caught here.
    from workflows.step import main as run_step

    run_step()
