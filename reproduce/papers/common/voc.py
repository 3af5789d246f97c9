"""Augmented VOC 2012 in every profile."""

from __future__ import annotations

from reproduce.specs import VOC, MadeScenes
from reproduce.table import Profile

# Crops of the shrunk profiles: pool5 of a VGG-16 at an eighth of the published stride has 44 cells of them.
SCENES: dict[Profile, VOC] = {
    "paper": VOC(crop=321),
    "small": VOC(crop=176),
    "demo": VOC(crop=88, made=MadeScenes(train=60, val=24, size=112, sbd=60, shapes=2, hues=2)),
}
DEVIATIONS = {
    "pictures": (
        "train_aug has 10,582 pictures (VOC 2012 train, and SBD's train and val without VOC's val) and val 1,449. The paper prints 12,031 "
        "for training, which is 10,582 + 1,449, and 1,499."
    ),
    "evaluation": (
        "Whole pictures at their own size, one at a time; one confusion matrix over the split; borders (255) are ignored. Mean IoU is over "
        "the classes that labels or predictions have, the background included: 21 on VOC."
    ),
}


def made_up(scenes: VOC) -> str:
    """Say what made-up scenes are in the place of VOC; nothing of the real ones."""
    made = scenes.made
    if made is None:
        return ""
    kinds = f"{made.shapes} shapes in {made.hues} hues"
    return f"{made.train + made.sbd} made-up scenes of {kinds} to train on and {made.val} to test on, not VOC."
