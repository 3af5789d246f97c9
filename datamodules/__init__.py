"""The data: one LightningDataModule per data set, reading its official layout.

The names in `__init__.pyi` are imported at first use. Importing the package imports neither torch nor Lightning, and keeps listing and
planning tables fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
