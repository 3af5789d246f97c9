from . import dashboard as dashboard
from . import mirror as mirror
from . import workspace as workspace
