"""Code of a worker process. In `reproduce`, only this subpackage and similar modules of papers import torch and Lightning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
