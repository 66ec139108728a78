"""The buckets of TensorFlow Serving's latency histogram."""

from __future__ import annotations

import pytest

from promoter.domain.latency_buckets import BOUNDS_US, bucket_at_or_above

# As a server exports them, in `le`.
EXPORTED = """
10 18 32.4 58.32 104.976 188.957 340.122 612.22 1102 1983.59 3570.47 6426.84
11568.3 20823 37481.3 67466.4 121440 218591 393464 708235 1.27482e+06 2.29468e+06
4.13043e+06 7.43477e+06 1.33826e+07 2.40887e+07 4.33596e+07 7.80473e+07
1.40485e+08 2.52873e+08 4.55172e+08 8.19309e+08 1.47476e+09
"""


def test_the_bounds_are_those_a_server_exports():
    assert tuple(map(float, EXPORTED.split())) == BOUNDS_US


@pytest.mark.parametrize(
    ("wanted", "found"), [(0, 10), (10, 10), (10.1, 18), (100_000, 121_440), (250_000, 393_464), (1e12, 1.47476e09)]
)
def test_a_limit_is_judged_at_the_first_bucket_that_is_not_below_it(wanted, found):
    assert bucket_at_or_above(wanted) == found
