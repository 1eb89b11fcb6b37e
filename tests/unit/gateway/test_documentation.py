"""The README names what there is."""

import hashlib
from pathlib import Path

from rota_gateway.live import SUBJECTS
from rota_gateway.web.assets import DIRECTORY

README = (Path(__file__).parents[3] / "services/gateway/README.md").read_text()


def test_every_subject_that_is_heard_is_documented() -> None:
    assert [
        subject for subject in SUBJECTS if f"`{subject.removesuffix('.*').removesuffix('.*')}`" not in README
    ] == []


def test_the_vendored_files_are_what_their_checksums_say() -> None:
    vendor = DIRECTORY / "vendor"
    lines = [line.split() for line in (vendor / "SHA256SUMS").read_text().splitlines()]
    expected = {name: checksum for checksum, name in lines}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in vendor.glob("*.js")}
    assert found == expected
    assert all((vendor / name.replace(".min.js", ".LICENSE")).is_file() for name in found)
