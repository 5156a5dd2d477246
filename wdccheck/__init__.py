"""Two-sided bounds on the constants of the weight conditions of generative priors.

``import wdccheck as wc`` gives the names below; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wdccheck.version import VERSION

__version__ = VERSION

_HOME = {
    "Ascent": "wdccheck.engines.ascent",
    "Bracket": "wdccheck.brackets",
    "BranchAndBound": "wdccheck.engines.branch_and_bound",
    "Coherence": "wdccheck.conditions.coherence",
    "InvalidInput": "wdccheck.errors",
    "JointWDC": "wdccheck.conditions.joint_wdc",
    "LowerIsometry": "wdccheck.conditions.one_sided",
    "MonteCarlo": "wdccheck.engines.monte_carlo",
    "NotProved": "wdccheck.errors",
    "PoorFit": "wdccheck.errors",
    "R2WDC": "wdccheck.conditions.r2wdc",
    "RRIC": "wdccheck.conditions.rric",
    "ReLUNetwork": "wdccheck.weights.network",
    "Report": "wdccheck.reports.report",
    "SDP": "wdccheck.engines.sdp",
    "Spectral": "wdccheck.engines.spectral",
    "Study": "wdccheck.studies.studies",
    "Undecided": "wdccheck.errors",
    "UnsoundBound": "wdccheck.errors",
    "UpperIsometry": "wdccheck.conditions.one_sided",
    "Verdict": "wdccheck.brackets",
    "WDC": "wdccheck.conditions.wdc",
    "bracket": "wdccheck.engines.loop",
    "calibrate": "wdccheck.engines.calibration",
    "certify": "wdccheck.certification.of_network",
    "certify_pair": "wdccheck.certification.of_pair",
    "conv2d_matrix": "wdccheck.weights.convolutions",
    "conv_transpose2d_matrix": "wdccheck.weights.convolutions",
    "estimates": "wdccheck",
    "isometry": "wdccheck.certification.of_range",
    "kernel": "wdccheck._kernels",
    "load": "wdccheck.brackets",
    "plots": "wdccheck",
    "read_network": "wdccheck.weights.files",
    "sweep": "wdccheck.studies.studies",
    "testing": "wdccheck",
    "verify": "wdccheck.verification.results",
}

__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from wdccheck import estimates as estimates
    from wdccheck import plots as plots
    from wdccheck import testing as testing
    from wdccheck._kernels import kernel as kernel
    from wdccheck.brackets import Bracket as Bracket
    from wdccheck.brackets import Verdict as Verdict
    from wdccheck.brackets import load as load
    from wdccheck.certification.of_network import certify as certify
    from wdccheck.certification.of_pair import certify_pair as certify_pair
    from wdccheck.certification.of_range import isometry as isometry
    from wdccheck.conditions.coherence.definition import Coherence as Coherence
    from wdccheck.conditions.joint_wdc.definition import JointWDC as JointWDC
    from wdccheck.conditions.one_sided.definition import LowerIsometry as LowerIsometry
    from wdccheck.conditions.one_sided.definition import UpperIsometry as UpperIsometry
    from wdccheck.conditions.r2wdc.definition import R2WDC as R2WDC
    from wdccheck.conditions.rric.definition import RRIC as RRIC
    from wdccheck.conditions.wdc.definition import WDC as WDC
    from wdccheck.engines.ascent import Ascent as Ascent
    from wdccheck.engines.branch_and_bound import BranchAndBound as BranchAndBound
    from wdccheck.engines.calibration import calibrate as calibrate
    from wdccheck.engines.loop import bracket as bracket
    from wdccheck.engines.monte_carlo import MonteCarlo as MonteCarlo
    from wdccheck.engines.sdp import SDP as SDP
    from wdccheck.engines.spectral import Spectral as Spectral
    from wdccheck.errors import InvalidInput as InvalidInput
    from wdccheck.errors import NotProved as NotProved
    from wdccheck.errors import PoorFit as PoorFit
    from wdccheck.errors import Undecided as Undecided
    from wdccheck.errors import UnsoundBound as UnsoundBound
    from wdccheck.reports.report import Report as Report
    from wdccheck.studies.studies import Study as Study
    from wdccheck.studies.studies import sweep as sweep
    from wdccheck.verification.results import verify as verify
    from wdccheck.weights.convolutions import conv2d_matrix as conv2d_matrix
    from wdccheck.weights.convolutions import conv_transpose2d_matrix as conv_transpose2d_matrix
    from wdccheck.weights.files import read_network as read_network
    from wdccheck.weights.network import ReLUNetwork as ReLUNetwork


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'wdccheck' has no attribute {name!r}")
    if home == __name__:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
