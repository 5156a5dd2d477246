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
# # What the four conditions say
#
# Each condition is a number ε: the largest deviation of a random-looking sum from its expectation, over
# *all* directions. In the plane all of it can be drawn.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import wdccheck as wc
from wdccheck.geometry.expectation import angle, expected_gram, gated_gram

FAST = os.environ.get("WDCCHECK_FAST") == "1"
SIDE = 60 if FAST else 180  # points along an edge of the maps
ENGINES = (wc.Spectral(), wc.Ascent(starts=64), wc.BranchAndBound(nodes=20_000))

plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90})
BLUE, ORANGE = "#1f4e8c", "#d9822b"


def direction(degrees):
    """Unit vectors of the plane, shape (..., 2)."""
    turn = np.radians(degrees)
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1)


# %% [markdown]
# ## Gates
#
# A layer with the rows $w_i$ is cut down by a direction $r$: the row $i$ stays if $w_i \cdot r > 0$. Two
# directions $r$ and $s$ leave the rows that are open in both. Here are nine Gaussian rows in the plane.

# %%
W = np.random.default_rng(39).standard_normal((9, 2)) / 3
r, s = direction(60.0), direction(120.0)
both = (W @ r > 0) & (W @ s > 0)

fig, ax = plt.subplots(figsize=(3.4, 3.4))
for w, kept in zip(W, both, strict=True):
    ax.annotate("", w, (0, 0), arrowprops={"arrowstyle": "->", "color": BLUE if kept else "0.75", "lw": 1.6})
for letter, x in (("r", r), ("s", s)):
    ax.annotate("", 0.8 * x, (0, 0), arrowprops={"arrowstyle": "->", "color": ORANGE, "lw": 1, "ls": "--"})
    ax.annotate(letter, 0.88 * x, color=ORANGE, ha="center", va="center", fontsize=11)
ax.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", title="rows open in both r and s: blue")
plt.show()

# %%
print(f"open in r: {np.sum(W @ r > 0)}, in s: {np.sum(W @ s > 0)}, in both: {np.sum(both)} of {len(W)} rows")

# %% [markdown]
# ## WDC: the open rows against their expectation
#
# The open rows make the matrix $A_{r,s} = \sum_{\text{open}} w_i w_i^T$. Were the rows Gaussian and
# infinitely many, it would be $Q_{r,s}$, which depends on the angle between $r$ and $s$ only. The figure
# shows what both do to the unit circle. The deviation is $\|A_{r,s} - Q_{r,s}\|$, the longest distance
# between the images of one point.

# %%
condition = wc.WDC(W)
A, Q = gated_gram(W, r, s), expected_gram(r, s)
circle = direction(np.linspace(0, 360, 361))
values, vectors = np.linalg.eigh(A - Q)
top = vectors[:, np.argmax(np.abs(values))]

fig, ax = plt.subplots(figsize=(3.4, 3.4))
ax.plot(*(circle @ A).T, color=BLUE, label=r"image under $A_{r,s}$")
ax.plot(*(circle @ Q).T, color=ORANGE, linestyle="--", label=r"image under $Q_{r,s}$")
ax.plot(*np.array([A @ top, Q @ top]).T, color="black", marker="o", markersize=3, label="longest distance")
ax.set(aspect="equal")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
print(f"deviation at this pair: {condition.deviation({'r': r, 's': s}):.4f}")

# %% [markdown]
# ## ε is the largest deviation over all pairs
#
# One pair says little. Below, every pair of directions is a point. The deviation jumps wherever $r$ or
# $s$ crosses a wall, a direction at a right angle to a row. The largest value is often approached beside
# a wall, where a grid misses it. The star is where the search ended; the upper bound is a proof.

# %%
found = wc.bracket(condition, *ENGINES)
degrees = (np.arange(SIDE) + 0.5) * 360 / SIDE
grid = condition.deviation({"r": direction(degrees)[None, :], "s": direction(degrees)[:, None]})


def heat(ax, values, **labels):
    """A map over two angles."""
    image = ax.imshow(values, origin="lower", extent=(0, 360, 0, 360), cmap="cividis")
    ax.set(xticks=range(0, 361, 90), yticks=range(0, 361, 90), **labels)
    return image


def turn(x):
    """The angle of a plane vector in degrees."""
    return np.degrees(np.arctan2(x[1], x[0])) % 360


fig, ax = plt.subplots(figsize=(4.4, 3.6))
fig.colorbar(heat(ax, grid, xlabel="angle of r", ylabel="angle of s"), label="deviation")
ax.plot(turn(found.witness["r"]), turn(found.witness["s"]), "*", color="white", markeredgecolor="black",
        markersize=12)
plt.show()

# %%
print(f"largest on the grid: {grid.max():.4f}")
print(found)

# %%
theta = np.degrees(angle(found.witness["r"], found.witness["s"]))
print(f"the angle between r and s of the star: {theta:.1f} degrees")
print(f"the longest row alone gives (Fact 7): eps >= {np.max(np.sum(W**2, axis=1)):.4f}")

# %% [markdown]
# ## R2WDC: the same, where the network reaches
#
# The WDC asks about all directions. A generator visits few of them. Here the layer stands behind a first
# layer with one latent dimension: its range is two rays. The R2WDC asks for $r$ and $s$ on the rays, and
# for $u$ and $v$ among differences of points of the rays (the shaded quarters).

# %%
first = np.array([[1.0], [-0.7]])
restricted = wc.bracket(wc.R2WDC(wc.ReLUNetwork([first, W]), 2))

fig, ax = plt.subplots(figsize=(3.4, 3.4))
for start in (90, 270):
    ax.fill(*np.vstack([[0, 0], direction(np.linspace(start, start + 90, 50))]).T, color="0.88")
for ray in ((1, 0), (0, 1)):
    ax.annotate("", ray, (0, 0), arrowprops={"arrowstyle": "->", "color": ORANGE, "lw": 2})
ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal", title="range: orange; differences: grey")
plt.show()

# %%
print("all directions:", found)
print("on the range:  ", restricted)

# %% [markdown]
# ## RRIC: do the measurements keep the range apart?
#
# With measurements $A$ the RRIC is the largest $|\langle (A^TA - I)u, v\rangle|$ over unit differences
# $u$, $v$ of outputs. For a generator with the two rays as its outputs, only the outlined square of the
# map counts.

# %%
A = np.array([[1.13, 0.14], [0.14, 1.13]])
D = A.T @ A - np.eye(2)
half = (np.arange(SIDE) + 0.5) * 180 / SIDE
U = direction(half)

fig, ax = plt.subplots(figsize=(4.4, 3.6))
image = ax.imshow(np.abs(U @ D @ U.T), origin="lower", extent=(0, 180, 0, 180), cmap="cividis")
ax.add_patch(plt.Rectangle((90, 90), 89, 89, fill=False, color="white", linewidth=2))
ax.set(xlabel="angle of u", ylabel="angle of v", xticks=range(0, 181, 45), yticks=range(0, 181, 45))
fig.colorbar(image, label=r"$|\langle (A^TA - I)u, v\rangle|$")
plt.show()

# %%
print(f"over the whole plane: {np.linalg.norm(D, 2):.4f}")
print("on the range:", wc.bracket(wc.RRIC(A, wc.ReLUNetwork([first]))))

# %% [markdown]
# ## joint-WDC: two layers that weigh each other
#
# Blind demodulation sees the product of the outputs of two networks. The open rows of $B$ are then
# weighted by the outputs of $C$, and the other way round: four directions $h$, $x$, $m$, $y$. The map has
# $h = x$ and $m = y$.

# %%
C = np.random.default_rng(24).standard_normal((9, 2)) / 3
joint = wc.JointWDC(W, C)
h, m = direction(degrees)[None, :], direction(degrees)[:, None]
values = joint.deviation({"h": h, "x": h, "m": m, "y": m})

fig, ax = plt.subplots(figsize=(4.4, 3.6))
fig.colorbar(heat(ax, values, xlabel="angle of h = x", ylabel="angle of m = y"), label="deviation")
plt.show()

# %%
print(f"largest on this slice: {values.max():.4f}")
print(wc.bracket(joint, *ENGINES))
