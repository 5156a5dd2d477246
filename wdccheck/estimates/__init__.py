"""Statistical estimates about random directions: what they say holds with a confidence, and bounds nothing.

A bracket bounds the supremum of the deviation over *all* directions. These estimate its distribution
over *uniform random* ones, of which most are typical: the supremum may lie where no sample comes.

Examples
--------
>>> import numpy as np, wdccheck as wc
>>> found = wc.estimates.exceedance(wc.WDC(np.eye(2)), 0.9, samples=1000)
>>> found.low < found.high < 1
True
"""

from __future__ import annotations

from wdccheck.estimates.sampling import Estimate as Estimate
from wdccheck.estimates.sampling import exceedance as exceedance
from wdccheck.estimates.sampling import extreme as extreme
from wdccheck.estimates.sampling import quantile as quantile

__all__ = ["Estimate", "exceedance", "extreme", "quantile"]
