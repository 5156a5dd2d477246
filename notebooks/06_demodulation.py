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

# %% [markdown]
# # Blind demodulation: a pair of networks
#
# A signal is seen only multiplied by another one, entry by entry. Both come from generators. The theorem
# of Hand and Joshi asks for the WDC of every layer and the joint-WDC of the two last ones.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import wdccheck as wc
from wdccheck.rounded_text import between, down
from wdccheck.weights.files import read_network

FAST = os.environ.get("WDCCHECK_FAST") == "1"
SECONDS = 15 if FAST else 60
PAIR = Path("../certificates/demodulation")

plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90})
BLUE, ORANGE = "#1f4e8c", "#d9822b"

B, C = read_network(PAIR / "B.npz"), read_network(PAIR / "C.npz")
print(B, C)

# %% [markdown]
# ## What is observed
#
# Two signals and their product. From the product alone both are to be found, up to a factor that can pass
# from one to the other.

# %%
first, second = B([1.0]), C([1.0])
fig, axes = plt.subplots(3, 1, figsize=(5, 2.9), sharex=True, layout="constrained")
lines = [("signal of B", first, BLUE), ("signal of C", second, ORANGE), ("observed", first * second, "black")]
for ax, (name, values, color) in zip(axes, lines, strict=True):
    ax.bar(range(len(values)), values, color=color)
    ax.set_ylabel(name)
axes[-1].set_xlabel("entry")
plt.show()

# %%
print(f"of {len(first)} entries {np.sum(first > 0)} are positive in B, {np.sum(second > 0)} in C, "
      f"{np.sum(first * second > 0)} in the product")

# %% [markdown]
# ## All conditions of the pair
#
# `certify_pair` brackets them. Inner layers are held against α = 1, as the theorem has it; the last
# layers get the α found for each, and the joint-WDC the product of the two.

# %%
report = wc.certify_pair(B, C, time_limit=SECONDS, gap=0.02)
print(report.to_text().split("\n\n----")[0])

# %%
rows = report.rows
fig, ax = plt.subplots(figsize=(5, 2))
for place, row in enumerate(rows):
    ends = [row.ratio_lower, row.ratio_upper]
    ax.plot(ends, [place, place], color=BLUE, marker="|", markersize=9, linewidth=2.5)
ax.set(yticks=range(len(rows)), yticklabels=[row.name for row in rows], xlabel="ε/α", xlim=(0, None))
ax.invert_yaxis()
plt.show()

# %% [markdown]
# ## The witness of the joint-WDC
#
# Four directions where the deviation is at least the lower bound: $h$, $x$ for the last layer of B, $m$,
# $y$ for that of C. Lines are rows, thick ones those open in both directions.

# %%
last = rows[-1].bracket
fig, axes = plt.subplots(1, 2, figsize=(6.2, 3), layout="constrained")
for ax, name, W, letters in zip(axes, "BC", (B.layers[-1], C.layers[-1]), ("hx", "my"), strict=True):
    one, two = (last.witness[letter] / np.linalg.norm(last.witness[letter]) for letter in letters)
    both = (W @ one > 0) & (W @ two > 0)
    size = np.linalg.norm(W, axis=1).max()
    for w, kept in zip(W, both, strict=True):
        style = {"color": BLUE, "linewidth": 2, "zorder": 2} if kept else {"color": "0.75", "linewidth": 0.8}
        ax.plot([0, w[0]], [0, w[1]], **style)
    close = one @ two > 0.97
    names = [(", ".join(letters), one)] if close else list(zip(letters, (one, two), strict=True))
    for label, x in names:
        ax.annotate("", 1.3 * size * x, (0, 0), zorder=4,
                    arrowprops={"arrowstyle": "->", "color": ORANGE, "lw": 1, "ls": "--"})
        ax.annotate(label, 1.5 * size * x, color=ORANGE, fontsize=11, ha="center", va="center")
    ax.set(aspect="equal", xlim=(-1.7 * size, 1.7 * size), ylim=(-1.7 * size, 1.7 * size),
           title=f"{name}: {np.sum(both)} of {len(W)} rows open in both")
    ax.set_axis_off()
plt.show()

# %%
joint = wc.JointWDC(B.layers[-1], C.layers[-1], last.alpha)
for name, value in joint.parts(last.witness).items():
    print(f"the inequality of {name} there: {float(value) / last.alpha:.5f} alpha")
print(f"stored lower bound over alpha: {down(rows[-1].ratio_lower)}")

# %% [markdown]
# ## More rows
#
# The joint-WDC of Gaussian matrices against the number ℓ of their rows, bracketed within a small budget.

# %%
study = wc.sweep("joint-wdc", k=1, l=[4, 16, 64, 256], repeat=3 if FAST else 9, budget=2_000)
if not FAST:
    plane = wc.sweep("joint-wdc", k=2, l=[4, 16, 64, 256], repeat=2, rtol=0.2, budget=60_000)
    study = wc.Study((*study.rows, *plane.rows))
ax = wc.plots.joint(study)

# %%
for k in sorted({row["k"] for row in study.rows}):
    for rows_of in sorted({row["l"] for row in study.rows}):
        cells = [row for row in study.rows if (row["k"], row["l"]) == (k, rows_of)]
        low, high = (np.median([row[side] for row in cells]) for side in ("lower", "upper"))
        print(f"k = {k}, {rows_of:3} rows, medians: {between(low, 'eps', high)}")

# %% [markdown]
# From 4 to 256 rows the medians fall, unevenly: there are few repetitions. Every row is weighted by a
# product of two outputs of the other matrix, so that single rows may count for much.
