from . import helen as helen
from . import images as images
from . import voc as voc
