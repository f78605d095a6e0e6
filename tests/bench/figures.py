# SPDX-License-Identifier: BSD-2-Clause
"""What several runs say together: the middle one of their figures, and how far they lie apart."""
import math
import statistics


class Spread:
    """Values of one figure, one a run."""

    def __init__(self, values):
        self.values = list(values)
        known = [v for v in self.values if not math.isnan(v)]
        self.median = statistics.median(known) if known else math.nan
        self.least = min(known, default=math.nan)
        self.most = max(known, default=math.nan)

    def text(self, decimals=2):
        """1.23, or with more than one run 1.23 (1.20-1.31); - if no run says anything"""
        if math.isnan(self.median):
            return "-"
        if len(self.values) < 2:
            return f"{self.median:.{decimals}f}"
        return f"{self.median:.{decimals}f} ({self.least:.{decimals}f}-{self.most:.{decimals}f})"


def ratio(ours, theirs):
    """Run by run, so that what the machine did to two runs that followed each other cancels. A pair without a
    denominator says nothing."""
    return Spread(a / b if b else math.nan for a, b in zip(ours, theirs))


def percentile(values, share):
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else math.nan


def share_text(part, whole):
    """Never rounded up: 1.0000 is all of it."""
    return f"{part * 10000 // whole / 10000:.4f}" if whole else "-"
