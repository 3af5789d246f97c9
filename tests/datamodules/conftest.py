from pathlib import Path

import pytest

from datamodules.synthetic import write_helen
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
