"""The official files of each data set: where they lie and how they are read.

The modules in `__init__.pyi` are imported at first use. No module here imports torch; numpy and OpenCV are imported when a file is
read. Looking for data is therefore fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
