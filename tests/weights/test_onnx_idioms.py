"""How people write a ReLU network in ONNX: each is read as what onnx's own evaluator computes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from examples.onnx_models import B1, B2, FIRST, RNG, SECOND, W1, W2, agrees, f4, ints, model
from examples.refusals import refused
from wdccheck.weights.files import read_network

RELUS = {
    "Max": "r = Max(a, zero)",
    "Max of one entry": "r = Max(zeros, a)",
    "Clip": "r = Clip(a, zero)",
    "Clip to the largest float": "r = Clip(a, zero, most)",
    "PRelu": "r = PRelu(a, zero)",
    "PRelu of many": "r = PRelu(a, zeros)",
    "LeakyRelu": "r = LeakyRelu(a; alpha=0.0)",
    "ThresholdedRelu": "r = ThresholdedRelu(a; alpha=0.0)",
    "Elu": "r = Elu(a; alpha=0.0)",
    "Where >": "m = Greater(a, zero)\nr = Where(m, a, zero)",
    "Where >=": "m = GreaterOrEqual(a, zeros)\nr = Where(m, a, zeros)",
    "Where <": "m = Less(a, zero)\nr = Where(m, zero, a)",
    "Where <=": "m = LessOrEqual(a, zero)\nr = Where(m, zero, a)",
    "Where not": "m = Greater(zero, a)\nn = Not(m)\nr = Where(n, a, zero)",
    "mask": "m = Greater(a, zero)\nf = Cast(m; to=1)\nr = Mul(f, a)",
    "sign": "s = Sign(a)\nt = Relu(s)\nr = Mul(a, t)",
    "-min(-t, 0)": "n = Neg(a)\nm = Min(n, zero)\nr = Neg(m)",
    "t - min(t, 0)": "m = Min(a, zero)\nr = Sub(a, m)",
    "(t + |t|) / 2": "b = Abs(a)\ns = Add(a, b)\nr = Div(s, two)",
    "half and half": "b = Abs(a)\ns = Mul(a, half)\nt = Mul(b, half)\nr = Add(s, t)",
    "max(t, -t) + t": "n = Neg(a)\nb = Max(a, n)\ns = Sum(b, a)\nr = Mul(s, half)",
    "twice": "b = Relu(a)\nr = Relu(b)",
    "relu6 without a six": "r = Clip(a, zero, inf)",
    "relu(-t), and of -W": "n = Neg(a)\nr = Relu(n)",
    "min(t, 0)": "r = Min(a, zero)",
    "-3 relu": "b = Relu(a)\nr = Mul(b, m3)",
    "of a leaky one": "b = LeakyRelu(a; alpha=0.1)\nr = Relu(b)",
}
NUMBERS = {
    "zero": f4(0.0),
    "zeros": np.zeros((1, 6), "f4"),
    "most": f4(np.finfo("f4").max),
    "inf": f4(np.inf),
    "two": f4(2.0),
    "half": f4(0.5),
    "m3": f4(-3.0),
}


@pytest.mark.parametrize("name", RELUS)
def test_a_relu_however_it_is_written(tmp_path, name):
    text = "a = Gemm(x, W1, b1; transB=1)\n" + RELUS[name] + "\n" + SECOND
    if name == "sign":  # relu of a mask is none: another way
        text = (
            text.replace("t = Relu(s)\n", "")
            .replace("Mul(a, t)", "Mul(a, m)")
            .replace("s = Sign(a)", "s = Sign(a)\nm = Greater(a, zero)\nm = Cast(m; to=1)")
            .replace("m = Greater(a, zero)\nm = Cast(m; to=1)", "g = Greater(a, zero)\nm = Cast(g; to=1)")
        )
    net = agrees(tmp_path, model(text, constants=NUMBERS), (1, 3))
    assert net.dims == (4, 7, 8)


@pytest.mark.parametrize(
    ("relu", "found"),
    [
        ("r = Clip(a, zero, two)", "found clip"),
        ("r = LeakyRelu(a; alpha=0.1)", "found leakyrelu"),
        ("r = Abs(a)", "found leakyrelu of slopes 1 and -1"),
        ("r = Max(a, half)", "found max"),
        ("m = Greater(a, half)\nr = Where(m, a, zero)", "a choice by something else than the sign"),
        ("m = Greater(a, zero)\nr = Where(m, a, half)", "Where"),
        ("r = Identity(a)", "found no activation"),
        ("b = Relu(a)\nr = Sub(b, b)", "a value that is 0 everywhere"),
        ("r = Softplus(a)", "found softplus"),
        ("s = Sigmoid(a)\nr = Mul(a, s)", "found mul of several activations"),
        ("b = Relu(a)\nc0 = Add(b, half)\nr = Relu(c0)", "found relu and a scale or shift and relu"),
        (
            "g = Greater(a, zero)\nr = Cast(g; to=1)",
            "a matrix after a step function; take a part with --from ",
        ),
    ],
)
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
    "shifted": (
        "a0 = Gemm(x, W1, b1; transB=1)\na1 = Add(a0, v)\na = Sub(a1, v)\nr = Relu(a)\n" + SECOND,
        "Add 'a1'",
    ),
    "subtracted from": ("a0 = Gemm(x, W1; transB=1)\na = Sub(v, a0)\nr = Relu(a)\n" + SECOND, "exactly"),
    "after a ReLU": (
        FIRST + "s = Mul(r, v)\n" + SECOND.replace("(r", "(s"),
        "Mul 's' became part of Gemm 'c', exactly",
    ),
    "shifted after a ReLU": (FIRST + "s = Add(r, v)\n" + SECOND.replace("(r", "(s"), "Gemm 'c', rounded"),
    "255 at the end": (
        FIRST + SECOND.replace("y =", "d =") + "\ny = Mul(d, many)",
        "Mul 'y' became part of Gemm 'c'",
    ),
    "of the input": (
        "x0 = Sub(x, u)\nx1 = Div(x0, u)\n" + FIRST.replace("x", "x1", 1) + SECOND,
        "Div 'x1'",
    ),
    "of a turned input": (
        "x0 = Transpose(x; perm=[1, 0])\nx1 = Mul(x0, uc)\nx2 = Transpose(x1; perm=[1, 0])\n"
        + FIRST.replace("x", "x2", 1)
        + SECOND,
        "Mul 'x1'",
    ),
    "of a mirrored input": (
        "x0 = Gather(x, mirror; axis=1)\nx1 = Mul(x0, u)\n" + FIRST.replace("x", "x1", 1) + SECOND,
        "Mul 'x1'",
    ),
    "alpha and beta": (
        "a = Gemm(x, W1, b1; transB=1, alpha=0.3, beta=-2.0)\nr = Relu(a)\n" + SECOND,
        "beta = -2 of Gemm 'a' became part of its bias, exactly",
    ),
    "batch norm of a picture": (
        FIRST.replace("r =", "q =") + "u4 = Reshape(q, m)\n"
        "n = BatchNormalization(u4, g2, g2, g2, g2)\nw = Reshape(n, t6)\n" + SECOND.replace("(r", "(w"),
        "",
    ),
    "a new axis": (
        "a0 = MatMul(x, W1t)\na = Mul(a0, v3)\nr = Relu(a)\nc = MatMul(r, W2t)\ny = Relu(c)",
        "Mul 'a'",
    ),
}
FACTORS = {
    "v": V6,
    "tenth": f4(0.1),
    "four": f4(4.0),
    "three": f4(3.0),
    "many": f4(255.0),
    "u": V3,
    "uc": V3[:, None],
    "mirror": ints(2, 1, 0),
    "m": ints(0, 2, 3),
    "g2": f4(0.5, 2.0),
    "t6": ints(0, 6),
    "v3": V6[None],
}


@pytest.mark.parametrize("name", SCALES)
def test_scales_and_shifts_are_folded_and_said(tmp_path, name):
    text, said = SCALES[name]
    net = agrees(tmp_path, model(text, constants=FACTORS), (1, 3))
    assert said in "; ".join(net.origin.folded)


COMPUTED = {
    "weight norm": (
        "n = ReduceL2(V, one; keepdims=1)\nd = Div(V, n)\nW = Mul(d, g)\n"
        "a = Gemm(x, W, b1; transB=1)\nr = Relu(a)\n" + SECOND,
        True,
    ),
    "weight norm by sums": (
        "q = Mul(V, V)\ns = ReduceSum(q, one)\nn = Sqrt(s)\nd = Div(V, n)\nW = Mul(d, g)\n"
        "a = Gemm(x, W; transB=1)\nr = Relu(a)\n" + SECOND,
        True,
    ),
    "turned": ("W = Transpose(W1)\na = MatMul(x, W)\nr = Relu(a)\n" + SECOND, False),
    "joined": ("W = Concat(top, bottom; axis=0)\na = Gemm(x, W; transB=1)\nr = Relu(a)\n" + SECOND, False),
    "dequantized": ("W = DequantizeLinear(Q, scale, at)\na = MatMul(x, W)\nr = Relu(a)\n" + SECOND, True),
    "of low rank": ("W = MatMul(L, R)\na = MatMul(x, W)\nr = Relu(a)\n" + SECOND, True),
}
PARTS = {
    "V": W1,
    "g": RNG.standard_normal((6, 1)).astype("f4"),
    "one": ints(1),
    "top": W1[:2],
    "bottom": W1[2:],
    "Q": RNG.integers(-9, 9, (3, 6)).astype("i1"),
    "scale": f4(0.5),
    "at": np.array(2, "i1"),
    "L": W1[:3, :2].copy(),
    "R": W2[:2].copy(),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_matrices_that_are_computed_from_constants(tmp_path, name):
    text, rounded = COMPUTED[name]
    net = agrees(tmp_path, model(text, constants=PARTS, opset=19), (1, 3))
    assert any("computed from others in float64" in one for one in net.origin.folded) == rounded


ENDS = {
    "(tanh + 1) / 2": "t = Tanh(c)\ns = Add(t, one)\ny = Div(s, two)",
    "255 sigmoid": "s = Sigmoid(c)\ny = Mul(s, many)",
    "tanh and a picture": "t = Tanh(c)\ny = Reshape(t, p)",
    "softmax": "y = Softmax(c; axis=1)",
    "swish": "s = Sigmoid(c)\ny = Mul(c, s)",
    "clip": "y = Clip(c, zero, one)",
    "none": "y = Identity(c)",
    "affine": "s = Mul(c, two)\ny = Add(s, one)",
    "relu6 / 6": "s = Clip(c, zero, six)\ny = Div(s, six)",
    "rounded": "s = Sigmoid(c)\nt = Mul(s, many)\ny = Round(t)",
    "by a threshold": "y = Greater(c, one)",
    "a residual of the end": "r2 = Relu(c)\ny = Add(r2, c)",
}


@pytest.mark.parametrize("name", ENDS)
def test_whatever_stands_after_the_last_matrix_is_ignored_when_asked(tmp_path, name):
    path = tmp_path / "net.onnx"
    text = FIRST + "c = Gemm(r, W2, b2; transB=1)\n" + ENDS[name]
    constants = {
        "one": f4(1.0),
        "two": f4(2.0),
        "many": f4(255.0),
        "zero": f4(0.0),
        "six": f4(6.0),
        "p": ints(0, 2, 4),
    }
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
    scaler = helper.make_node(
        "Scaler", ["x"], ["x1"], domain="ai.onnx.ml", offset=[1.0, 2.0, 3.0], scale=[0.5, 2.0, 4.0]
    )
    made = model(FIRST.replace("x", "x1") + SECOND)
    made.graph.node.insert(0, scaler)
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    agrees(tmp_path, made, (1, 3))


def test_a_refusal_names_the_parts_that_can_be_taken(tmp_path):
    path = tmp_path / "net.onnx"
    end = "c = Gemm(u, W2; transB=1)\ny = Relu(c)"
    normed = model("a = Gemm(x, W1; transB=1)\nr = Relu(a)\nu = LayerNormalization(r, b1)\n" + end)
    path.write_bytes(normed.SerializeToString())
    refused(lambda: read_network(path), "LayerNormalization 'u'", "--from 'u' (6-8) or --to 'r' (3-6)")
    assert read_network(path, from_="u").dims == (6, 8) and read_network(path, to="r").dims == (3, 6)
    first = model("t = Tanh(x)\na = Gemm(t, W1; transB=1)\nu = Relu(a)\n" + end)
    path.write_bytes(first.SerializeToString())
    refused(lambda: read_network(path), "Tanh 't'", "begins with a matrix", "with --from 't' (3-6-8)")
    linear = model("a = Gemm(x, W1; transB=1)\nu = Identity(a)\n" + end)
    path.write_bytes(linear.SerializeToString())
    refused(lambda: read_network(path), "a ReLU after Gemm 'a' required, found no activation",
            "--to 'u' --last-activation ignore (3-6)")


def test_outputs_that_are_no_value_of_a_network(tmp_path):
    path = tmp_path / "net.onnx"
    text = FIRST + "c = Gemm(r, W2, b2; transB=1)\nlabel = ArgMax(c; axis=1)\nother = Softmax(c; axis=1)\n"
    made = model(text + "y = TopK(other, one)", outputs=("label", "y"), constants={"one": ints(1)})
    path.write_bytes(made.SerializeToString())
    refused(lambda: read_network(path), "found 1 and 2", "with --to 'c' --lift-bias --last-activation")
    assert read_network(path, to="c", lift_bias=True, last_activation="ignore").dims == (4, 7, 8)


def test_dead_ends_and_functions_of_the_model(tmp_path):
    path = tmp_path / "net.onnx"
    made = model(FIRST + SECOND + "\nz = Softmax(c; axis=1)\nw = Conv(z, W1)", outputs=("y",))
    path.write_bytes(made.SerializeToString())
    assert read_network(path, ignore_bias=True).origin.unused == ("Softmax 'z'", "Conv 'w'")
    made = model(FIRST + SECOND)
    made.graph.node[1].domain = "mine"
    path.write_bytes(made.SerializeToString())
    refused(
        lambda: read_network(path),
        "an operator of 'mine'",
        "onnx.inliner.inline_local_functions",
        "--to 'a'",
    )
