"""Best first on a toy whose regions are intervals of a table: the optimum is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import wdccheck as wc
from examples.toys import Toy
from wdccheck.brackets import Bracket
from wdccheck.engines.proving.best_first import Limits, best_first
from wdccheck.engines.proving.relax import proved_bound
from wdccheck.protocol.forms import RangeForm
from wdccheck.protocol.proof import Bounded
from wdccheck.running.run import Run
from wdccheck.stops import Reason

_LOOSE = 4.0  # an entry's bound over its value, before its constraints are used


@dataclass(frozen=True, eq=False)
class Intervals:
    """Entries first, ..., last - 1 of a table."""

    first: np.ndarray
    last: np.ndarray
    bound: np.ndarray
    effort: np.ndarray
    size: int

    def __len__(self):
        return len(self.first)

    def take(self, index):
        names = ("first", "last", "bound", "effort")
        return Intervals(*(getattr(self, name)[index] for name in names), self.size)

    def join(self, parts):
        names = ("first", "last", "bound", "effort")
        return Intervals(*(np.concatenate([getattr(p, name) for p in parts]) for name in names), self.size)

    def bounded(self, bound):
        return replace(self, bound=np.minimum(self.bound, bound))

    def splittable(self):
        return self.last - self.first > 1

    def finer(self):
        return None

    def remark(self, lower):
        return f"; above {lower:g}"

    def single(self):
        return ~self.splittable()

    def matured(self):
        return replace(self, effort=self.effort + 1)

    def split(self):
        middle = (self.first + self.last) // 2
        left, right = replace(self, last=middle), replace(self, first=middle)
        return self.join([left, right])

    def centers(self):
        return {"x": np.eye(self.size)[(self.first + self.last) // 2]}

    def contains(self, points):
        at = np.argmax(points["x"], axis=1)
        return (self.first <= at) & (at < self.last)

    def sample(self, rng, n):
        return {"x": np.eye(self.size)[rng.integers(self.first[:, None], self.last[:, None], (len(self), n))]}


@dataclass(frozen=True, eq=False)
class Table(Toy):
    """|values[i]| where x_i is the largest entry of x."""

    values: np.ndarray
    degree = 1
    boxes = None  # finitely many regions need no t
    limit = "single entries allow no smaller bound"

    @property
    def matrix(self):
        return np.diag(self.values)

    @property
    def maximum(self):
        return float(np.abs(self.values).max())

    @property
    def spheres(self):
        return {("x",): len(self.values)}

    def f(self, points):
        return self.values[np.argmax(points["x"], axis=-1)]

    def caps(self, deadline=np.inf):
        yield from ()

    def groups(self, deadline=np.inf):
        n = len(self.values)
        return Intervals(np.array([0]), np.array([n]), np.array([np.inf]), np.zeros(1, dtype=int), n)

    def forms(self, regions):
        """An interval's largest value, 4 times that without the constraint z >= 0; 10 % more per entry."""
        assert not ((regions.effort > 0) & regions.splittable()).any()
        for some in (np.arange(0, len(regions), 2), np.arange(1, len(regions), 2)):
            top = np.array([np.abs(self.values[a:b]).max() for a, b in
                            zip(regions.first[some], regions.last[some], strict=True)])
            top *= 1 + 0.1 * (regions.last[some] - regions.first[some] - 1)
            form = top[:, None, None] * np.array([[1.0, -3.0], [-3.0, 1.0]])
            one, zero = np.broadcast_to(np.eye(2), form.shape), np.zeros(len(some))
            yield some, (RangeForm(one, form, zero, zero, cone=one, cone_error=0 * one),)


def table(seed=0, n=300):
    return Table(np.random.default_rng(seed).standard_normal(n))


def run_on(condition, run=None, tighten=None, **options):
    engine = wc.BranchAndBound(**options)
    limits = Limits(engine, engine.nodes or 10**7, engine._goal)
    more = () if tighten is None else ((tighten,),)
    known = Bracket(condition.describe())
    return list(best_first(condition, condition.proof.groups(), known, run or Run(), limits, *more))


def test_the_toy_is_bounded():
    roots = table().proof.groups()
    assert isinstance(roots, Bounded)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_found(seed):
    condition = table(seed)
    result = run_on(condition, rtol=0.0)[-1]
    assert result.lower <= condition.maximum <= result.upper <= 1.4 * condition.maximum
    assert condition.limit in result.stopped["upper"].detail
    assert result.stopped["upper"].detail.endswith(f"; above {result.lower:g}")
    assert result.lower >= 0.5 * condition.maximum


def test_uppers_fall_and_lowers_rise():
    found = run_on(table(1), rtol=0.0)
    uppers, lowers = [b.upper for b in found], [b.lower for b in found]
    assert uppers == sorted(uppers, reverse=True)
    assert lowers == sorted(lowers)
    assert all("upper" not in b.stopped for b in found[:-1])
    assert found[-1].upper_by == "BranchAndBound(gap=0.0, rtol=0.0, nodes=None)"


def test_constraints_are_used_before_it_gives_up():
    condition = table(2)
    plain = run_on(condition, tighten=proved_bound, rtol=0.0)[-1]
    assert plain.upper == pytest.approx(_LOOSE * condition.maximum)
    assert run_on(condition, rtol=0.0)[-1].upper < 0.4 * plain.upper


def test_bounds_are_inherited():
    """A form that says nothing of the halves leaves them the bound of the whole."""

    class Silent(Table):
        def forms(self, regions):
            for owners, forms in super().forms(regions):
                wide = (regions.last - regions.first)[owners] > 40
                yield owners[wide], tuple(form.take(np.flatnonzero(wide)) for form in forms)

    condition = Silent(np.random.default_rng(3).standard_normal(100))
    result = run_on(condition, rtol=0.0)[-1]
    assert condition.maximum <= result.upper < np.inf


def test_without_any_form_the_upper_bound_stays():
    class Mute(Table):
        def forms(self, regions):
            yield from ()

    result = run_on(Mute(np.ones(9)), rtol=0.0)[-1]
    assert result.upper == np.inf
    assert result.lower > 0.99


def test_a_region_of_which_nothing_is_known_comes_first():
    class Gap(Table):
        def forms(self, regions):
            gap = int(np.argmax(np.abs(self.values)))
            for owners, forms in super().forms(regions):
                seen = (gap < regions.first[owners]) | (regions.last[owners] <= gap)
                yield owners[seen], tuple(form.take(np.flatnonzero(seen)) for form in forms)

    for result in run_on(Gap(np.random.default_rng(8).standard_normal(60)), rtol=0.0):
        assert result.upper == np.inf


def test_a_smaller_bound_known_before_is_kept():
    condition = table(4)
    engine = wc.BranchAndBound(rtol=0.0, nodes=1)
    known = replace(Bracket(condition.describe()), upper=condition.maximum * 1.01, upper_by="a theorem")
    limits = Limits(engine, 1, engine._goal)
    found = list(best_first(condition, condition.proof.groups(), known, Run(), limits))
    assert found[-1].upper == known.upper
    assert found[-1].upper_by == "a theorem"


def test_results_do_not_depend_on_the_workers():
    condition = Table(1 + 1e-6 * np.random.default_rng(0).standard_normal(3000))  # alike: many at a time
    one, two = (run_on(condition, Run(workers=n), rtol=0.0, nodes=5000)[-1] for n in (1, 2))
    assert (one.lower, one.upper, one.lower_by) == (two.lower, two.upper, two.lower_by)
    assert one.stopped == two.stopped
    assert one.engines[0].work == two.engines[0].work
    np.testing.assert_array_equal(one.witness["x"], two.witness["x"])


def test_it_stops_at_the_nodes():
    result = run_on(table(0, 5000), rtol=0.0, nodes=100)[-1]
    assert result.stopped["upper"].reason is Reason.NODES
    assert 100 <= result.engines[0].work < 300
    assert np.isfinite(result.upper)


def test_it_stops_at_the_deadline():
    result = run_on(table(0, 300), Run(deadline=0.0), rtol=0.0)[-1]
    assert result.stopped["upper"].reason is Reason.TIME
    assert result.engines[0].work == 0


def test_it_stops_at_the_gap():
    condition = table(5)
    result = run_on(condition, gap=5.0)[-1]
    assert result.stopped["upper"].reason is Reason.GAP
    assert result.upper - result.lower <= 5.0


@pytest.mark.parametrize(("factor", "side"), [(8.0, "upper"), (0.3, "lower")])
def test_it_stops_once_a_target_is_decided(factor, side):
    condition = table(6)
    target = factor * condition.maximum
    result = run_on(condition, Run(target=target), rtol=0.0)[-1]
    assert result.stopped["upper"].reason is Reason.TARGET
    assert result.upper <= target if side == "upper" else result.lower > target
    assert result.upper >= condition.maximum >= result.lower


def test_the_whole_bracket():
    condition = table(7)
    result = wc.bracket(condition, wc.BranchAndBound(rtol=0.0))
    assert result.lower <= condition.maximum <= result.upper <= 1.4 * condition.maximum


def test_a_table_of_zeros():
    result = run_on(Table(np.zeros(5)), rtol=0.0)[-1]
    assert result.upper <= 1e-200
    assert result.lower == 0.0
