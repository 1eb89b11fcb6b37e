"""A text in the editor of the person at the terminal."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from rota_cli.errors import CliError


def edited(text: str, *, suffix: str) -> str:
    """What the text is after the editor was closed: $VISUAL, else $EDITOR, else vi.

    Raises:
        CliError: there is no such editor, or it did not end well.

    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="rota-") as directory:  # only its owner may look into it
        file = Path(directory) / f"edit{suffix}"
        file.write_text(text)
        try:
            subprocess.run([*shlex.split(command), str(file)], check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise CliError(
                f"the editor {command!r} did not end well: {error}", remedy="name another one in EDITOR"
            ) from error
        return file.read_text()
