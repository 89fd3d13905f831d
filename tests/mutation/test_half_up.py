"""A tie on paper: 12.345 raw points x 10.000 of weight / 100 = 1.2345, shown as 1.235; to even it would be 1.234."""

import numpy as np

from include.kernel.whole import quotient


def test_half_a_thousandth_goes_up_in_the_nightly_columns() -> None:
    raw, weight, full = np.array([12345, -12345, 12355]), np.array([10000, 10000, 10000]), 100_000
    assert quotient(raw * weight, full).tolist() == [1235, -1235, 1236]
