"""Where OpenCV does not load, one sentence says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_missing_system_library_is_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({message!r})")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import datamodules.alignment"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert message in last
    assert "apt-get install libgl1" in last
    assert "opencv-python-headless" in last
