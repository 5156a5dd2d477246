"""Files as real models leave them: the one network in it is read, or the message says how to choose."""

from __future__ import annotations

import json
import re
import struct

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused
from examples.weight_files import put, state, torch_bytes

G, D = state("0 32 3", "2 64 32"), state("0 32 64", "2 1 32")
ADAM = {"state": {0: {"step": np.ones(()), "exp_avg": np.ones((32, 3))}}, "param_groups": [{"params": [0]}]}


def under(prefix, arrays):
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def norm(name, width):
    return {f"{name}.weight": np.ones(width), f"{name}.bias": np.zeros(width),
            f"{name}.running_mean": np.zeros(width), f"{name}.running_var": np.ones(width),
            f"{name}.num_batches_tracked": np.ones(())}


READ = {  # what the file holds, the widths of the one network in it
    "a plain Sequential": (G, (3, 32, 64)),
    "a named Sequential": (under("main", G), (3, 32, 64)),
    "wrapped by DataParallel": (under("module", G), (3, 32, 64)),
    "compiled and wrapped": (under("_orig_mod.module.net", G), (3, 32, 64)),
    "numbered attributes": (state("fc1 32 3", "fc2 32 32", "fc3 64 32"), (3, 32, 32, 64)),
    "eleven layers": (state(*[f"layers.{i} 4 4" for i in range(11)]), (4,) * 12),
    "blocks of one layer": (state("blocks.0.fc 32 3", "blocks.1.fc 64 32"), (3, 32, 64)),
    "a Sequential within one": (state("0.0 32 3", "0.2 32 32", "1 64 32"), (3, 32, 32, 64)),
    "a checkpoint with Adam": ({"epoch": 3, "net": G, "optimizer": ADAM, "lr": None}, (3, 32, 64)),
    "a key of one's own": ({"my_net": {"weights": G}, "history": [1, 2]}, (3, 32, 64)),
    "random states beside": ({"state_dict": G, "rng": np.ones(99), "rngs": [np.ones(9)]}, (3, 32, 64)),
    "batch norm": ({**state("0 32 3"), **norm("1", 32), **state("3 64 32")}, (3, 32, 64)),
    "equal widths, numbered": (state("W1 8 8", "W2 8 8", "W3 8 8"), (8, 8, 8, 8)),
}
REFUSED = {  # what the file holds, the option that takes the generator
    "autoencoder": ({**under("encoder", D), **under("decoder", G)}, "decoder.*"),
    "decoder registered first": ({**under("decoder", G), **under("encoder", D)}, "decoder.*"),
    "an encoder whose code is as wide as the data": (
        {**under("dec", G), **under("enc", state("0 32 64", "2 3 32"))}, "dec.*"),
    "two heads": ({**under("encoder", state("0 32 64", "2 3 32")), **state("mu 3 3", "logvar 3 3"),
                   **under("decoder", G)}, "decoder.*"),
    "two heads of the width of all": (state("enc 8 8", "mu 8 8", "logvar 8 8", "dec 8 8"), "dec.weight"),
    "the VAE of PyTorch's examples": (
        state("fc1 32 64", "fc21 3 32", "fc22 3 32", "fc3 32 3", "fc4 64 32"), "fc3.weight,fc4.weight"),
    "an autoencoder of numbers only": (
        state("fc1 32 64", "fc2 3 32", "fc3 32 3", "fc4 64 32"), "fc3.weight,fc4.weight"),
    "an autoencoder as a Sequential": (
        state("0.0 32 64", "0.2 3 32", "1.0 32 3", "1.2 64 32"), "1.*"),
    "a GAN in one module": ({**under("netG.main", G), **under("netD.main", D)}, "netG.main.*"),
    "a GAN, critic first": ({**under("critic", D), **under("generator", G)}, "generator.*"),
    "two generators": ({**under("G_A", G), **under("G_B", G)}, "G_A.*"),
    "numbered twins": ({**under("net1", G), **under("net2", G)}, "net1.*"),
    "numbered twins that chain": (
        state("net1.0 32 3", "net1.2 3 32", "net2.0 32 3", "net2.2 3 32"), "net1.*"),
    "a copy that averages": ({**under("generator", G), **under("generator_ema", G)}, "generator.*"),
    "shadows beside the weights": (
        {**G, "0.weight_ema": G["0.weight"], "2.weight_ema": G["2.weight"]}, "0.weight,2.weight"),
    "stochastic weight averaging": ({"n_averaged": np.ones(()), **under("module", G)}, "module.*"),
    "a head of another name": (state("hidden.0 32 3", "hidden.1 32 32", "out 64 32"), "*"),
    "one layer, equal widths": (state("inp 8 8", "out 8 8"), "*"),
    "autoencoder of two tied layers": (
        {"dec.weight": np.ones((64, 3)), "enc.weight": np.ones((3, 64))}, "dec.weight"),
    "a label embedding": ({**state("label_emb 10 10"), **under("model", G)}, "model.*"),
    "measurements beside": ({"W1": np.ones((8, 2)), "W2": np.ones((9, 8)), "A": np.ones((2, 9))}, "W1,W2"),
    "measurements that chain": (
        {"W1": np.ones((8, 2)), "W2": np.ones((9, 8)), "m": np.ones((2, 9))}, "W1,W2"),
    "a convolution after it": ({**state("fc 512 3", "deconv 32 16 4 4")}, "fc.weight"),
    "layers saved backwards": (dict(reversed(state("l1 8 8", "l2 8 8").items())), "l1.weight,l2.weight"),
    "a transformer's block": (state("attn.proj 8 8", "mlp.0 32 8", "mlp.2 64 32"), "mlp.*"),
}
KEYS = {  # what the checkpoint holds, the key of the generator
    "generator and average": ({"generator": G, "generator_ema": G, "step": 9}, "generator"),
    "the networks of a GAN": ({"netG": G, "netD": D, "optG": ADAM, "optD": ADAM}, "netG"),
    "an average beside": ({"model": G, "ema": {"decay": 1, "shadow": G}}, "ema.shadow"),
    "a list that averages": ({"model": G, "ema": {"shadow_params": [G["0.weight"], G["2.weight"]]}}, "model"),
    "fixed noise": ({"fixed_noise": np.ones((64, 3)), "generator": G}, "generator"),
    "the best so far": ({"last": {"model": G}, "best": {"model": G}}, "best"),
}


@pytest.mark.parametrize("name", READ)
def test_the_one_network_is_read(tmp_path, name):
    data, dims = READ[name]
    net = wc.read_network(put(tmp_path, "net.pt", torch_bytes(data)), ignore_bias=True, fold_batchnorm=True)
    assert net.dims == dims


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("suffix", [".pt", ".npz", ".safetensors"])
def test_a_choice_is_asked_for_and_every_one_named_works(tmp_path, name, suffix):
    data, wanted = REFUSED[name]
    path = tmp_path / f"net{suffix}"
    if suffix == ".npz":
        np.savez(path, **data)
    elif suffix == ".safetensors":
        path.write_bytes(safetensors(data))
    else:
        path.write_bytes(torch_bytes(data))
    if suffix == ".safetensors" and name == "layers saved backwards":
        return  # its writer sorts
    with pytest.raises(wc.InvalidInput) as caught:
        wc.read_network(path, ignore_bias=True)
    ways = dict(re.findall(r"--arrays '([^']*)' \(([\d-]*)\)", str(caught.value)))
    assert wanted in ways or f"{wanted} more" in str(caught.value), str(caught.value)
    for arrays, widths in ways.items():
        net = wc.read_network(path, arrays=arrays, ignore_bias=True)
        assert "-".join(map(str, net.dims)) == widths


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_asked_for(tmp_path, name):
    data, key = KEYS[name]
    path = put(tmp_path, "net.pt", torch_bytes(data))
    refused(lambda: wc.read_network(path, ignore_bias=True), "--key to choose one", f"--key '{key}")
    assert wc.read_network(path, key=key, ignore_bias=True).dims == (3, 32, 64)


def safetensors(arrays):
    """A file as its library writes it: sorted by name."""
    header, data = {}, b""
    for name in sorted(arrays):
        block = np.asarray(arrays[name], "<f4")
        header[name] = {"dtype": "F32", "shape": list(block.shape),
                        "data_offsets": [len(data), len(data) + block.nbytes]}
        data += block.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
