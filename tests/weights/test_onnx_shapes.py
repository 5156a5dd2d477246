"""Bookkeeping of shapes in ONNX: each model is read as what onnx's own evaluator computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from examples.onnx_models import B1, FIRST, RNG, SECOND, W1, W2, agrees, f4, ints, model
from examples.refusals import refused
from wdccheck.weights.files import read_network

SHAPES = {
    "flatten": ("f = Flatten(x)\n" + FIRST.replace("x", "f") + SECOND, ("N", 3, 1, 1), (1, 3, 1, 1)),
    "flatten of one picture": (
        "f = Reshape(x, s)\n" + FIRST.replace("x", "f") + SECOND,
        (3, 1, 1),
        (3, 1, 1),
    ),
    "reshape with -1": (
        "f = Reshape(x, t)\n" + FIRST.replace("x", "f") + SECOND,
        ("N", 1, 3, 1),
        (1, 1, 3, 1),
    ),
    "squeeze": ("f = Squeeze(x, two)\n" + FIRST.replace("x", "f") + SECOND, ("N", 3, 1), (1, 3, 1)),
    "unsqueeze and back": (
        FIRST + "u = Unsqueeze(r, two)\nv = Squeeze(u, two)\n" + SECOND.replace("(r", "(v"),
        ("N", 3),
        (1, 3),
    ),
    "identity and dropout": (
        FIRST + "i = Identity(r)\nj = Dropout(i, h)\n" + SECOND.replace("(r", "(j"),
        ("N", 3),
        (1, 3),
    ),
    "dropout said to be off": (
        FIRST + "j = Dropout(r, h, no)\n" + SECOND.replace("(r", "(j"),
        ("N", 3),
        (1, 3),
    ),
    "view in the middle": (
        FIRST + "u = Reshape(r, m)\nv = Flatten(u)\n" + SECOND.replace("(r", "(v"),
        ("N", 3),
        (1, 3),
    ),
    "transposed picture at the end": (
        FIRST + "c = Gemm(r, W2, b2; transB=1)\nd = Reshape(c, p)\n"
        "e = Relu(d)\ny = Transpose(e; perm=[0, 2, 3, 1])",
        ("N", 3),
        (1, 3),
    ),
    "transposed picture between": (
        FIRST
        + "u = Reshape(r, m)\nv = Transpose(u; perm=[0, 2, 1])\nw = Flatten(v)\n"
        + SECOND.replace("(r", "(w"),
        ("N", 3),
        (1, 3),
    ),
    "transposed input": (
        "u = Transpose(x; perm=[0, 2, 1])\nf = Flatten(u)\n" + FIRST.replace("x", "f") + SECOND,
        ("N", 1, 3),
        (1, 1, 3),
    ),
    "last axis split in halves": (
        FIRST + "c = Gemm(r, W2, b2; transB=1)\nd, e = Split(c; axis=1)\ny = Relu(d)",
        ("N", 3),
        (1, 3),
    ),
    "first hidden units": (
        FIRST + "e = Slice(r, z, three, one)\nc = Gemm(e, V)\ny = Relu(c)",
        ("N", 3),
        (1, 3),
    ),
    "outputs in another order": (
        FIRST + SECOND.replace("y =", "d =") + "\ny = Gather(d, back; axis=1)",
        ("N", 3),
        (1, 3),
    ),
    "repeated outputs": (FIRST + SECOND.replace("y =", "d =") + "\ny = Expand(d, twice)", ("N", 3), (1, 3)),
    "dynamic batch": (
        FIRST + SECOND.replace("y =", "d =") + "\nS = Shape(d)\nn = Gather(S, z0; axis=0)\n"
        "n1 = Unsqueeze(n, z)\nq = Concat(n1, rest; axis=0)\ny = Reshape(d, q)",
        ("N", 3),
        (1, 3),
    ),
    "dynamic batch before the first": (
        "S = Shape(x)\nn = Slice(S, z, one)\nq = Concat(n, last; axis=0)\nf = Reshape(x, q)\n"
        + FIRST.replace("x", "f")
        + SECOND,
        ("N", 3, 1, 1),
        (1, 3, 1, 1),
    ),
    "vector": (
        "a = MatMul(W1, x)\nb = Add(a, b1)\nr = Relu(b)\nc = MatMul(W2, r)\ny = Relu(c)",
        (3,),
        (3,),
    ),
    "vector from the left": (
        "a = MatMul(x, W1t)\nb = Add(b1, a)\nr = Relu(b)\nc = MatMul(r, W2t)\ny = Relu(c)",
        (3,),
        (3,),
    ),
    "column": (
        "a = MatMul(W1, x)\nb = Add(a, bc)\nr = Relu(b)\nc = MatMul(W2, r)\ny = Relu(c)",
        (3, 1),
        (3, 1),
    ),
    "columns": (
        "a = MatMul(W1, x)\nb = Add(a, bc)\nr = Relu(b)\nc = MatMul(W2, r)\ny = Relu(c)",
        (3, "N"),
        (3, 1),
    ),
    "batch of columns": (
        "a = MatMul(W1, x)\nr = Relu(a)\nc = MatMul(W2, r)\ny = Relu(c)",
        ("N", 3, 1),
        (1, 3, 1),
    ),
    "transA": (
        "e = Transpose(x; perm=[1, 0])\na = Gemm(e, W1t, b1; transA=1)\nr = Relu(a)\n" + SECOND,
        ("N", 3),
        (1, 3),
    ),
    "column by transA": ("a = Gemm(x, W1, b1; transA=1, transB=1)\nr = Relu(a)\n" + SECOND, (3, 1), (3, 1)),
    "Gemm of a matrix and a column": (
        "a = Gemm(W1, x, bc)\nr = Relu(a)\nc = Gemm(W2t, r; transA=1)\ny = Relu(c)",
        (3, 1),
        (3, 1),
    ),
    "matrix of three axes": (
        "a = MatMul(x, W3d)\nr = Relu(a)\nc = MatMul(r, W2t)\ny = Relu(c)",
        ("N", 3),
        (1, 3),
    ),
    "one output": ("a = MatMul(x, W1t)\nr = Relu(a)\nc = MatMul(r, b1)\ny = Relu(c)", ("N", 3), (1, 3)),
    "einsum": (
        "a = Einsum(x, W1; equation='bi,oi->bo')\nr = Relu(a)\nc = Einsum(W2t, r; equation='io,bi->bo')\n"
        "y = Relu(c)",
        ("N", 3),
        (1, 3),
    ),
    "einsum of a vector": (
        "a = Einsum(W1, x; equation='oi,i->o')\nr = Relu(a)\nc = MatMul(W2, r)\ny = Relu(c)",
        (3,),
        (3,),
    ),
    "modulo": (
        FIRST + SECOND.replace("y =", "d =") + "\nn = Mod(m, two)\no = Add(n, two)\n"
        "q = Slice(o, z, one)\nu = Concat(q, last; axis=0)\ny = Reshape(d, u)",
        ("N", 3),
        (1, 3),
    ),
    "no shape": (FIRST + SECOND, None, (1, 3)),
    "any shape": (FIRST + SECOND, ("N", "M"), (1, 3)),
}
CONSTANTS = {
    "s": ints(1, 3),
    "t": ints(-1, 3),
    "two": ints(2),
    "h": f4(0.5),
    "no": np.array(False),
    "m": ints(0, 2, 3),
    "p": ints(-1, 2, 2, 2),
    "z": ints(0),
    "one": ints(1),
    "back": ints(*range(7, -1, -1)),
    "twice": ints(2, 1, 8),
    "z0": np.array(0),
    "rest": ints(2, 4),
    "last": ints(-1),
    "bc": B1[:, None],
    "W3d": W1.T[None].copy(),
    "V": W2.T[:3].copy(),
    "three": ints(3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_bookkeeping_of_shapes(tmp_path, name):
    text, shape, fed = SHAPES[name]
    net = agrees(tmp_path, model(text, shape, CONSTANTS), fed)
    moved = any(word in name for word in ("order", "halves", "repeated", "transposed picture at"))
    assert any("rows of the last matrix" in one for one in net.origin.folded) == moved


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_models_exported_for_one_batch(tmp_path, batch):
    text = FIRST + "c = Gemm(r, W2, b2; transB=1)\nd = Reshape(c, p)\ny = Relu(d)"
    made = model(text, (batch, 3), {"p": ints(batch, 1, 2, 4)})
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    net = read_network(path, lift_bias=True)
    X = RNG.standard_normal((batch, 3)).astype("f4")
    wanted = ReferenceEvaluator(made).run(None, {"x": X})[0].reshape(batch, 8)
    np.testing.assert_allclose(net(np.column_stack([X, np.ones(batch)])), wanted, rtol=1e-5, atol=1e-5)
    mixed = model(FIRST + "d = Reshape(r, p)\ny = Transpose(d)", (4, 3), {"p": ints(3, 8)})
    path.write_bytes(mixed.SerializeToString())
    refused(lambda: read_network(path, lift_bias=True), "entries of a batch that are mixed")
