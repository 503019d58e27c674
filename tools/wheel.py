"""Builds the wheel and tries it in a clean environment outside the repository: `python tools/wheel.py [DIST]`.

DIST: where the wheel goes, by default dist/. Versions are those of constraints.txt, so torch comes without CUDA.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(dist: Path) -> None:
    """Raises CalledProcessError where a step fails."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(dist), str(ROOT)]
    subprocess.run(command, check=True)
    wheel = max(dist.glob("prunescope-*.whl"), key=lambda path: path.stat().st_mtime)
    with tempfile.TemporaryDirectory() as folder:
        venv.create(Path(folder) / "clean", with_pip=True)
        scripts = Path(folder) / "clean" / "bin"
        constraints = ["--quiet", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt")]
        subprocess.run([scripts / "pip", "install", *constraints, wheel], check=True)
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

        def say(*words: str) -> str:
            command = [scripts / words[0], *words[1:]]
            done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{' '.join(words)} failed in a clean environment:\n{done.stdout}{done.stderr}")
            return done.stdout

        where = say("python", "-c", "import prunescope; print(prunescope.__file__)").strip()
        assert Path(where).is_relative_to(folder), f"{where} is not the wheel's"
        say("prunescope", "doctor")
        say("prunescope", "run", "quickstart", "--scale", "smoke", "--workers", "1")
        page = Path(folder) / "prunescope-reports" / "quickstart"
        print(say("prunescope", "why", str(page), "pruning-helps"))
        assert "<figure" in (page / "index.html").read_text(), "the report has no figure"
    print(f"{wheel.name} works outside the repository")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
