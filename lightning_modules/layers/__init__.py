"""Layers: a pure function with the maths, and a thin module if the layer has parameters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
