from pathlib import Path

import pytest

from datamodules.layouts.images import SETS
from datamodules.synthetic import write_helen
from datamodules.synthetic_images import write_images
from datamodules.synthetic_voc import write_voc


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a small synthetic Helen in it; tests that change it copy it first."""
    root = tmp_path_factory.mktemp("data")
    write_helen(root, exemplars=11, tuning=5, testing=7, size=64, seed=3)
    return root


@pytest.fixture(scope="session")
def voc_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a small synthetic VOC and SBD in it; tests that change it copy it first."""
    root = tmp_path_factory.mktemp("voc_data")
    write_voc(root, train=6, val=5, size=64, seed=3, sbd=4)
    return root


@pytest.fixture(scope="session")
def images_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a small synthetic version of every set of small pictures in it; tests that change it copy it first."""
    root = tmp_path_factory.mktemp("images_data")
    for name in SETS:
        write_images(root, name, train=23, test=11, seed=3)
    return root
