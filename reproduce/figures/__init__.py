"""Figures: pure functions from numbers and pictures to matplotlib's Figure, a file each, and how they look and are written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
