"""Learned quantities of the layers. This module needs no torch."""

from lightning_modules.quantity import Quantity

INFLATION = (
    Quantity("f", "inflation factor f", start=1.0, lowest=0.25, highest=4.0, metric="f"),
    Quantity("gradient", "gradient of f, by its two shares"),
    Quantity("receptive_field", "receptive field in pixels", unit="px", lowest=0.0, metric="receptive_field"),
)
SIGMA = Quantity("sigma", "sigma in pixels", unit="px", start=1.0, lowest=0.0)
