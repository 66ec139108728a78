"""Numbers as people read them."""

from __future__ import annotations

import math
import sys

_LARGEST_SHOWN_ODDS = 1_000_000


def percent(part: float, whole: float = 1.0) -> str:
    """`part` of `whole` in percent, two significant digits: `3.1 %`, `0.024 %`, `0 %`."""
    if not whole or not part:
        return "0 %"
    value = 100 * part / whole
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def grouped(count: int) -> str:
    """A count with thin spaces between thousands: `12 408`."""
    return f"{count:,}".replace(",", "\u202f")


def per_second(rate: float) -> str:
    """A rate as people say it: `0.2`, `3.4`, `1 200`."""
    return grouped(round(rate)) if rate >= 10 else f"{rate:.2g}"


def odds(log_odds: float) -> float:
    """Odds from their natural logarithm; the largest float where they would be more."""
    return math.exp(min(log_odds, math.log(sys.float_info.max)))


def odds_text(log_odds: float) -> str:
    """Odds as people say them: `0.4 to 1`, `1 310 to 1`."""
    if math.isnan(log_odds):
        return "unknown"
    if log_odds > math.log(_LARGEST_SHOWN_ODDS):
        return f"more than {grouped(_LARGEST_SHOWN_ODDS)} to 1"
    odds = math.exp(log_odds)
    if odds < 0.01:
        return "less than 0.01 to 1"
    return f"{odds:.2g} to 1" if odds < 10 else f"{grouped(round(odds))} to 1"
