"""The kinds of conditions: what is said of each, wherever something is said of it.

Engines, commands, files and pages name no condition: they read this table. `conditions/built.py` makes a
condition of a kind from plain data.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["KINDS", "Kind", "known", "named", "with_slug"]

_ZEROS = "A matrix of zeros has {}; "
_NO_BETTER = "this one is no better at this alpha, so the condition promises nothing."
_OPEN = "whether this one is below that is not decided."
_HOPELESS = ("A matrix of zeros has {}, and to one part in a million no alpha brings this one below that: "
             "the condition promises nothing here.")


@dataclass(frozen=True)
class Kind:
    """One kind of condition.

    Attributes
    ----------
    name : str
        As results have it.
    slug : str
        As commands, designs and files have it.
    needs : tuple of str
        What it is of, in this order: ``("layer",)`` a matrix, ``("network", "layer")`` one layer behind
        others, ``("network", "measurements")``, ``("B", "C")`` two matrices.
    help : str
        What a command brackets.
    heading : str
        The statement with its source, above its rows.
    measures : str
        What the number measures.
    below, above, between : str
        What it means that the ratio is below its critical value, is not, or may be either.
    hopeless : str
        What it means that no alpha brings the ratio below it.
    best : str
        The number at its best.
    advice : str
        What tends to make the number smaller; empty where nothing general can be said.
    matrix : str
        Whose eigenvalues a drawing shows; empty where it is about no matrix.
    critical : Fraction
        The ratio from which on the condition promises nothing; with an alpha, that of every large one.
    scaled : bool
        Whether there is an alpha.
    reach : int
        The largest dimension of directions at which more time lowers upper bounds in practice.
    orthonormal : bool
        Whether its measurements have orthonormal rows or columns; they may then be complex.
    dominated_by : str or None
        The kind of the same layer whose upper bound bounds this one (Fact 12).
    sides : tuple of str
        Kinds of the same data that a result of this one may hold beside it: the lower, then the upper side.
    """

    name: str
    slug: str
    needs: tuple[str, ...]
    help: str
    heading: str
    measures: str
    below: str
    above: str
    between: str
    matrix: str
    critical: Fraction
    reach: int
    hopeless: str = ""
    best: str = "0 is perfect."
    advice: str = ""
    scaled: bool = True
    orthonormal: bool = False
    dominated_by: str | None = None
    sides: tuple[str, ...] = ()

    @property
    def per_layer(self) -> bool:
        """Whether every layer of a network has one."""
        return "layer" in self.needs

    @property
    def over_range(self) -> bool:
        """Whether its directions are those that a network produces."""
        return "network" in self.needs

    @property
    def measured(self) -> bool:
        """Whether it is about measurements of the outputs of a network."""
        return "measurements" in self.needs

    @property
    def paired(self) -> bool:
        """Whether it is of two matrices."""
        return self.needs == ("B", "C")

    @property
    def sizes(self) -> int:
        """How many numbers its shape has."""
        return 3 if self.paired else 2

    @property
    def ratio(self) -> str:
        """What a verdict compares."""
        return "eps/alpha" if self.scaled else "eps"


KINDS = (
    Kind(
        name="WDC", slug="wdc", needs=("layer",),
        help="The WDC of one matrix: WEIGHTS is a file of weights (docs/weight-files.md).",
        heading="WDC: ||A_{r,s} - alpha Q_{r,s}|| over all directions r, s ([HV] Def. 2, [HJ] eq. 5)",
        measures="how far the rows that are open in two directions are, at worst, from behaving like "
                 "infinitely many Gaussian rows",
        below=_ZEROS.format("1/2") + "this one is below that: the open rows miss no direction of the "
              "input, nothing is lost here.",
        above=_ZEROS.format("1/2") + _NO_BETTER,
        between=_ZEROS.format("1/2") + _OPEN,
        hopeless=_HOPELESS.format("1/2"),
        matrix="A − αQ, over α", critical=Fraction(1, 2), reach=6),
    Kind(
        name="R2WDC", slug="r2wdc", needs=("network", "layer"),
        help="The R2WDC of one layer: NET holds this layer and those before it.",
        heading="R2WDC: the same form, only where the layers before it reach ([C] Def. 4.3)",
        measures="the same as the WDC, but only for directions that the layers before can produce",
        below=_ZEROS.format("1/2") + "this one is below that: wherever the layers before do not produce 0, "
              "the open rows miss no difference that they can produce.",
        above=_ZEROS.format("1/2") + _NO_BETTER,
        between=_ZEROS.format("1/2") + _OPEN,
        hopeless=_HOPELESS.format("1/2"),
        matrix="A − αQ, over α", critical=Fraction(1, 2), reach=3, dominated_by="WDC"),
    Kind(
        name="RRIC", slug="rric", needs=("network", "measurements"), scaled=False,
        help="The RRIC of measurements of the outputs of a network: NET is a file of weights.",
        heading="RRIC: |<(A^T A - I) u, v>| / (|u| |v|), u, v differences of outputs ([HV] Def. 3), no alpha",
        measures="by how much the measurements distort, at worst, the inner product of two differences of "
                 "outputs, relative to their lengths",
        below="Proved below 1: two different outputs never have the same measurements.",
        above="1 or more: the condition does not prove that different outputs have different measurements.",
        between="Below 1, two different outputs never have the same measurements; whether it is below 1 is "
                "not decided.",
        advice="More measurements, or measurements closer to an isometry, tend to make it smaller.",
        matrix="AᵀA − I", critical=Fraction(1), reach=3, sides=("lower-isometry", "upper-isometry")),
    Kind(
        name="coherence", slug="coherence", needs=("network", "measurements"), scaled=False,
        orthonormal=True,
        help="The coherence of orthonormal measurements over the range: NET is a file of weights.",
        heading="coherence: max_j |<U_j, u>| / |u|, u a difference of outputs (after [B]), no alpha",
        measures="how much a single one of the orthonormal measurements sees, at most, of a difference of "
                 "outputs, relative to its length",
        best="The smaller, the fewer measurements will do.",
        below="Proved below 1: no difference of outputs is seen by one measurement alone.",
        above="1 or more: some difference of outputs is seen by one measurement alone.",
        between="At 1 some difference of outputs is seen by one measurement alone; whether it is below 1 is "
                "not decided.",
        advice="Measurements that spread what the network produces tend to make it smaller.",
        matrix="", critical=Fraction(1), reach=3),
    Kind(
        name="lower-isometry", slug="lower-isometry", needs=("network", "measurements"), scaled=False,
        help="1 over the lower isometry constant of measurements over the range: NET is a file of weights.",
        heading="lower isometry: |u|^2 / |A u|^2, u a difference of outputs; no alpha",
        measures="how much longer, squared, a difference of outputs is, at most, than what the measurements "
                 "make of it",
        best="For an isometry it is 1.",
        below="Proved below 1: the measurements lengthen every difference of outputs.",
        above="1 or more: the measurements shorten, or keep, the length of some difference of outputs.",
        between="Below 1 the measurements lengthen every difference of outputs; whether it is below 1 is not "
                "decided.",
        advice="More measurements, or measurements closer to an isometry, tend to make it smaller.",
        matrix="", critical=Fraction(1), reach=3),
    Kind(
        name="upper-isometry", slug="upper-isometry", needs=("network", "measurements"), scaled=False,
        help="The upper isometry constant of measurements over the range: NET is a file of weights.",
        heading="upper isometry: |A u|^2 / |u|^2, u a difference of outputs; no alpha",
        measures="how much longer, squared, the measurements make a difference of outputs, at most",
        best="For an isometry it is 1.",
        below="Proved below 1: the measurements shorten every difference of outputs.",
        above="1 or more: the measurements lengthen, or keep, the length of some difference of outputs.",
        between="Below 1 the measurements shorten every difference of outputs; whether it is below 1 is not "
                "decided.",
        advice="More measurements, or measurements closer to an isometry, tend to make it smaller.",
        matrix="", critical=Fraction(1), reach=3),
    Kind(
        name="joint-WDC", slug="joint-wdc", needs=("B", "C"),
        help="The joint-WDC of two matrices with equally many rows: B and C are files of one matrix.",
        heading="joint-WDC: both inequalities of the last layers B, C ([HJ] eqs. 6, 7, times l)",
        measures="how far the products of the two last layers are, at worst, from behaving like "
                 "infinitely many Gaussian rows",
        below=_ZEROS.format("1/4") + "this one is below that.",
        above=_ZEROS.format("1/4") + _NO_BETTER,
        between=_ZEROS.format("1/4") + _OPEN,
        hopeless=_HOPELESS.format("1/4"),
        matrix="A − ακQ, over α", critical=Fraction(1, 4), reach=4),
)
"""All kinds, in the order in which reports have them."""


def known(name: object) -> bool:
    """Whether a result's `kind` is one of these."""
    return any(kind.name == name for kind in KINDS)


def named(name: str) -> Kind:
    """The kind of a result. Raises KeyError."""
    return {kind.name: kind for kind in KINDS}[name]


def with_slug(slug: str) -> Kind:
    """The kind that a command or a design means. Raises KeyError."""
    return {kind.slug: kind for kind in KINDS}[slug]
