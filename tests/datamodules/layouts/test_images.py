from pathlib import Path

import pytest

from datamodules.layouts.images import SETS, find


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_described_as_a_whole(images_root: Path, name: str) -> None:
    published = SETS[name]
    assert len(published.mean) == len(published.std) == published.shape[0]
    assert len(set(published.classes)) == len(published.classes) in (10, 100)
    assert sum(published.official.values()) in (70000, 60000, 99289)
    for version in published.versions:
        assert set(version.checksums) <= set(version.names)
        assert len(set(version.names)) == len(version.names)
        assert all(len(checksum) == 32 and int(checksum, 16) for checksum in version.checksums.values())
        assert version.places[0].partition("/")[0] == name
    assert find(images_root, name).published is published


def test_a_set_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`name` to be one of mnist, fashion_mnist, cifar10, cifar100, svhn, but got 'emnist'"):
        find(tmp_path, "emnist")
