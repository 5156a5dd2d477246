"""How exporters and people write a ReLU network in ONNX: each is read as what onnx's own evaluator computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from examples.refusals import refused
from wdccheck.weights.files import read_network

RNG = np.random.default_rng(5)
W1, W2, W3 = (RNG.standard_normal(shape).astype("f4") for shape in ((6, 3), (8, 6), (5, 8)))
B1, B2 = RNG.standard_normal(6).astype("f4"), RNG.standard_normal(8).astype("f4")
WEIGHTS = {"W1": W1, "W2": W2, "b1": B1, "b2": B2, "W1t": W1.T.copy(), "W2t": W2.T.copy()}


def ints(*values):
    return np.array(values, np.int64)


def f4(*values):
    return np.array(values if len(values) > 1 else values[0], "f4")


def written(text):
    """Nodes like "a = Gemm(x, W1, b1; transB=1)", each in a line."""
    nodes = []
    for line in filter(None, map(str.strip, text.splitlines())):
        outputs, call = line.split(" = ")
        kind, inside = call.rstrip(")").split("(", 1)
        inputs, _, given = inside.partition(";")
        attributes = eval(f"dict({given})")
        nodes.append(helper.make_node(kind, [one.strip() for one in inputs.split(",")],
                                      [one.strip() for one in outputs.split(",")], **attributes))
    return nodes


def model(text, shape=("N", 3), constants=None, opset=17, kind=TensorProto.FLOAT, outputs=("y",)):
    used = {**WEIGHTS, **(constants or {})}
    nodes = written(text)
    names = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in used.items() if name in names])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def agrees(tmp_path, made, shape, width=3, **options):
    """The network read, if it gives what onnx does with a ReLU at the end."""
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    net = read_network(path, lift_bias=True, fold_batchnorm=True, **options)
    run = ReferenceEvaluator(made).run
    kind = "f8" if made.graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE else "f4"
    biased = net.dims[0] == width + 1
    for x in RNG.standard_normal((5, width)).astype(kind):
        wanted = np.maximum(np.ravel(run(None, {"x": np.reshape(x, shape)})[0]), 0)
        np.testing.assert_allclose(net([*x, 1.0] if biased else x), wanted, rtol=2e-5, atol=2e-5)
    assert "give what onnx gives" in net.origin.checked
    return net


FIRST = "a = Gemm(x, W1, b1; transB=1)\nr = Relu(a)\n"
SECOND = "c = Gemm(r, W2, b2; transB=1)\ny = Relu(c)"

SHAPES = {
    "flatten": ("f = Flatten(x)\n" + FIRST.replace("x", "f") + SECOND, ("N", 3, 1, 1), (1, 3, 1, 1)),
    "flatten of one picture": ("f = Reshape(x, s)\n" + FIRST.replace("x", "f") + SECOND, (3, 1, 1), (3, 1, 1)),
    "reshape with -1": ("f = Reshape(x, t)\n" + FIRST.replace("x", "f") + SECOND, ("N", 1, 3, 1), (1, 1, 3, 1)),
    "squeeze": ("f = Squeeze(x, two)\n" + FIRST.replace("x", "f") + SECOND, ("N", 3, 1), (1, 3, 1)),
    "unsqueeze and back": (FIRST + "u = Unsqueeze(r, two)\nv = Squeeze(u, two)\n" + SECOND.replace("(r", "(v"),
                           ("N", 3), (1, 3)),
    "identity and dropout": (FIRST + "i = Identity(r)\nj = Dropout(i, h)\n" + SECOND.replace("(r", "(j"),
                             ("N", 3), (1, 3)),
    "dropout said to be off": (FIRST + "j = Dropout(r, h, no)\n" + SECOND.replace("(r", "(j"), ("N", 3), (1, 3)),
    "view in the middle": (FIRST + "u = Reshape(r, m)\nv = Flatten(u)\n" + SECOND.replace("(r", "(v"),
                           ("N", 3), (1, 3)),
    "transposed picture at the end": (FIRST + "c = Gemm(r, W2, b2; transB=1)\nd = Reshape(c, p)\n"
                                      "e = Relu(d)\ny = Transpose(e; perm=[0, 2, 3, 1])", ("N", 3), (1, 3)),
    "transposed picture between": (FIRST + "u = Reshape(r, m)\nv = Transpose(u; perm=[0, 2, 1])\nw = Flatten(v)\n"
                                   + SECOND.replace("(r", "(w"), ("N", 3), (1, 3)),
    "transposed input": ("u = Transpose(x; perm=[0, 2, 1])\nf = Flatten(u)\n" + FIRST.replace("x", "f") + SECOND,
                         ("N", 1, 3), (1, 1, 3)),
    "last axis split in halves": (FIRST + "c = Gemm(r, W2, b2; transB=1)\nd, e = Split(c; axis=1)\ny = Relu(d)",
                                  ("N", 3), (1, 3)),
    "half of the hidden units": (FIRST + "s = Slice(r, z, one, one, one)\nc = Gemm(s, V)\ny = Relu(c)",
                                 ("N", 3), (1, 3)),
    "outputs in another order": (FIRST + SECOND.replace("y =", "d =") + "\ny = Gather(d, back; axis=1)",
                                 ("N", 3), (1, 3)),
    "repeated outputs": (FIRST + SECOND.replace("y =", "d =") + "\ny = Expand(d, twice)", ("N", 3), (1, 3)),
    "dynamic batch": (FIRST + SECOND.replace("y =", "d =") + "\nS = Shape(d)\nn = Gather(S, z0; axis=0)\n"
                      "n1 = Unsqueeze(n, z)\nq = Concat(n1, rest; axis=0)\ny = Reshape(d, q)", ("N", 3), (1, 3)),
    "dynamic batch before the first": (
        "S = Shape(x)\nn = Slice(S, z, one)\nq = Concat(n, last; axis=0)\nf = Reshape(x, q)\n"
        + FIRST.replace("x", "f") + SECOND, ("N", 3, 1, 1), (1, 3, 1, 1)),
    "vector": ("a = MatMul(W1, x)\nb = Add(a, b1)\nr = Relu(b)\nc = MatMul(W2, r)\ny = Relu(c)", (3,), (3,)),
    "vector from the left": ("a = MatMul(x, W1t)\nb = Add(b1, a)\nr = Relu(b)\nc = MatMul(r, W2t)\ny = Relu(c)",
                             (3,), (3,)),
    "column": ("a = MatMul(W1, x)\nb = Add(a, bc)\nr = Relu(b)\nc = MatMul(W2, r)\ny = Relu(c)", (3, 1), (3, 1)),
    "columns": ("a = MatMul(W1, x)\nb = Add(a, bc)\nr = Relu(b)\nc = MatMul(W2, r)\ny = Relu(c)", (3, "N"), (3, 1)),
    "batch of columns": ("a = MatMul(W1, x)\nr = Relu(a)\nc = MatMul(W2, r)\ny = Relu(c)", ("N", 3, 1), (1, 3, 1)),
    "transA": ("t = Transpose(x; perm=[1, 0])\na = Gemm(t, W1t, b1; transA=1)\nr = Relu(a)\n" + SECOND,
               ("N", 3), (1, 3)),
    "column by transA": ("a = Gemm(x, W1, b1; transA=1, transB=1)\nr = Relu(a)\n" + SECOND, (3, 1), (3, 1)),
    "Gemm of a matrix and a column": ("a = Gemm(W1, x, bc)\nr = Relu(a)\nc = Gemm(W2t, r; transA=1)\ny = Relu(c)",
                                      (3, 1), (3, 1)),
    "matrix of three axes": ("a = MatMul(x, W3d)\nr = Relu(a)\nc = MatMul(r, W2t)\ny = Relu(c)", ("N", 3), (1, 3)),
    "one output": ("a = MatMul(x, W1t)\nr = Relu(a)\nc = MatMul(r, b1)\ny = Relu(c)", ("N", 3), (1, 3)),
    "no shape": (FIRST + SECOND, None, (1, 3)),
    "any shape": (FIRST + SECOND, ("N", "M"), (1, 3)),
}
CONSTANTS = {
    "s": ints(1, 3), "t": ints(-1, 3), "two": ints(2), "h": f4(0.5), "no": np.array(False), "m": ints(0, 2, 3),
    "p": ints(-1, 2, 2, 2), "z": ints(0), "one": ints(1), "back": ints(*range(7, -1, -1)), "twice": ints(2, 1, 8),
    "z0": np.array(0), "rest": ints(2, 4), "last": ints(-1), "bc": B1[:, None], "W3d": W1.T[None].copy(),
    "V": W2.T[:3].copy(),
}


@pytest.mark.parametrize("name", SHAPES)
def test_bookkeeping_of_shapes(tmp_path, name):
    text, shape, fed = SHAPES[name]
    constants = dict(CONSTANTS)
    if name == "half of the hidden units":
        constants |= {"z": ints(0), "one": ints(1), "V": W2.T[:3].copy()}
        text = text.replace("Slice(r, z, one, one, one)", "Slice(r, z, three, one)")
        constants["three"] = ints(3)
    net = agrees(tmp_path, model(text, shape, constants), fed)
    moved = any(word in name for word in ("order", "halves", "half", "repeated", "transposed picture at"))
    assert any("rows of the last matrix" in one for one in net.origin.folded) == (moved and "half of" not in name)


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


RELUS = {
    "Max": "r = Max(a, zero)", "Max of one entry": "r = Max(zeros, a)", "Clip": "r = Clip(a, zero)",
    "Clip to the largest float": "r = Clip(a, zero, most)", "PRelu": "r = PRelu(a, zero)",
    "PRelu of many": "r = PRelu(a, zeros)", "LeakyRelu": "r = LeakyRelu(a; alpha=0.0)",
    "ThresholdedRelu": "r = ThresholdedRelu(a; alpha=0.0)", "Elu": "r = Elu(a; alpha=0.0)",
    "Where >": "m = Greater(a, zero)\nr = Where(m, a, zero)",
    "Where >=": "m = GreaterOrEqual(a, zeros)\nr = Where(m, a, zeros)",
    "Where <": "m = Less(a, zero)\nr = Where(m, zero, a)", "Where <=": "m = LessOrEqual(a, zero)\nr = Where(m, zero, a)",
    "Where not": "m = Greater(zero, a)\nn = Not(m)\nr = Where(n, a, zero)",
    "mask": "m = Greater(a, zero)\nf = Cast(m; to=1)\nr = Mul(f, a)",
    "sign": "s = Sign(a)\nt = Relu(s)\nr = Mul(a, t)",
    "-min(-t, 0)": "n = Neg(a)\nm = Min(n, zero)\nr = Neg(m)", "t - min(t, 0)": "m = Min(a, zero)\nr = Sub(a, m)",
    "(t + |t|) / 2": "b = Abs(a)\ns = Add(a, b)\nr = Div(s, two)",
    "half and half": "b = Abs(a)\ns = Mul(a, half)\nt = Mul(b, half)\nr = Add(s, t)",
    "max(t, -t) + t": "n = Neg(a)\nb = Max(a, n)\ns = Sum(b, a)\nr = Mul(s, half)",
    "twice": "b = Relu(a)\nr = Relu(b)", "relu6 without a six": "r = Clip(a, zero, inf)",
    "relu(-t), and of -W": "n = Neg(a)\nr = Relu(n)", "min(t, 0)": "r = Min(a, zero)",
    "-3 relu": "b = Relu(a)\nr = Mul(b, m3)", "of a leaky one": "b = LeakyRelu(a; alpha=0.1)\nr = Relu(b)",
}
NUMBERS = {"zero": f4(0.0), "zeros": np.zeros((1, 6), "f4"), "most": f4(np.finfo("f4").max), "inf": f4(np.inf),
           "two": f4(2.0), "half": f4(0.5), "m3": f4(-3.0)}


@pytest.mark.parametrize("name", RELUS)
def test_a_relu_however_it_is_written(tmp_path, name):
    text = "a = Gemm(x, W1, b1; transB=1)\n" + RELUS[name] + "\n" + SECOND
    if name == "sign":  # relu of a mask is none: another way
        text = text.replace("t = Relu(s)\n", "").replace("Mul(a, t)", "Mul(a, m)").replace(
            "s = Sign(a)", "s = Sign(a)\nm = Greater(a, zero)\nm = Cast(m; to=1)").replace(
            "m = Greater(a, zero)\nm = Cast(m; to=1)", "g = Greater(a, zero)\nm = Cast(g; to=1)")
    net = agrees(tmp_path, model(text, constants=NUMBERS), (1, 3))
    assert net.dims == (4, 7, 8)


@pytest.mark.parametrize(("relu", "found"), [
    ("r = Clip(a, zero, two)", "found clip"), ("r = LeakyRelu(a; alpha=0.1)", "found leakyrelu"),
    ("r = Abs(a)", "found leakyrelu of slopes 1 and -1"), ("r = Max(a, half)", "found max"),
    ("m = Greater(a, half)\nr = Where(m, a, zero)", "a choice by something else than the sign"),
    ("m = Greater(a, zero)\nr = Where(m, a, half)", "Where"), ("r = Identity(a)", "found no activation"),
    ("b = Relu(a)\nr = Sub(b, b)", "a value that is 0 everywhere"), ("r = Softplus(a)", "found softplus"),
    ("s = Sigmoid(a)\nr = Mul(a, s)", "found mul of several activations"),
    ("b = Relu(a)\nc0 = Add(b, half)\nr = Relu(c0)", "found relu and a scale or shift and relu"),
    ("g = Greater(a, zero)\nr = Cast(g; to=1)", "a matrix after a step function; take a part with --to 'a' (3-6)"),
])
def test_what_is_no_relu(tmp_path, relu, found):
    text = "a = Gemm(x, W1; transB=1)\n" + relu + "\nc = Gemm(r, W2; transB=1)\ny = Relu(c)"
    path = tmp_path / "net.onnx"
    path.write_bytes(model(text, constants=NUMBERS).SerializeToString())
    refused(lambda: read_network(path, lift_bias=True), found)


V6, V3 = RNG.standard_normal((1, 6)).astype("f4"), RNG.standard_normal(3).astype("f4")
SCALES = {
    "after a matrix": ("a0 = Gemm(x, W1, b1; transB=1)\na = Mul(a0, v)\nr = Relu(a)\n" + SECOND, "exactly"),
    "a number": ("a0 = Gemm(x, W1; transB=1)\na = Mul(tenth, a0)\nr = Relu(a)\n" + SECOND, "exactly"),
    "divided": ("a0 = Gemm(x, W1; transB=1)\na = Div(a0, v)\nr = Relu(a)\n" + SECOND, "rounded"),
    "divided by 4": ("a0 = Gemm(x, W1; transB=1)\na = Div(a0, four)\nr = Relu(a)\n" + SECOND, "exactly"),
    "divided by 3": ("a0 = Gemm(x, W1; transB=1)\na = Div(a0, three)\nr = Relu(a)\n" + SECOND, "rounded"),
    "shifted": ("a0 = Gemm(x, W1, b1; transB=1)\na1 = Add(a0, v)\na = Sub(a1, v)\nr = Relu(a)\n" + SECOND, "Add 'a1'"),
    "subtracted from": ("a0 = Gemm(x, W1; transB=1)\na = Sub(v, a0)\nr = Relu(a)\n" + SECOND, "exactly"),
    "after a ReLU": (FIRST + "s = Mul(r, v)\n" + SECOND.replace("(r", "(s"), "Mul 's' became part of Gemm 'c', exactly"),
    "shifted after a ReLU": (FIRST + "s = Add(r, v)\n" + SECOND.replace("(r", "(s"), "Gemm 'c', rounded"),
    "255 at the end": (FIRST + SECOND.replace("y =", "d =") + "\ny = Mul(d, many)", "Mul 'y' became part of Gemm 'c'"),
    "of the input": ("x0 = Sub(x, u)\nx1 = Div(x0, u)\n" + FIRST.replace("x", "x1", 1) + SECOND, "Div 'x1'"),
    "of a turned input": ("x0 = Transpose(x; perm=[1, 0])\nx1 = Mul(x0, uc)\nx2 = Transpose(x1; perm=[1, 0])\n"
                          + FIRST.replace("x", "x2", 1) + SECOND, "Mul 'x1'"),
    "of a mirrored input": ("x0 = Gather(x, mirror; axis=1)\nx1 = Mul(x0, u)\n" + FIRST.replace("x", "x1", 1) + SECOND,
                            "Mul 'x1'"),
    "alpha and beta": ("a = Gemm(x, W1, b1; transB=1, alpha=0.3, beta=-2.0)\nr = Relu(a)\n" + SECOND,
                       "beta = -2 of Gemm 'a' became part of its bias, exactly"),
    "batch norm of a picture": (FIRST.replace("r =", "q =") + "u4 = Reshape(q, m)\n"
                                "n = BatchNormalization(u4, g2, g2, g2, g2)\nw = Reshape(n, t6)\n"
                                + SECOND.replace("(r", "(w"), ""),
    "a new axis": ("a0 = MatMul(x, W1t)\na = Mul(a0, v3)\nr = Relu(a)\nc = MatMul(r, W2t)\ny = Relu(c)", "Mul 'a'"),
}
FACTORS = {"v": V6, "tenth": f4(0.1), "four": f4(4.0), "three": f4(3.0), "many": f4(255.0), "u": V3,
           "uc": V3[:, None], "mirror": ints(2, 1, 0), "m": ints(0, 2, 3), "g2": f4(0.5, 2.0), "t6": ints(0, 6),
           "v3": V6[None]}


@pytest.mark.parametrize("name", SCALES)
def test_scales_and_shifts_are_folded_and_said(tmp_path, name):
    text, said = SCALES[name]
    net = agrees(tmp_path, model(text, constants=FACTORS), (1, 3))
    assert said in "; ".join(net.origin.folded)


COMPUTED = {
    "weight norm": ("n = ReduceL2(V, one; keepdims=1)\nd = Div(V, n)\nW = Mul(d, g)\n"
                    "a = Gemm(x, W, b1; transB=1)\nr = Relu(a)\n" + SECOND, True),
    "weight norm by sums": ("q = Mul(V, V)\ns = ReduceSum(q, one)\nn = Sqrt(s)\nd = Div(V, n)\nW = Mul(d, g)\n"
                            "a = Gemm(x, W; transB=1)\nr = Relu(a)\n" + SECOND, True),
    "turned": ("W = Transpose(W1)\na = MatMul(x, W)\nr = Relu(a)\n" + SECOND, False),
    "joined": ("W = Concat(top, bottom; axis=0)\na = Gemm(x, W; transB=1)\nr = Relu(a)\n" + SECOND, False),
    "dequantized": ("W = DequantizeLinear(Q, scale, at)\na = MatMul(x, W)\nr = Relu(a)\n" + SECOND, True),
    "of low rank": ("W = MatMul(L, R)\na = MatMul(x, W)\nr = Relu(a)\n" + SECOND, True),
}
PARTS = {"V": W1, "g": RNG.standard_normal((6, 1)).astype("f4"), "one": ints(1), "top": W1[:2], "bottom": W1[2:],
         "Q": RNG.integers(-9, 9, (3, 6)).astype("i1"), "scale": f4(0.5), "at": np.array(2, "i1"),
         "L": W1[:3, :2].copy(), "R": W2[:2].copy()}


@pytest.mark.parametrize("name", COMPUTED)
def test_matrices_that_are_computed_from_constants(tmp_path, name):
    text, rounded = COMPUTED[name]
    net = agrees(tmp_path, model(text, constants=PARTS, opset=19), (1, 3))
    assert any("computed from others in float64" in one for one in net.origin.folded) == rounded


ENDS = {
    "(tanh + 1) / 2": "t = Tanh(c)\ns = Add(t, one)\ny = Div(s, two)", "255 sigmoid": "s = Sigmoid(c)\ny = Mul(s, many)",
    "tanh and a picture": "t = Tanh(c)\ny = Reshape(t, p)", "softmax": "y = Softmax(c; axis=1)",
    "swish": "s = Sigmoid(c)\ny = Mul(c, s)", "clip": "y = Clip(c, zero, one)", "none": "y = Identity(c)",
    "affine": "s = Mul(c, two)\ny = Add(s, one)", "relu6 / 6": "s = Clip(c, zero, six)\ny = Div(s, six)",
    "rounded": "s = Sigmoid(c)\nt = Mul(s, many)\ny = Round(t)", "by a threshold": "y = Greater(c, one)",
    "a residual of the end": "r2 = Relu(c)\ny = Add(r2, c)",
}


@pytest.mark.parametrize("name", ENDS)
def test_whatever_stands_after_the_last_matrix_is_ignored_when_asked(tmp_path, name):
    path = tmp_path / "net.onnx"
    text = FIRST + "c = Gemm(r, W2, b2; transB=1)\n" + ENDS[name]
    constants = {"one": f4(1.0), "two": f4(2.0), "many": f4(255.0), "zero": f4(0.0), "six": f4(6.0),
                 "p": ints(0, 2, 4)}
    path.write_bytes(model(text, constants=constants).SerializeToString())
    refused(lambda: read_network(path, lift_bias=True), "after the last layer (--last-activation ignore")
    refused(lambda: read_network(path), "together --lift-bias --last-activation ignore")
    net = read_network(path, lift_bias=True, last_activation="ignore")
    x = RNG.standard_normal(3)
    value = np.maximum(W1 @ x + B1, 0)
    factor, shift = (2, 1) if name == "affine" else (1, 0)
    np.testing.assert_allclose(net([*x, 1.0]), np.maximum(factor * (W2 @ value + B2) + shift, 0), rtol=1e-6)
    assert "give what onnx gives" in net.origin.checked and "was ignored" in net.origin.to_text()


def test_precisions(tmp_path):
    text = "x1 = Cast(x; to=1)\n" + FIRST.replace("x", "x1") + SECOND
    made = model(text, kind=TensorProto.DOUBLE)
    net = agrees(tmp_path, made, (1, 3))
    assert net.origin.folded == ("Cast 'x1': another precision of values, which the bounds do not follow",)


def test_scaler_of_scikit_learn(tmp_path):
    scaler = helper.make_node("Scaler", ["x"], ["x1"], domain="ai.onnx.ml", offset=[1.0, 2.0, 3.0], scale=[0.5, 2.0, 4.0])
    made = model(FIRST.replace("x", "x1") + SECOND)
    made.graph.node.insert(0, scaler)
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    agrees(tmp_path, made, (1, 3))


@pytest.mark.parametrize(("nodes", "at", "way"), [
    ("t = Softmax(x; axis=1)\na = Gemm(t, W1; transB=1)\nr = Relu(a)\nc = Gemm(r, W2; transB=1)\ny = Relu(c)", "Softmax",
     "--from 't' (3-6-8)"),
    ("a = Gemm(x, W1; transB=1)\nr = Relu(a)\nu = LayerNormalization(r, b1)\nc = Gemm(u, W2; transB=1)\ny = Relu(c)",
     "LayerNormalization", "--from 'u' (6-8) or --to 'r' (3-6)"),
])
def test_a_refusal_names_the_parts_that_can_be_taken(tmp_path, nodes, at, way):
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes).SerializeToString())
    if at == "Softmax":  # an activation before the first matrix
        refused(lambda: read_network(path), at, "begins with a matrix")
        return
    refused(lambda: read_network(path), at, way)
    assert read_network(path, from_="u").dims == (6, 8) and read_network(path, to="r").dims == (3, 6)


def test_dead_ends_and_functions_of_the_model(tmp_path):
    path = tmp_path / "net.onnx"
    made = model(FIRST + SECOND + "\nz = Softmax(c; axis=1)\nw = Conv(z, W1)", outputs=("y",))
    path.write_bytes(made.SerializeToString())
    assert read_network(path, ignore_bias=True).origin.unused == ("Softmax 'z'", "Conv 'w'")
    made = model(FIRST + SECOND)
    made.graph.node[1].domain = "mine"
    path.write_bytes(made.SerializeToString())
    refused(lambda: read_network(path), "an operator of 'mine'", "onnx.inliner.inline_local_functions", "--to 'a'")
