"""Install the wheel in dist/ into an environment of its own and use it: every module inside, `emf --version`, one check."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("emfppl", "grammar", "compiler", "runtime")


def modules_of_the_tree() -> set[str]:
    """The files that the wheel must hold, as paths inside site-packages."""
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()]
    return {str(f if f.parts[0] == "emfppl" else Path("emfppl") / f) for f in files}


def main() -> None:
    wheel, sdist = next((ROOT / "dist").glob("*.whl")), next((ROOT / "dist").glob("*.tar.gz"))
    missing = modules_of_the_tree() - set(zipfile.ZipFile(wheel).namelist())
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with tempfile.TemporaryDirectory() as folder:
        use(wheel, Path(folder), version)
    print(f"{wheel.name} and {sdist.name} are fine")


def use(wheel: Path, folder: Path, version: str) -> None:
    """Install and run; away from the repository, so that its folders are not on the path."""
    venv.create(folder / "venv", with_pip=True)
    python, emf = folder / "venv/bin/python", folder / "venv/bin/emf"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, folder=folder)
    said = run(emf, "--version", folder=folder)
    if version not in said:
        sys.exit(f"emf --version says {said!r}, pyproject.toml says {version}")
    run(emf, "check", ROOT / "examples/eight_schools.emf", folder=folder)
    walk = "pkgutil.walk_packages(emfppl.__path__, 'emfppl.')"
    every = f"import pkgutil, importlib, emfppl; [importlib.import_module(m.name) for m in {walk}]"
    run(python, "-c", every, folder=folder)


def run(*command: object, folder: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
