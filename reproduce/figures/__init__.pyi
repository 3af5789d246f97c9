from . import accuracy as accuracy
from . import caption as caption
from . import map_sizes as map_sizes
from . import overlay as overlay
from . import panels as panels
from . import segmentations as segmentations
from . import style as style
from . import trajectories as trajectories
