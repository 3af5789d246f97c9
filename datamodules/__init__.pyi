from .errors import DataError as DataError
from .helen import HelenDataModule as HelenDataModule
from .images import ImagesDataModule as ImagesDataModule
from .voc import VOCDataModule as VOCDataModule
from .vouch import Vouch as Vouch
