"""Writes the files beside it with the libraries that people use.

python -m venv writers && writers/bin/pip install keras torch onnx onnxscript scipy safetensors
KERAS_BACKEND=torch writers/bin/python tests/data/weights/write.py

Every entry is a multiple of 1/8 of magnitude at most 2, exact in float16 and bfloat16. `values` is what the
tests compare with; written.json says which versions wrote the files.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DIMS = (2, 4, 3)


def values() -> dict[str, np.ndarray]:
    """Weights, biases and statistics of 2-4-3 networks."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-16, 17, shape) / 8

    found = {"W1": draw(4, 2), "W2": draw(3, 4), "b1": draw(4), "b2": draw(3)}
    return {**found, "gamma": draw(4), "beta": draw(4), "mean": draw(4), "var": np.abs(draw(4)) + 0.125}


def write_numpy(v: dict[str, np.ndarray]) -> None:
    np.savez_compressed(HERE / "plain.npz", W1=v["W1"], W2=v["W2"].astype(">f4"))
    np.save(HERE / "layer.npy", np.asfortranarray(v["W1"]))


def write_matlab(v: dict[str, np.ndarray]) -> None:
    from scipy.io import savemat

    net = {"W1": v["W1"], "W2": v["W2"].astype(np.float32)}
    savemat(HERE / "plain.mat", net)
    savemat(HERE / "compressed.mat", net, do_compression=True)
    savemat(HERE / "biased.mat", {**net, "b1": v["b1"], "b2": v["b2"][:, None]})


def write_torch(v: dict[str, np.ndarray]) -> None:
    import torch
    from safetensors.torch import save_file
    from torch import nn

    def tensor(name: str) -> torch.Tensor:
        return torch.tensor(v[name], dtype=torch.float32)

    def sequential(*modules: nn.Module) -> nn.Module:
        net = nn.Sequential(*modules).eval()
        with torch.no_grad():
            for i, linear in enumerate([m for m in modules if isinstance(m, nn.Linear)], 1):
                linear.weight.copy_(tensor(f"W{i}"))
                if linear.bias is not None:
                    linear.bias.copy_(tensor(f"b{i}"))
            for norm in [m for m in modules if isinstance(m, nn.BatchNorm1d)]:
                norm.weight.copy_(tensor("gamma"))
                norm.bias.copy_(tensor("beta"))
                norm.running_mean.copy_(tensor("mean"))
                norm.running_var.copy_(tensor("var"))
        return net

    plain = sequential(nn.Linear(2, 4, bias=False), nn.ReLU(), nn.Linear(4, 3, bias=False), nn.ReLU())
    full = sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3), nn.Sigmoid())
    torch.save(plain.state_dict(), HERE / "plain.pt")
    torch.save(plain, HERE / "module.pt")
    torch.save(plain.state_dict(), HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    optimizer = torch.optim.Adam(full.parameters())
    torch.save({"epoch": 3, "model_state_dict": full.state_dict(), "optimizer": optimizer.state_dict()},
               HERE / "full.pth")
    views = {"W1": tensor("W1").T.contiguous().T, "W2": torch.cat([tensor("W2")] * 2, 1)[:, 4:]}
    torch.save({**views, "half": tensor("W2").half().T.contiguous()}, HERE / "views.pt")
    torch.save({"fc": nn.Parameter(tensor("W1").bfloat16())}, HERE / "bfloat16.pt")
    save_file({name: value.bfloat16() for name, value in plain.state_dict().items()},
              HERE / "bfloat16.safetensors")
    save_file({"0.weight": tensor("W1").double(), "2.weight": tensor("W2").half()},
              HERE / "mixed.safetensors")
    save_file(dict(full.state_dict()), HERE / "full.safetensors")
    write_onnx(torch, plain, full)


def write_onnx(torch, plain, full) -> None:  # type: ignore[no-untyped-def]
    for name, net in (("plain", plain), ("full", full)):
        torch.onnx.export(net, (torch.zeros(5, 2),), HERE / f"{name}.onnx", dynamo=True,
                          external_data=False, verbose=False)
    wide = torch.nn.Sequential(torch.nn.Linear(2, 64, bias=False), torch.nn.ReLU(),
                               torch.nn.Linear(64, 33, bias=False), torch.nn.ReLU())
    with torch.no_grad():  # so large that its numbers lie in a file beside it
        wide[0].weight.copy_(plain[0].weight.repeat(16, 1))
        wide[2].weight.copy_(plain[2].weight.repeat(11, 16))
    torch.onnx.export(wide, (torch.zeros(1, 2),), HERE / "external.onnx", verbose=False)
    torch.onnx.export(plain, (torch.zeros(1, 2),), HERE / "script.onnx", dynamo=False)
    torch.onnx.export(full, (torch.zeros(1, 2),), HERE / "training.onnx", dynamo=False,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)


def write_keras(v: dict[str, np.ndarray]) -> None:
    import keras
    from keras import layers

    def dense(i: int, activation: str | None, bias: bool) -> keras.layers.Layer:
        return layers.Dense(DIMS[i], activation=activation, use_bias=bias)

    def fill(net: keras.Model) -> keras.Model:
        for i, layer in enumerate([one for one in net.layers if isinstance(one, layers.Dense)], 1):
            layer.set_weights([v[f"W{i}"].T, *([v[f"b{i}"]] if layer.use_bias else [])])
        for layer in net.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.set_weights([v["gamma"], v["beta"], v["mean"], v["var"]])
        return net

    plain = fill(keras.Sequential([keras.Input((2,)), dense(1, "relu", False), dense(2, "relu", False)]))
    full = fill(keras.Sequential([
        keras.Input((2,)), dense(1, "relu", True), layers.BatchNormalization(epsilon=0.5),
        dense(2, "sigmoid", False)]))
    start = keras.Input((2,))
    hidden = dense(1, "relu", False)(start)
    graph = fill(keras.Model(start, layers.Reshape((3, 1))(dense(2, "relu", False)(hidden))))
    for suffix in ("keras", "h5"):
        plain.save(HERE / f"plain.{suffix}")
        graph.save(HERE / f"graph.{suffix}")
    full.save(HERE / "full.keras")
    write_nested(v, fill, dense)
    normed = [keras.Input((2,)), dense(1, None, True), layers.BatchNormalization(epsilon=0.5)]
    fill(keras.Sequential(normed)).save(HERE / "normed.h5")
    plain.save_weights(HERE / "only.weights.h5")


def write_nested(v, fill, dense) -> None:  # type: ignore[no-untyped-def]
    """A decoder within an autoencoder; in the archive alone, as that is large."""
    import keras

    decoder = fill(keras.Sequential(
        [keras.Input((2,)), dense(1, "relu", False), dense(2, "sigmoid", False)], name="decoder"))
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)], name="encoder")
    encoder.layers[0].set_weights([v["W2"][:, :2]])
    start = keras.Input((3,))
    keras.Model(start, decoder(encoder(start))).save(HERE / "nested.h5")
    start = keras.Input((2,))
    keras.Model(start, decoder(start)).save(HERE / "nested.keras")


def main() -> None:
    v = values()
    write_numpy(v)
    write_matlab(v)
    write_torch(v)
    write_keras(v)
    names = ("numpy", "scipy", "torch", "safetensors", "onnx", "onnxscript", "keras", "h5py")
    (HERE / "written.json").write_text(json.dumps({name: version(name) for name in names}, indent=1) + "\n")
    for path in sorted(HERE.iterdir()):
        if path.stat().st_size > 24_000:
            raise SystemExit(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
