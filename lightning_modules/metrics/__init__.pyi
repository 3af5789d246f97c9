from .confusion import ConfusionMatrix as ConfusionMatrix
from .confusion import classification_scores as classification_scores
from .confusion import f_scores as f_scores
from .confusion import overall_f as overall_f
from .confusion import segmentation_scores as segmentation_scores
