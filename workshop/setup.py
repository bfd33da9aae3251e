"""``python -m workshop setup``: install what the workshop needs, then show where the learner is.

This runs before anything is installed, so it uses the standard library only.
"""

import hashlib
import os
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements.txt"
INSTALLED = Path(sys.prefix) / "workshop-installed.txt"

ACTIVATE = r".venv\Scripts\activate" if os.name == "nt" else "source .venv/bin/activate"
USAGE = "usage: python -m workshop setup [--anyway]"
NO_ENVIRONMENT = f"""\
This Python is not in a virtual environment, so its packages would mix with those of other projects.
Make one and activate it:
  python -m venv .venv
  {ACTIVATE}
Then type it again:
  python -m workshop setup
To install without one, add --anyway."""
FAILED = """\
pip could not install the packages. Its own words are above.
Look at your network connection and the free space on your disk, then type it again:
  python -m workshop setup"""


def main(arguments: list[str]) -> int:
    """Install what is missing, then run the workshop's first screen; returns the exit code."""
    if arguments not in ([], ["--anyway"]):
        print(USAGE, file=sys.stderr)
        return 2
    if not arguments and not in_virtual_environment():
        print(NO_ENVIRONMENT, file=sys.stderr)
        return 1
    try:
        exit_code = 0 if is_installed() else install()
        return exit_code or subprocess.call([sys.executable, "-m", "workshop"])
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130


def in_virtual_environment() -> bool:
    """Whether packages go to a place of their own: a venv, or a conda environment other than base."""
    in_conda = os.environ.get("CONDA_PREFIX") == sys.prefix and os.environ.get("CONDA_DEFAULT_ENV") != "base"
    return sys.prefix != sys.base_prefix or in_conda


def is_installed() -> bool:
    """Whether `install` ran here for these very files, and every pinned package still has its version."""
    try:
        version("workshop")
        known = INSTALLED.read_text(encoding="utf-8") == fingerprint()
        return known and all(version(name) == pinned for name, pinned in pins())
    except (OSError, PackageNotFoundError):
        return False


def fingerprint() -> str:
    """What an installation depends on, in one line: this clone's place and the files that pip reads."""
    content = b"".join(path.read_bytes() for path in (REQUIREMENTS, ROOT / "pyproject.toml"))
    return f"{hashlib.sha256(content).hexdigest()} {ROOT}\n"


def pins() -> list[tuple[str, str]]:
    """The packages that requirements.txt pins on every system, as (name, version)."""
    lines = [line.partition("#")[0] for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split("==") for line in lines if "==" in line and ";" not in line]
    return [(name.strip(), pinned.strip()) for name, pinned in pairs]


def install() -> int:
    """Let pip install the pinned packages and this clone; returns pip's exit code."""
    print("Installing the workshop's packages. The first time takes a minute or two ...", flush=True)
    start = time.monotonic()
    if find_spec("pip") is None:  # some tools make environments without it
        run(["ensurepip"])
    options = ["--quiet", "--no-input", "--disable-pip-version-check"]
    result = run(["pip", "install", *options, "--requirement", str(REQUIREMENTS), "--editable", str(ROOT)])
    if result.returncode:
        print(result.stdout, FAILED, sep="\n", file=sys.stderr)
        return result.returncode
    INSTALLED.write_text(fingerprint(), encoding="utf-8")
    print(f"Installed in {time.monotonic() - start:.0f} seconds.\n", flush=True)
    return 0


def run(module: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python in the clone's folder, with its output caught."""
    return subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
