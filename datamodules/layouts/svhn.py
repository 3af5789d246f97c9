"""SVHN, cropped digits: `train_32x32.mat` and `test_32x32.mat`.

Source: Netzer et al. 2011, "Reading digits in natural images with unsupervised feature learning".
"""

from __future__ import annotations

import io

from datamodules.layouts.image_set import File, ImageSet, Pictures, Version


def read(part: tuple[File, ...]) -> Pictures:
    """Read a file: `X`, H W 3 N, and `y`, N 1, in which 1 to 9 are digits and 10 is the digit 0.

    Raises:
        DataError: The file cannot be read, or has other content.
    """
    import numpy as np
    from scipy.io import loadmat

    file = part[0]
    data = file.content()
    try:
        content = loadmat(io.BytesIO(data), variable_names=["X", "y"])
        images, labels = content["X"], content["y"]
    except Exception as error:  # on broken files SciPy raises a dozen types, also of zlib and struct
        raise file.error("is cut short or is not a MATLAB file with `X` and `y`") from error
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.dtype != np.uint8:
        raise file.error("has no `X` of H x W x 3 x N bytes")
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "ui" or labels.shape != (images.shape[3], 1):
        raise file.error(f"has no `y` of {images.shape[3]} x 1 integers, one per picture")
    strange = labels[(labels < 1) | (labels > 10)]
    if strange.size:
        raise file.error(f"has the label {int(strange[0])}, where the digits are 1 to 9 and 10 for 0")
    return Pictures(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels[:, 0] % 10)


# Not in paper (Pintea et al. 2021): mean and standard deviation, which are those of the training pictures. The 531,131 easier pictures of
# `extra` are not used.
SVHN = ImageSet(
    title="SVHN",
    classes=tuple("0123456789"),
    shape=(3, 32, 32),
    official={"train": 73257, "test": 26032},
    mean=(0.4377, 0.4438, 0.4728),
    std=(0.1980, 0.2010, 0.1970),
    versions=(
        Version(
            places=("svhn",),
            parts={"train": (("train_32x32.mat",),), "test": (("test_32x32.mat",),)},
            get="put train_32x32.mat and test_32x32.mat, from the page of SVHN, there",
            read=read,
            checksums={"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373", "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"},
        ),
    ),
)
