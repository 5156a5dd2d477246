# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # ε versus width
#
# How fast does the WDC constant of a Gaussian layer fall as the layer widens? Theory says like
# $\sqrt{1/n}$ up to logarithms. This notebook measures it with two-sided bounds.

# %%
import math
import os
from pathlib import Path

import numpy as np

import wdccheck as wc
from wdccheck.rounded_text import between

FAST = os.environ.get("WDCCHECK_FAST") == "1"
STUDIES = Path("../docs/figures")

# %% [markdown]
# ## A small sweep, live
#
# `sweep` draws the matrices, brackets each, and returns a tidy table. The budget counts work, not
# seconds, so the table comes out the same on any number of workers.

# %%
small = wc.sweep("wdc", k=2, n=[20, 60, 200], repeat=2 if FAST else 4, rtol=0.1, budget=30_000)
for row in small.rows[:4]:
    ends = between(row["lower"], "eps", row["upper"])
    print(f"k = {row['k']}, n = {row['n']}: {ends}, by {row['upper_by']}")

# %%
ratios = [row["upper"] / row["lower"] for row in small.rows]
print(f"{len(ratios)} cells, {len(small.failed)} failed; upper / lower: median {np.median(ratios):.3f}, "
      f"largest {max(ratios):.3f}")

# %%
ax = wc.plots.width(small)

# %% [markdown]
# Lines are medians of the proved lower bounds, bands reach up to the proved upper bounds. The slope in
# the legend is fitted to lower bounds with n/k ≥ 10; few repetitions make its interval wide.

# %% [markdown]
# ## The figure of a paper
#
# The committed study took about eleven minutes of computing; its tables lie in `docs/figures`. It holds
# k = 2, 3, 4 with upper bounds from branch and bound, and k = 10 and 50 with searched lower bounds and
# caps.

# %%
tables = [wc.Study.load(STUDIES / name) for name in ("k2.csv", "k3.csv", "k4.csv", "capped.csv")]
study = wc.Study(tuple(row for table in tables for row in table.rows))
print(f"{len(study.rows)} matrices, {len(study.failed)} failed, "
      f"{sum(row['seconds'] for row in study.rows):.0f} seconds of computing")

# %%
ax = wc.plots.width(study)
ax.figure.set_dpi(90)

# %% [markdown]
# A bound that is more than half as large again is drawn apart, dashed. There the slope is one of lower
# bounds, and says as much about the search as about ε. How much is closed, by k:

# %%
for k in sorted({row["k"] for row in study.rows}):
    gaps = [row["upper"] / row["lower"] for row in study.rows if row["k"] == k]
    closed = sum(gap <= 1.1112 for gap in gaps)
    print(f"k = {k:2}: {closed:2} of {len(gaps)} brackets closed to 10 %, "
          f"median upper / lower {np.median(gaps):.2f}")

# %% [markdown]
# ## Constant expansion, constant ε
#
# If ε falls like $\sqrt{k/n}$, then $\varepsilon\sqrt{n/k}$ is flat.

# %%
ax = wc.plots.expansion(study)
ax.figure.set_dpi(90)

# %%
cells = {}
for row in study.rows:
    cells.setdefault((row["k"], row["n"]), []).append(row["lower"] * math.sqrt(row["n"] / row["k"]))
medians = [float(np.median(values)) for values in cells.values()]
print(f"medians of the lower bound times sqrt(n/k): from {min(medians):.2f} to {max(medians):.2f}")

# %% [markdown]
# ## The scale α
#
# Random layers have α = 1 by design. For any other layer α is chosen; ε(α)/α has a minimum, and the star
# is what `alpha="best"` finds.

# %%
scales = [0.7, 1.0, 1.4] if FAST else [0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0]
ax = wc.plots.alphas(wc.sweep(k=2, n=[20, 80], alpha=[*scales, "best"], rtol=0.1, budget=20_000))
