"""Augmented VOC 2012 in every profile."""

from __future__ import annotations

from reproduce.specs import VOC, MadeScenes
from reproduce.table import Profile

# Crops of the shrunk profiles: pool5 has 44 cells, at a stride of 4 pixels in `small` and of 2 in `demo`.
SCENES: dict[Profile, VOC] = {
    "paper": VOC(crop=321),
    "small": VOC(crop=176),
    "demo": VOC(crop=88, made=MadeScenes(train=60, val=24, size=112, sbd=60, shapes=2, hues=2)),
}
DEVIATIONS = {
    "pictures": (
        "train_aug has 10,582 pictures (VOC 2012 train, and SBD's train and val without VOC's val), and val has 1,449. The paper prints "
        "12,031 for training, which is 10,582 + 1,449, and 1,499 instead of 1,449."
    ),
    "evaluation": (
        "Whole pictures are evaluated at their own size, one at a time, into one confusion matrix over the split; borders (255) are "
        "ignored. Mean IoU is over the classes that occur in labels or predictions, with the background: 21 on VOC."
    ),
}


def made_up(scenes: VOC) -> str:
    """Describe the made-up scenes that replace VOC; return an empty string for the real pictures."""
    made = scenes.made
    if made is None:
        return ""
    kinds = f"{made.shapes} shapes in {made.hues} hues"
    return f"{made.train + made.sbd} made-up scenes of {kinds} to train on and {made.val} to test on, not VOC."
