"""Downloads against a server of our own: whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reproduce.cli import main
from reproduce.commands import prepare
from reproduce.commands.prepare import Download

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves the file, the file cut short, and another file."""

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write({"/whole": CONTENT, "/cut": CONTENT[:1000], "/other": CONTENT[::-1]}[self.path])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRODUCE_DATA", raising=False)


def offer(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    monkeypatch.setitem(prepare.DOWNLOADS, "vgg16", Download(urls, "weights/file.pth", SHA256[:8]))


def test_it_is_downloaded_checked_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    offer(monkeypatch, f"{address}/whole")
    assert main(["prepare", "vgg16", "--data-root", str(tmp_path)]) == 0
    assert (tmp_path / "weights/file.pth").read_bytes() == CONTENT
    offer(monkeypatch, f"{address}/missing")  # it is not asked for again
    assert main(["prepare", "vgg16", "--data-root", str(tmp_path)]) == 0
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["file.pth"]


def test_the_next_address_serves_where_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    offer(monkeypatch, f"{address}/missing", f"{address}/other", f"{address}/cut", f"{address}/whole")
    assert main(["prepare", "vgg16", "--data-root", str(tmp_path)]) == 0
    assert (tmp_path / "weights/file.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("page", ["missing", "other", "cut"])
def test_what_is_not_the_file_is_not_kept(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, f"{address}/{page}")
    assert main(["prepare", "vgg16", "--data-root", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert f"/{page}" in err
    assert err.count("\n") == 1
    assert not list((tmp_path / "weights").iterdir())


def test_a_file_that_is_here_is_taken_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    (tmp_path / "mine.pth").write_bytes(CONTENT)
    assert main(["prepare", "vgg16", "--data-root", str(tmp_path), "--from", str(tmp_path / "mine.pth")]) == 0
    assert (tmp_path / "weights/file.pth").read_bytes() == CONTENT
    (tmp_path / "weights/file.pth").unlink()
    (tmp_path / "mine.pth").write_bytes(b"another")
    assert main(["prepare", "vgg16", "--data-root", str(tmp_path), "--from", str(tmp_path / "mine.pth")]) == 2


def test_without_a_data_root_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "vgg16"]) == 2
    assert "Expected --data-root or REPRODUCE_DATA to be a folder" in capsys.readouterr().err
