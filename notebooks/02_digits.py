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
# # Certify a trained generator
#
# The package brings a generator of handwritten digits: a bias-free ReLU network with three latent
# dimensions, trained on 8 × 8 images. Does it satisfy the conditions that recovery theorems ask for?

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import wdccheck as wc
from wdccheck.data import DIGITS_ERROR, generator
from wdccheck.geometry.expectation import expected_gram, gated_gram
from wdccheck.rounded_text import down, quotient

FAST = os.environ.get("WDCCHECK_FAST") == "1"
SECONDS = 15 if FAST else 75  # for all conditions together

plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90})
BLUE, ORANGE = "#1f4e8c", "#d9822b"

net = generator()
print(net)
print(f"mean squared error per pixel on held-out digits: {DIGITS_ERROR['generator_mse']}, "
      f"of PCA with three components: {DIGITS_ERROR['pca3_mse']}")

# %% [markdown]
# ## What it generates
#
# Images of random latent directions, each scaled to its brightest pixel. Some look like digits; it is a
# small network.

# %%
codes = np.random.default_rng(0).standard_normal((16, net.dims[0]))
pictures = net(codes)
fig, grid = plt.subplots(2, 8, figsize=(6.4, 1.7))
for cell, picture in zip(grid.flat, pictures, strict=True):
    cell.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=max(picture.max(), 1e-9))
    cell.set_axis_off()
plt.show()

# %% [markdown]
# ## All conditions in one call
#
# `certify` brackets the WDC and the R2WDC of both layers and the RRIC of random measurements. The scale
# of a trained layer is arbitrary, so each row is given at the α that makes ε/α smallest, as far as the
# search for it goes.

# %%
report = wc.certify(net, time_limit=SECONDS)
print(report.to_text().split("\n\n----")[0])

# %% [markdown]
# ## The brackets
#
# Every ε/α lies between the two ends of its bar: the left end has a witness, the right end a proof. The
# line at ½ is what every large α gives for WDC and R2WDC, whatever the weights are (Fact 9): a row at ½
# says nothing. The RRIC has no α; its bar is ε.

# %%
rows = report.rows
names = [f"{row.kind}, layer {row.layer}" if row.layer else row.kind for row in rows]
fig, ax = plt.subplots(figsize=(5.4, 2.2))
for place, row in enumerate(rows):
    ends = [row.ratio_lower, row.ratio_upper]
    ax.plot(ends, [place, place], color=BLUE, marker="|", markersize=9, linewidth=2.5)
ax.axvline(0.5, color=ORANGE, linestyle="--", linewidth=1, label="½: says nothing")
ax.set(yticks=range(len(rows)), yticklabels=names, xlabel="ε/α (RRIC: ε)", xlim=(0, None))
ax.invert_yaxis()
ax.legend(frameon=False)
plt.show()

# %%
for name, row in zip(names, rows, strict=True):
    width = row.ratio_upper / max(row.ratio_lower, 1e-300)
    print(f"{name:16} upper / lower = {width:.3f}")

# %% [markdown]
# ## The witness of layer 1
#
# The lower bound is the deviation at two stored directions, and anyone can evaluate it again. On the left
# every row is a point, open where both products are positive. On the right the eigenvalues of $A_{r,s} -
# \alpha Q_{r,s}$: the deviation is the largest of them in absolute value.

# %%
row = rows[0]
r, s = row.bracket.witness["r"], row.bracket.witness["s"]
W, alpha = net.layers[0], row.alpha
at_r, at_s = W @ r / np.linalg.norm(r), W @ s / np.linalg.norm(s)
both = (at_r > 0) & (at_s > 0)
spectrum = np.linalg.eigvalsh(gated_gram(W, r, s) - alpha * expected_gram(r, s))

fig, (left, right) = plt.subplots(1, 2, figsize=(6.2, 2.8), layout="constrained")
left.axhline(0, color="0.8", linewidth=0.8)
left.axvline(0, color="0.8", linewidth=0.8)
left.scatter(at_r[~both], at_s[~both], s=16, color="0.6", label="closed")
left.scatter(at_r[both], at_s[both], s=26, color=BLUE, marker="s", label="open in both")
left.set(xlabel=r"$w_i \cdot r$", ylabel=r"$w_i \cdot s$")
left.legend(frameon=False)
right.bar([1, 2, 3], spectrum, color=BLUE, width=0.5)
right.axhline(0, color="black", linewidth=0.6)
right.set(xticks=[1, 2, 3], xlabel="eigenvalue", ylabel=r"of $A_{r,s} - \alpha Q_{r,s}$")
plt.show()

# %%
again = wc.WDC(W, alpha).deviation(row.bracket.witness)
print(f"{np.sum(both)} of {len(W)} rows are open in both; deviation / alpha = {again / alpha:.5f}; "
      f"stored bound / alpha = {down(row.ratio_lower)}")

# %% [markdown]
# ## What it means
#
# The two theorems with an explicit constant ask for a tiny ε/α. The lower bounds prove that this
# generator is far from it. They do not prove that recovery fails: the theorems' conditions are
# sufficient, not necessary.

# %%
worst = max(row.ratio_lower for row in rows if row.kind == "WDC")
print(f"asked for: eps/alpha < {report.threshold:.3g}; the WDC has at least {down(worst)} at these alphas")
print(f"too large by a factor of at least {down(quotient(worst, report.threshold, 0.0), 3)}")
