"""Two-sided bounds on the constants of the weight conditions of generative priors.

``import wdccheck as wc`` gives the names below; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Ascent": "wdccheck.lower.ascent",
    "Bracket": "wdccheck.brackets",
    "BranchAndBound": "wdccheck.upper.branch_and_bound",
    "InvalidInput": "wdccheck.errors",
    "JointWDC": "wdccheck.conditions.joint_wdc",
    "MonteCarlo": "wdccheck.lower.monte_carlo",
    "NotProved": "wdccheck.errors",
    "PoorFit": "wdccheck.errors",
    "R2WDC": "wdccheck.conditions.r2wdc",
    "RRIC": "wdccheck.conditions.rric",
    "ReLUNetwork": "wdccheck.network",
    "Report": "wdccheck.report",
    "SDP": "wdccheck.upper.sdp",
    "Spectral": "wdccheck.spectral",
    "Study": "wdccheck.studies",
    "Undecided": "wdccheck.errors",
    "UnsoundBound": "wdccheck.errors",
    "Verdict": "wdccheck.brackets",
    "WDC": "wdccheck.conditions.wdc",
    "bracket": "wdccheck.solve",
    "calibrate": "wdccheck.calibration",
    "certify": "wdccheck.certification",
    "certify_pair": "wdccheck.demodulation",
    "conv2d_matrix": "wdccheck.convolutions",
    "conv_transpose2d_matrix": "wdccheck.convolutions",
    "estimates": "wdccheck",
    "kernel": "wdccheck._kernels",
    "load": "wdccheck.brackets",
    "plots": "wdccheck",
    "sweep": "wdccheck.studies",
    "testing": "wdccheck",
    "verify": "wdccheck.audit",
}

__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from wdccheck import estimates as estimates
    from wdccheck import plots as plots
    from wdccheck import testing as testing
    from wdccheck._kernels import kernel as kernel
    from wdccheck.audit import verify as verify
    from wdccheck.brackets import Bracket as Bracket
    from wdccheck.brackets import Verdict as Verdict
    from wdccheck.brackets import load as load
    from wdccheck.calibration import calibrate as calibrate
    from wdccheck.certification import certify as certify
    from wdccheck.conditions.joint_wdc import JointWDC as JointWDC
    from wdccheck.conditions.r2wdc import R2WDC as R2WDC
    from wdccheck.conditions.rric import RRIC as RRIC
    from wdccheck.conditions.wdc import WDC as WDC
    from wdccheck.convolutions import conv2d_matrix as conv2d_matrix
    from wdccheck.convolutions import conv_transpose2d_matrix as conv_transpose2d_matrix
    from wdccheck.demodulation import certify_pair as certify_pair
    from wdccheck.errors import InvalidInput as InvalidInput
    from wdccheck.errors import NotProved as NotProved
    from wdccheck.errors import PoorFit as PoorFit
    from wdccheck.errors import Undecided as Undecided
    from wdccheck.errors import UnsoundBound as UnsoundBound
    from wdccheck.lower.ascent import Ascent as Ascent
    from wdccheck.lower.monte_carlo import MonteCarlo as MonteCarlo
    from wdccheck.network import ReLUNetwork as ReLUNetwork
    from wdccheck.report import Report as Report
    from wdccheck.solve import bracket as bracket
    from wdccheck.spectral import Spectral as Spectral
    from wdccheck.studies import Study as Study
    from wdccheck.studies import sweep as sweep
    from wdccheck.upper.branch_and_bound import BranchAndBound as BranchAndBound
    from wdccheck.upper.sdp import SDP as SDP


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
