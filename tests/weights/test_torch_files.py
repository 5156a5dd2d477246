"""Files of PyTorch as people have them: tensors, lists, checkpoints, weights of parts, any name."""

from __future__ import annotations

import io
import re
import shlex
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import wdccheck as wc
from examples.commands import QUICK
from examples.refusals import refused
from examples.weight_files import DATA, Named, legacy_bytes, put, state, torch_bytes
from wdccheck.cli.main import main
from wdccheck.weights.files import read_matrix

RNG = np.random.default_rng(0)
W1, W2 = RNG.standard_normal((8, 3)).astype("f4"), RNG.standard_normal((12, 8)).astype("f4")
PLAIN = OrderedDict({"0.weight": W1, "2.weight": W2})
VAE = OrderedDict(state("encoder.0 32 64", "encoder.2 6 32", "decoder.0 32 3", "decoder.2 64 32"))
ADAM = {"state": {0: {"step": np.ones(()), "exp_avg": W1}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
SCALAR = Named("numpy.core.multiarray.scalar", Named("numpy.dtype", "f8", False, True), "12345678")


def same(net, *layers):
    assert len(net.layers) == len(layers)
    for found, wanted in zip(net.layers, layers, strict=True):
        np.testing.assert_array_equal(found, wanted)


def message(path):
    with pytest.raises(wc.InvalidInput) as caught:
        wc.read_network(path)
    return str(caught.value)


def parameter(array):
    return Named("torch._utils._rebuild_parameter", array, True, OrderedDict())


READ = {  # what is saved, the layers
    "a tensor": (W1, (W1,)),
    "a parameter": (parameter(W1), (W1,)),
    "a list": ([W1, W2], (W1, W2)),
    "a tuple": ((parameter(W1), parameter(W2)), (W1, W2)),
    "numbered": ({0: W1, 1: W2}, (W1, W2)),
    "a state dict and a number": ((PLAIN, 7), (W1, W2)),
    "the random state beside": (
        {"epoch": 3, "model_state_dict": PLAIN, "rng_state": np.zeros(5056, "u1")}, (W1, W2)),
    "a loss beside": ({"epoch": 3, "model_state_dict": PLAIN, "loss": np.ones(())}, (W1, W2)),
    "a center beside": ({"state_dict": PLAIN, "center": np.ones(9)}, (W1, W2)),
    "a matrix beside": ({"state_dict": PLAIN, "center": np.ones((1, 3))}, (W1, W2)),
    "fixed noise beside": ({"gen_state_dict": PLAIN, "fixed_noise": np.ones((64, 3))}, (W1, W2)),
    "a checkpoint of Lightning": (
        {"epoch": 3, "state_dict": PLAIN, "optimizer_states": [ADAM], "loops": {"fit": {"state_dict": {}}},
         "hyper_parameters": Named("pytorch_lightning.utilities.parsing.AttributeDict", {"lr": 0.5})},
        (W1, W2)),
    "arguments of a command line": (
        {"state_dict": PLAIN, "args": Named("argparse.Namespace", lr=0.1, data=None)}, (W1, W2)),
    "a scalar of NumPy": ({"state_dict": PLAIN, "best": SCALAR, "optimizer": ADAM}, (W1, W2)),
    "a device and a path": (
        {"net": PLAIN, "on": Named("torch.device", "cuda", 0), "at": Named("pathlib.PosixPath", "a", "b")},
        (W1, W2)),
    "versions, a loss, a scheduler, a random state": (
        {"net": PLAIN, "torch": Named("torch.torch_version.TorchVersion", "2.9"),
         "loss": Named("torch.nn.modules.loss.MSELoss", reduction="mean"),
         "scheduler": Named("torch.optim.lr_scheduler.StepLR", last_epoch=3, optimizer=ADAM),
         "numpy": Named("numpy.random._pickle.__randomstate_ctor")}, (W1, W2)),
    "a default dictionary": (
        {"net": PLAIN, "log": Named("collections.defaultdict", Named("builtins.list"))}, (W1, W2)),
    "layers by name": ({"net": {"fc1": {"weight": W1}, "fc2": {"weight": W2}}, "n": 1}, (W1, W2)),
    "deeper keys": ({"a": {"b": {"c": PLAIN}}, "n": 1}, (W1, W2)),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("save", [torch_bytes, legacy_bytes])
def test_what_torch_save_writes_is_read(tmp_path, name, save):
    data, layers = READ[name]
    same(wc.read_network(put(tmp_path, "net.pt", save(data))), *layers)


B1, B2 = np.ones(8), np.ones(12)


@pytest.mark.parametrize("data", [
    [W1, B1, W2, B2], (parameter(W1), parameter(B1), W2, B2), [(W1, B1), (W2, B2)],
    {"net": [[W1, B1], [W2, B2]]}, {"weights": [W1, W2], "biases": [B1, B2]},
    {"b": [B1, B2], "W": [W1, W2], "n": 2}, {0: {"W": W1, "b": B1}, 1: (W2, B2)},
    {"fc1": {"weight": W1, "bias": B1}, "fc2": {"weight": W2, "bias": B2}}])
def test_biases_in_lists_and_layers_are_not_lost(tmp_path, data):
    path = put(tmp_path, "net.pt", torch_bytes(data))
    refused(lambda: wc.read_network(path), "a bias of array '", "(--ignore-bias or --lift-bias would")
    same(wc.read_network(path, ignore_bias=True), W1, W2)
    assert wc.read_network(path, lift_bias=True).origin.unused == ()


def test_what_stands_beside_is_said(tmp_path):
    net = wc.read_network(put(tmp_path, "net.pt", torch_bytes(READ["a matrix beside"][0])))
    assert net.origin.key == "state_dict" and net.origin.unused == ("'center' of the top",)


@pytest.mark.parametrize("data", [
    {"state_dict": PLAIN, "ema_state_dict": PLAIN}, {"state_dict": PLAIN, "generator": PLAIN},
    {"state_dict": PLAIN, "W1": W1}, {"state_dict": PLAIN, "shadow": [W1, W2]},
    {"generator": PLAIN, "fixed_noise": W1}])
def test_two_that_may_be_the_network_are_refused(tmp_path, data):
    path = put(tmp_path, "net.pt", torch_bytes(data))
    refused(lambda: wc.read_network(path), "--key to choose one required, found 2", "--key '")
    same(wc.read_network(path, key=re.search(r"--key '(\w+)'", message(path))[1]), W1, W2)


def test_files_before_1_6(tmp_path):
    same(wc.read_network(DATA / "legacy.pt"), *wc.read_network(DATA / "plain.pt").layers)


# ---- content before suffix


@pytest.mark.parametrize("name", ["last.ckpt", "pytorch_model.bin", "model.pth.tar", "NET.PT", "net",
                                  "net.npz", "net.onnx", "net.mat", "net.h5", "best.th"])
@pytest.mark.parametrize("save", [torch_bytes, legacy_bytes])
def test_content_decides_before_the_name(tmp_path, name, save):
    same(wc.read_network(put(tmp_path, name, save({"state_dict": PLAIN}))), W1, W2)


@pytest.mark.parametrize("name", ["plain.npz", "layer.npy", "plain.mat", "bfloat16.safetensors", "plain.onnx",
                                  "plain.h5", "plain.keras"])
@pytest.mark.parametrize("given", ["net.PT", "net.bin", "net"])
def test_files_of_other_kinds_under_any_name(tmp_path, name, given):
    data = (DATA / name).read_bytes()
    found = wc.read_network(put(tmp_path, given, data))
    assert found.sha256 == wc.read_network(DATA / name).sha256


def test_the_content_of_a_mat_file_of_7_3_is_told_by_its_reader(tmp_path):
    for data in (b"MATLAB 7.3 MAT-file".ljust(512), (DATA / "plain.h5").read_bytes()):
        refused(lambda data=data: wc.read_network(put(tmp_path, "net.mat", data)), "'-v7'", "version 7.3")


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(("data", "fragments"), [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ["Git LFS", "git lfs pull"]),
    (b"<!DOCTYPE html><html>", ["a web page"]), (b"\n<html>", ["a web page"]),
    (b"\x1f\x8b\x08" + bytes(20), ["gzip", "gunzip"]), (bytes(257) + b"ustar\x00", ["a tar archive: "]),
    (b"GGUF" + bytes(20), ["a GGUF file"]), (b"\x80\x04K\x01.", ["a pickle, which is never", "np.savez("]),
    (b"\x80\x04K\x01.", ["from_sklearn(joblib.load(FILE))"]),
    (b"\x82\xa6params\x81\xa7Dense_0", ["MessagePack, as Flax", "msgpack_restore(open(FILE, 'rb')"]),
    (b"text", ["a weight file (*.npy", "begins with b'text'"]), (b"", ["an empty file"]),
    (zipped({"net.pt": b""}), ["a zip archive of 'net.pt': unpack it"]),
    (zipped({"net/code/a.py": b"", "net/data.pkl": b"\x80\x02N."}), ["TorchScript", "torch.jit.load("]),
    (zipped({"net/models/model.json": b""}), ["torch.export", "torch.export.load(FILE).state_dict"]),
])
@pytest.mark.parametrize("name", ["net.ckpt", "net.txt"])
def test_something_else_is_named_for_what_it_is(tmp_path, name, data, fragments):
    refused(lambda: wc.read_network(put(tmp_path, name, data)), *fragments)


# ---- tensors that are not plain

ODD = {
    "torch._utils._rebuild_sparse_tensor": "x.to_dense()", "torch._utils._rebuild_qtensor": "x.dequantize()",
    "torch._utils._rebuild_tensor_v3": "x.float()",
    "torch._utils._rebuild_meta_tensor_no_storage": "without values",
}


@pytest.mark.parametrize("name", ODD)
def test_a_tensor_that_is_not_plain_is_refused_where_it_is_a_layer(tmp_path, name):
    odd = Named(name, 1, 2)
    path = put(tmp_path, "net.pt", torch_bytes({**PLAIN, "4.weight": odd}))
    refused(lambda: wc.read_network(path), "array '4.weight': a plain tensor required", ODD[name])
    same(wc.read_network(path, arrays="0.*,2.*"), W1, W2)
    beside = put(tmp_path, "beside.pt", torch_bytes({"state_dict": PLAIN, "graph": odd}))
    same(wc.read_network(beside), W1, W2)


@pytest.mark.parametrize(("data", "fragments"), [
    ({"net": Named("__main__.Net")}, ["'__main__.Net', which is not executed", "torch.save(torch.load("]),
    ({"W": Named("numpy.core.multiarray._reconstruct")}, ["NumPy arrays among them: np.savez('net.npz'"]),
    (ADAM, ["the state of an optimizer: torch.save(model.state_dict(), 'net.pt')"]),
    ({"epoch": 3}, ["a dictionary without tensors: 'epoch'"]), ([1, 2], ["a list without tensors"]),
    (Named("argparse.Namespace"), ["a value of the kind 'argparse.Namespace'"]),
    ({"a": W1, 0: W1, "0": W1}, ["every name once"]),
])
def test_files_without_a_network(tmp_path, data, fragments):
    refused(lambda: wc.read_network(put(tmp_path, "net.pt", torch_bytes(data))), *fragments)


@pytest.mark.parametrize("name", ["os.system", "posix.system", "builtins.eval", "subprocess.Popen"])
def test_a_name_that_has_no_place_in_a_file_comes_without_a_call_that_loads_it(tmp_path, name):
    path = put(tmp_path, "net.pt", torch_bytes({"net": PLAIN, "x": Named(name, "true")}))
    assert f"{name!r}, which is not executed" in message(path) and "torch.load" not in message(path)


# ---- two commands


@pytest.mark.parametrize("data", [
    VAE, {"model_state_dict": VAE, "epoch": 3, "optimizer": ADAM}, {"model": VAE, "ema": VAE},
    OrderedDict(state("fc1 32 64", "fc21 3 32", "fc22 3 32", "fc3 32 3", "fc4 64 32")),
    {"state_dict": OrderedDict(state("encoder.0 32 64", "fc_mu 3 32", "fc_var 3 32", "decoder_input 16 3",
                                     "decoder.0 32 16", "final_layer.0 64 32"))}])
def test_the_second_command_is_what_the_first_one_printed(tmp_path, capsys, data):
    """A new user reaches the decoder of a biased VAE in a checkpoint."""
    path = put(tmp_path, "vae.ckpt", torch_bytes(data))
    assert main(["certify", str(path), *QUICK]) == 2
    taken = re.search(r"take one with (.*?) \([\d-]+\)", capsys.readouterr().err)[1]
    assert main(["certify", str(path), *shlex.split(taken), *QUICK, "--alpha", "1", "--quiet"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "--lift-bias" in out and "64 x 33" in out and "x 65" not in out


def test_measurements_and_single_layers(tmp_path, capsys):
    A = put(tmp_path, "A.pt", torch_bytes(np.ones((6, 12))))
    np.testing.assert_array_equal(read_matrix(A), np.ones((6, 12)))
    U = put(tmp_path, "U.pt", torch_bytes(np.eye(3, dtype="c8") * 1j))
    np.testing.assert_array_equal(read_matrix(U, complex_too=True), 1j * np.eye(3))
    refused(lambda: wc.read_network(U), "an array of real numbers required, found dtype complex")
    net = put(tmp_path, "net.pt", torch_bytes(PLAIN))
    assert main(["certify", str(net), "--measurements", str(A), *QUICK, "--alpha", "1", "--quiet"]) == 0
    layer = put(tmp_path, "layer.pt", torch_bytes(parameter(W1)))
    assert main(["bracket", "wdc", str(layer), *QUICK, "--alpha", "1"]) == 0
    capsys.readouterr()
