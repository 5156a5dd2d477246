"""Files as real models leave them: the one network in it is read, or the message says how to choose."""

from __future__ import annotations

import json
import re
import shlex
import struct
from collections import OrderedDict

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused
from examples.weight_files import legacy_bytes, put, state, torch_bytes

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


E = state("encoder.0 32 64", "encoder.2 3 32")
FIRST = {  # a model with biases, and the layers of its decoder: the first way that is printed reads them
    "decoder and encoder": ({**E, **under("decoder", G)}, ["decoder.0", "decoder.2"]),
    "in a checkpoint of Lightning": (
        {"state_dict": {**under("model", E), **under("model.decoder", G)}, "epoch": 3},
        ["model.decoder.0", "model.decoder.2"]),
    "heads and a decoder of three parts": (
        {**E, **state("fc_mu 3 3", "fc_var 3 3", "decoder_input 16 3", "decoder.0 32 16", "final.0 64 32")},
        ["decoder_input", "decoder.0", "final.0"]),
    "numbered heads": (state("fc1 32 64", "fc21 3 32", "fc22 3 32", "fc3 32 3", "fc4 64 32"), ["fc3", "fc4"]),
    "named heads": (
        state("fc1 32 64", "fc2_mean 3 32", "fc2_logvar 3 32", "fc3 32 3", "fc4 64 32"), ["fc3", "fc4"]),
    "numbers only": (state("l1 32 64", "l2 16 32", "l3 3 16", "l4 16 3", "l5 32 16", "l6 64 32"),
                     ["l4", "l5", "l6"]),
    "heads within the encoder": (
        state("encoder.fc1 32 64", "encoder.mu 3 32", "encoder.logvar 3 32", "decoder.fc1 32 3",
              "decoder.out 64 32"), ["decoder.fc1", "decoder.out"]),
    "dec1 to dec3": (state("enc1 32 64", "enc2 16 32", "mu 3 16", "logvar 3 16", "dec1 16 3", "dec2 32 16",
                           "dec3 64 32"), ["dec1", "dec2", "dec3"]),
    "a convolutional encoder": (
        {**state("encoder.0 8 1 3 3", "encoder.2 16 8 3 3", "mu 3 64"), **under("decoder", G)},
        ["decoder.0", "decoder.2"]),
    "a learned variance": ({"log_sigma": np.ones(()), **E, **under("decoder", G)},
                           ["decoder.0", "decoder.2"]),
    "a layer norm in the encoder": (
        {**E, "encoder.1.weight": np.ones(32), "encoder.1.bias": np.ones(32), **under("decoder", G)},
        ["decoder.0", "decoder.2"]),
    "a GAN of two dictionaries": ({"netD": state("0 32 64", "2 1 32"), "netG": state("0 32 3", "2 64 32")},
                                  ["0", "2"]),
    "a GAN in one": ({**under("G", G), **under("D", state("0 32 64", "2 1 32"))}, ["G.0", "G.2"]),
    "two averages": ({"model": {**E, **under("decoder", G)}, "ema": {**E, **under("decoder", G)}},
                     ["decoder.0", "decoder.2"]),
}


def options(message):
    """The first way that a refusal prints, as arguments of read_network."""
    words = shlex.split(re.search(r"take one with (.*?) \([\d-]+\)", message)[1])
    given = {}
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        given[name] = words.pop(0) if words and not words[0].startswith("--") else True
    return given


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("save", [torch_bytes, legacy_bytes])
def test_the_first_way_reads_the_decoder_with_its_biases(tmp_path, name, save):
    data, layers = FIRST[name]
    path = put(tmp_path, "net.ckpt", save(data))
    with pytest.raises(wc.InvalidInput) as caught:
        wc.read_network(path)
    given = options(str(caught.value))
    net = wc.read_network(path, **given)
    inside = [one for one in data.values() if isinstance(one, dict)] or [data]
    held = data[given["key"]] if "key" in given else inside[0]
    x = value = np.random.default_rng(0).standard_normal((9, 3))
    for layer in layers:
        value = np.maximum(value @ held[f"{layer}.weight"].T + held[f"{layer}.bias"], 0)
    np.testing.assert_allclose(net(np.column_stack([x, np.ones(9)])), value, rtol=1e-6)


@pytest.mark.parametrize("name", [f"{norm} in {where}" for norm in ("layer norm", "PReLU")
                                  for where in ("the decoder", "all")])
def test_no_way_leaves_out_what_stands_between_layers(tmp_path, name):
    width = 32 if "layer" in name else 1
    prefix = "decoder." if "decoder" in name else ""
    data = {**(E if prefix else {}), f"{prefix}0.weight": G["0.weight"], f"{prefix}1.weight": np.ones(width),
            f"{prefix}2.weight": G["2.weight"]}
    with pytest.raises(wc.InvalidInput) as caught:
        wc.read_network(put(tmp_path, "net.pt", torch_bytes(OrderedDict(data))))
    assert f"--arrays '{prefix}" not in str(caught.value) and "2.weight'" not in str(caught.value)


@pytest.mark.parametrize("letter", ["\n", "\x1b[2J", "\u2028"])
def test_names_that_are_no_text_are_not_printed_as_they_are(tmp_path, letter):
    data = {**under("encoder", D), **under(f"decoder{letter}", G), f"fc{letter}.weight": np.ones((2, 2))}
    for value in (data, {"g": data, letter: data}):
        with pytest.raises(wc.InvalidInput) as caught:
            wc.read_network(put(tmp_path, "net.pt", torch_bytes(value)))
        assert str(caught.value).isprintable()


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
