"""The doctor: looks whether a lake is whole, says what is not and what that means, and mends what can be mended."""

from batch_layer.doctor.examination import Examination, examine
from batch_layer.doctor.mending import Mend, mends
from batch_layer.doctor.rebuild import Definitions

__all__ = ["Definitions", "Examination", "Mend", "examine", "mends"]
