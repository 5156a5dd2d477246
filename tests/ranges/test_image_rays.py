"""Image rays: the images of all simplices of a fan, each ray once, errors that hold in integers."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

import examples.exact_fans as examples
from examples.exact_fans import KINDS, determinant, distance, dot, image, integers, spanned
from wdccheck.errors import OutOfTime
from wdccheck.ranges import image_rays
from wdccheck.ranges.differences import rescaled
from wdccheck.ranges.fans import Fan
from wdccheck.ranges.image_rays import ImageRays

CANCELLING = [np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 2.0**-40 - 1.0, 0.0]])]


def images_of(kind, k, seed):
    return ImageRays.of(Fan.of(rescaled(examples.small(kind, k, seed)), k))


def defects(images):
    """What is wrong with image rays, in integers."""
    found, fan = [], images.fan
    layers = [integers(W) for W in fan.layers]
    exact = [primitive(image(layers, [int(x) for x in fan.exact_ray(v)])) for v in range(len(fan.rays))]
    rays = [exact[v] for v in images.vertices]
    number = {ray: i for i, ray in enumerate(rays)}
    if len(number) != len(rays):
        found.append("a ray comes twice")
    found += ["a ray is off" for ray, x, error in zip(rays, images.vectors, images.error, strict=True)
              if distance(x, ray) > error or abs(np.linalg.norm(x) - 1) > 1e-12]
    if not np.array_equal(images.codes, fan.rays[images.vertices]):
        found.append("a code is off")
    cones = {tuple(x for x in row if x >= 0) for row in images.simplices.tolist()}
    if len(cones) != len(images.simplices) or () in cones:
        found.append("a cone comes twice or is empty")
    unused = set(cones)
    for simplex in fan.simplices.tolist():
        own = tuple(sorted({number[exact[v]] for v in simplex if any(exact[v])}))
        smaller = [own] if own in cones else [
            pair for pair in (tuple(i for i in own if i != inner) for inner in own)
            if pair in cones and spanned(rays[(set(own) - set(pair)).pop()], [rays[i] for i in pair])]
        unused -= set(smaller)
        if own and not smaller:
            found.append("a cone is missing")
    if unused:
        found.append("a cone of no simplex")
    for cone in cones:
        if len(cone) == 3 and not determinant([[dot(rays[i], rays[j]) for j in cone] for i in cone]):
            found.append("three rays in a plane")
    return found


def primitive(vector):
    return tuple(x // max(math.gcd(*vector), 1) for x in vector)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_rays_and_cones_are_the_exact_images(kind, k):
    for seed in range(4 if k < 3 else 2):
        assert defects(images_of(kind, k, seed)) == []


def test_rays_from_their_integers():
    images = images_of(examples.plain, 3, 0)
    sharp = images.sharpened(np.arange(0, len(images.vectors), 3))
    assert defects(sharp) == []
    assert sharp.error[::3].max() < 1e-15 < np.median(sharp.error)


def test_an_image_that_floats_do_not_know_comes_from_integers():
    """G(v) = 2^-40 of the terms that it is a sum of."""
    images = ImageRays.of(Fan.of(CANCELLING, 2))
    assert defects(images) == []
    assert images.error.max() < 1e-9


def test_no_image_at_all():
    images = ImageRays.of(Fan.of([np.zeros((3, 2))], 2))
    assert images.vectors.shape == (0, 3)
    assert images.simplices.shape == (0, 2)


def test_the_deadline():
    fan = Fan.of(CANCELLING, 2)
    with pytest.raises(OutOfTime):
        ImageRays.of(fan, time.monotonic() - 1)


# -- negative controls ---------------------------------------------------------------------------


def test_what_is_wrong_is_noticed(monkeypatch):
    images = images_of(examples.plain, 3, 0)
    assert "a ray is off" in defects(replace(images, error=1e-3 * images.error))
    assert "a cone is missing" in defects(replace(images, simplices=images.simplices[1:]))
    more = np.vstack([images.simplices, [[-1, 0, 1]]])
    assert "a cone of no simplex" in defects(replace(images, simplices=more))
    with monkeypatch.context() as patch:
        patch.setattr(image_rays, "_near", lambda vectors, error: iter(()))
        patch.setattr(image_rays, "_by_gates", lambda fan: np.where(
            fan.open_at[-1].any(axis=1), np.arange(len(fan.rays)), -1))
        assert "a ray comes twice" in defects(images_of(examples.both_signs, 3, 0))
    with monkeypatch.context() as patch:
        patch.setattr(image_rays, "_inner", lambda rays: 0)
        assert "a cone is missing" in defects(images_of(examples.few_units, 3, 6))
    monkeypatch.setattr(image_rays, "_flat", lambda images: iter(()))
    assert "three rays in a plane" in defects(images_of(examples.few_units, 3, 6))
