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
# # Contractive layers: the WDC fails, the R2WDC survives
#
# Many generators have layers with fewer outputs than inputs. For these the WDC is lost by counting alone;
# the R2WDC, which looks only where the network reaches, is not.

# %%
import os

import numpy as np

import wdccheck as wc
from wdccheck.rounded_text import between

FAST = os.environ.get("WDCCHECK_FAST") == "1"
HIDDEN = 48
WIDTHS = [4, 40] if FAST else [4, 8, 20, 40]
NODES = 20_000

# %% [markdown]
# ## Fact 6
#
# If a direction $r$ leaves fewer open rows than there are columns, $A_{r,r}$ has an eigenvalue 0, where
# its expectation has $\alpha/2$. So ε ≥ α/2: no α makes ε/α smaller than ½, and ½ is what every layer has
# at a large α. With n < 2k rows there always is such a direction, since $r$ and $-r$ share the rows.

# %%
rng = np.random.default_rng(0)
W1 = rng.standard_normal((HIDDEN, 1)) / np.sqrt(HIDDEN)
W2 = rng.standard_normal((WIDTHS[-1], HIDDEN)) / np.sqrt(WIDTHS[-1])
net = wc.ReLUNetwork([W1, W2])
wide = wc.bracket(wc.WDC(W2, layer=2), wc.Spectral())
print(wide)
for alpha in (1.0, 10.0, 100.0):
    known = wc.bracket(wc.WDC(W2, alpha, layer=2), wc.Spectral())
    print(f"alpha = {alpha:5g}: {between(known.ratio_lower, 'eps/alpha', known.ratio_upper)}")

# %% [markdown]
# ## The same layer on the range
#
# The layer stands behind a first layer with one latent dimension. Its inputs are two rays, their
# differences lie in a plane. The R2WDC of the same weights:

# %%
restricted = wc.bracket(wc.R2WDC(net, 2), wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(nodes=NODES))
print(restricted)
print(f"eps/alpha <= 0.5 at alpha = 1: {restricted.verdict(ratio=0.5).value}")

# %% [markdown]
# ## Narrower and narrower
#
# All layers below have fewer outputs than inputs. `sweep` draws Gaussian ones of several widths and
# brackets both conditions at α = 1.

# %%
design = {"k": 1, "depth": 2, "hidden": HIDDEN, "n": WIDTHS, "rtol": 0.05, "budget": 5_000}
everywhere = wc.sweep("wdc", **design, repeat=1 if FAST else 2)
on_range = wc.sweep("r2wdc", **design, repeat=3 if FAST else 9)  # exact in one latent dimension, hence quick
study = wc.Study((*everywhere.rows, *on_range.rows))
ax = wc.plots.contraction(study)
ax.axhline(0.5, color="0.3", linewidth=0.8, linestyle="--")

# %%
for n in WIDTHS:
    for name, part in (("wdc", everywhere), ("r2wdc", on_range)):
        rows = [row for row in part.rows if row["n"] == n]
        ends = between(min(row["lower"] for row in rows), "eps", max(row["upper"] for row in rows))
        print(f"n = {n:2} of {HIDDEN} inputs, {name:5}: {ends} in {len(rows)} layers")

# %% [markdown]
# The dashed line is ½. The WDC stays far above it at every width and grows as the layer narrows. The
# R2WDC is far smaller: it sees a plane of differences, however many inputs there are. With very few
# outputs it can be large, too.

# %%
for n in WIDTHS:
    uppers = [row["upper"] for row in on_range.rows if row["n"] == n]
    below = sum(upper < 0.5 for upper in uppers)
    print(f"n = {n:2}: R2WDC proved below 1/2 in {below} of {len(uppers)} layers")
print(f"WDC proved at least 1/2 in {sum(row['lower'] >= 0.5 for row in everywhere.rows)} "
      f"of {len(everywhere.rows)} layers")

# %% [markdown]
# ## Two latent dimensions
#
# With two latent dimensions the inputs fill a union of cones. The upper bound takes more work; within a
# small budget the bracket stays open. The lower bound is real, the upper bound is valid but not sharp.

# %%
first = rng.standard_normal((32, 2)) / np.sqrt(32)
second = rng.standard_normal((24, 32)) / np.sqrt(24)
two = wc.R2WDC(wc.ReLUNetwork([first, second]), 2)
engines = (wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(nodes=2_000 if FAST else 20_000))
print(wc.bracket(two, *engines))
print(wc.bracket(wc.WDC(second, layer=2), wc.Spectral()))
