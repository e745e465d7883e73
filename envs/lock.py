"""Lock the environments: every version, also of what packages need, as it was tried.

``make lock`` after an edit of ``requirements.in`` or of an environment's ``<name>.in``. The
versions of ``requirements.txt`` are resolved first; each ``<name>.yaml`` then has those of them that
its packages need, and no other. ``make lock FAISS=gpu`` takes faiss with CUDA (``cpu``: and back).
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_28"
_HEAD = """\
{title}
# Made by `make lock` from {name}.in: every version is that of requirements.txt, which were tried
# together. Python is conda-forge's; the packages come by pip, since conda-forge builds some of them
# later or otherwise (torch, av, faiss) and has no package of the small models that carry weights.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
  - pip:
"""


def compile_versions(source: Path, output: Path, *options: str) -> list[str]:
    """Return lines ``package==version`` of all that the packages of a file need.

    What ``output`` has already stays as it is where it fits: a lock moves no version unasked.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", str(source)]
    command += ["--python-version", PYTHON, "--output-file", str(output), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=FOLDER.parent)
    return output.read_text().splitlines()


def choose_faiss(kind: str, folder: Path = FOLDER) -> None:
    """Let the lists name faiss for processors or for cards: both are one module, so never both.

    Args:
        kind: ``cpu`` or ``gpu``.
        folder: of the lists.
    """
    for path in folder.glob("*.in"):
        path.write_text(re.sub(r"faiss-[cg]pu", f"faiss-{kind}", path.read_text()))


def lock() -> None:
    """Write requirements.txt and every environment."""
    everything = Path("envs/requirements.txt")
    compile_versions(everything.with_suffix(".in"), everything, "--universal")
    for source in sorted(Path("envs").glob("*.in")):
        if source.stem == "requirements":
            continue
        options = ["--constraint", str(everything), "--python-platform", PLATFORM]
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "pins.txt")
            pins = compile_versions(source, output, "--no-annotate", *options)
        title = source.read_text().splitlines()[0]
        head = _HEAD.format(title=title, name=source.stem, python=PYTHON)
        source.with_suffix(".yaml").write_text(head + "".join(f"      - {pin}\n" for pin in pins))


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        choose_faiss(chosen)
    lock()
