"""Learned dynamics and policies; the only subpackage that imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import require
from ..core.names import absent

require("torch", extra="learning")

from ._processes import first_process as first_process  # noqa: E402
from .calibration import Calibration as Calibration  # noqa: E402
from .calibration import calibrate as calibrate  # noqa: E402
from .demonstrations import Demonstrations as Demonstrations  # noqa: E402
from .distillation import Distilled as Distilled  # noqa: E402
from .distillation import Round as Round  # noqa: E402
from .distillation import distill as distill  # noqa: E402
from .dynamics import LearnedDynamics as LearnedDynamics  # noqa: E402
from .evaluation import EvaluationProtocol as EvaluationProtocol  # noqa: E402
from .evaluation import SuccessRate as SuccessRate  # noqa: E402
from .fit import Fit as Fit  # noqa: E402
from .fit import fit as fit  # noqa: E402
from .imitation import ImitationSettings as ImitationSettings  # noqa: E402
from .imitation import imitate as imitate  # noqa: E402
from .networks import MLP as MLP  # noqa: E402
from .networks import DropoutMLP as DropoutMLP  # noqa: E402
from .networks import Ensemble as Ensemble  # noqa: E402
from .networks import GaussianHead as GaussianHead  # noqa: E402
from .noise import Fitted as Fitted  # noqa: E402
from .noise import NoiseFit as NoiseFit  # noqa: E402
from .noise import fit_noise as fit_noise  # noqa: E402
from .parameter_fit import fit_parameters as fit_parameters  # noqa: E402
from .parametric import ParametricDynamics as ParametricDynamics  # noqa: E402
from .policy import NetworkPolicy as NetworkPolicy  # noqa: E402
from .prediction import Prediction as Prediction  # noqa: E402
from .records import Epoch as Epoch  # noqa: E402
from .records import Record as Record  # noqa: E402
from .records import Trained as Trained  # noqa: E402
from .records import TrainingEnd as TrainingEnd  # noqa: E402
from .residual import ResidualDynamics as ResidualDynamics  # noqa: E402
from .runs import load_best as load_best  # noqa: E402
from .runs import read_settings as read_settings  # noqa: E402
from .scaling import Scaling as Scaling  # noqa: E402
from .switch import Switch as Switch  # noqa: E402
from .tensorboard import TensorBoard as TensorBoard  # noqa: E402
from .training import Trainee as Trainee  # noqa: E402
from .training import train as train  # noqa: E402
from .training_settings import FitSettings as FitSettings  # noqa: E402
from .training_settings import TrainingSettings as TrainingSettings  # noqa: E402
from .windows import Windows as Windows  # noqa: E402

__all__ = [
    "MLP",
    "Calibration",
    "Demonstrations",
    "Distilled",
    "DropoutMLP",
    "Ensemble",
    "Epoch",
    "EvaluationProtocol",
    "Fit",
    "FitSettings",
    "Fitted",
    "GaussianHead",
    "ImitationSettings",
    "LearnedDynamics",
    "NetworkPolicy",
    "NoiseFit",
    "ParametricDynamics",
    "Prediction",
    "Record",
    "ResidualDynamics",
    "Round",
    "Scaling",
    "SuccessRate",
    "Switch",
    "TensorBoard",
    "Trained",
    "Trainee",
    "TrainingEnd",
    "TrainingSettings",
    "Windows",
    "calibrate",
    "distill",
    "first_process",
    "fit",
    "fit_noise",
    "fit_parameters",
    "imitate",
    "load_best",
    "read_settings",
    "train",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
