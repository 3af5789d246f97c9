"""Figures: pure functions from numbers and pictures to a matplotlib Figure, one per file, with their common style and file writing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
