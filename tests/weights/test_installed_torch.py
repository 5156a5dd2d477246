"""Where PyTorch is installed: what it writes now is read, and its modules are taken, to its own outputs."""

from __future__ import annotations

import numpy as np
import pytest

import wdccheck as wc
from examples.refusals import refused

torch = pytest.importorskip("torch")
nn = torch.nn
X = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))


def net(*last, bias=False, wrap=lambda layer: layer):
    torch.manual_seed(0)
    layers = [wrap(nn.Linear(3, 8, bias=bias)), nn.ReLU(), nn.Dropout(), wrap(nn.Linear(8, 12, bias=bias))]
    model = nn.Sequential(*layers, *(last or (nn.ReLU(),)))
    model(X)  # in training: the vectors of a spectral norm come nearer
    return model.eval()


def agrees(found, model, lifted=False):
    """The network of `found` has the outputs of the model, a ReLU at its end."""
    x = X.double().numpy()
    with torch.no_grad():
        wanted = model(X).double().numpy()
    value = found(np.column_stack([x, np.ones(len(x))]) if lifted else x)
    np.testing.assert_allclose(value, np.maximum(wanted, 0), rtol=1e-4, atol=1e-5)


def test_the_recipe(tmp_path):
    model = net(nn.ReLU(), bias=True)
    torch.save(model.state_dict(), tmp_path / "net.pt")
    agrees(wc.read_network(tmp_path / "net.pt", lift_bias=True), model, lifted=True)


@pytest.mark.parametrize("save", [
    lambda model, path: torch.save({"epoch": 3, "state_dict": model.state_dict(), "at": torch.zeros(1, 3),
                                    "rng": torch.get_rng_state(), "version": torch.__version__,
                                    "best": np.float64(0.5), "device": torch.device("cpu")}, path),
    lambda model, path: torch.save(list(model.parameters()), path),
    lambda model, path: torch.save(tuple(one.detach() for one in model.parameters()), path),
    lambda model, path: torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False),
])
def test_checkpoints_and_lists(tmp_path, save):
    model = net()
    save(model, tmp_path / "last.ckpt")
    agrees(wc.read_network(tmp_path / "last.ckpt"), model)


def pruned(layer):
    from torch.nn.utils import prune

    return prune.l1_unstructured(layer, "weight", 0.5)


WRAPS = {
    "old weight norm": lambda layer: torch.nn.utils.weight_norm(layer),
    "weight norm": lambda layer: torch.nn.utils.parametrizations.weight_norm(layer),
    "old spectral norm": lambda layer: torch.nn.utils.spectral_norm(layer),
    "spectral norm": lambda layer: torch.nn.utils.parametrizations.spectral_norm(layer),
    "pruning": pruned,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", WRAPS)
def test_weights_of_parts(tmp_path, kind):
    model = net(wrap=WRAPS[kind])
    torch.save(model.state_dict(), tmp_path / "net.pt")
    agrees(wc.read_network(tmp_path / "net.pt"), model)
    agrees(wc.ReLUNetwork.from_torch(model), model)


@pytest.mark.filterwarnings("ignore")
def test_other_parametrizations_and_programs_name_the_call(tmp_path):
    torch.save(net(wrap=torch.nn.utils.parametrizations.orthogonal).state_dict(), tmp_path / "net.pt")
    refused(lambda: wc.read_network(tmp_path / "net.pt"), "remove_parametrizations(module, 'weight')")
    torch.save(net(), tmp_path / "net.pt")
    refused(lambda: wc.read_network(tmp_path / "net.pt"), "not executed", "torch.save(torch.load(")
    torch.jit.script(net()).save(tmp_path / "net.pt")
    refused(lambda: wc.read_network(tmp_path / "net.pt"), "torch.jit.load(FILE)")


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.bn, self.fc2 = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 12)

    def forward(self, x):
        return torch.relu(self.fc2(torch.relu(self.bn(self.fc1(x)))))


def test_modules():
    layers = [one.weight for one in net() if isinstance(one, nn.Linear)]
    agrees(wc.ReLUNetwork(layers), net())
    assert wc.certify(net(), alpha=1.0, time_limit=0.1).rows
    model = net(nn.Tanh(), bias=True)
    found = wc.ReLUNetwork.from_torch(model, lift_bias=True, last_activation="ignore")
    agrees(found, model[:-1], lifted=True)
    own = Generator()
    own(X)  # changes what batch norm is at evaluation
    refused(lambda: wc.ReLUNetwork.from_torch(own), "model.eval()")
    agrees(wc.ReLUNetwork.from_torch(own.eval(), fold_batchnorm=True, lift_bias=True), own, lifted=True)
