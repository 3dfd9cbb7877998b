"""The doctor: looks whether a lake is whole, says what is not and what that means, and mends what can be mended."""

from batch_layer.doctor.examination import Examination, examine

__all__ = ["Examination", "examine"]
