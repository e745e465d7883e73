"""Tables 3, 4, 5 and 7 and Figure 6 again, from a capsule: no GPU, no weights, no videos.

``python -m scripts.commands.capsule results/capsule`` (or ``make tables FROM=results/capsule``)
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from scripts.analyse.registry import RESULTS
from scripts.common.code import ROOT
from scripts.common.errors import UserError
from scripts.common.fingerprints import sha256_of
from scripts.common.schemas.trace import MATCHES
from scripts.common.tables import write_table

REBUILT = ("build_table3", "build_table4", "build_table5", "build_table7", "plot_figure6")
MEASURED = ("measure_detection", "measure_tracing", "summarise_evaluation")
SEARCHED = ("match_queries",)
"""Only where a capsule has features without matches, such as another lab's."""


def rebuild(capsule: Path, cores: int) -> int:
    """Make a capsule's tables and figure again, in its own folder of results.

    Args:
        capsule: the folder that ``pack_capsule`` made.
        cores: for Snakemake.

    Returns:
        Snakemake's exit status.

    Raises:
        UserError: it is none, or a file of it is another than it was.
    """
    try:
        manifest = json.loads((capsule / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"{capsule} is no capsule: it has no manifest.json that can be read"
        ) from None
    for name, checksum in manifest["files"].items():
        if not (capsule / name).is_file() or sha256_of(capsule / name) != checksum:
            raise UserError(f"{capsule / name} is missing or was changed; fetch the capsule again")
    _say_what_was_not_reranked(capsule)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(capsule.resolve() / "config.yaml"), "--directory", str(capsule)]
    command += ["--cores", str(cores), "--rerun-triggers", "input", "--quiet", "rules"]
    command += ["--allowed-rules", *REBUILT, *MEASURED, *SEARCHED, "--forcerun", *MEASURED]
    targets = [RESULTS[rule].target for rule in REBUILT]
    return subprocess.run([*command, "--", *targets], cwd=ROOT).returncode


def _say_what_was_not_reranked(capsule: Path) -> None:
    """Write that no match of added features is scored anew: that takes pictures, and none are here."""
    trace = capsule / "results/trace"
    anew = {path.stem for path in (trace / "reranked").glob("*.parquet")}
    for model in (trace / "features").iterdir() if anew else ():
        if model.name not in anew:
            write_table([], trace / "reranked" / f"{model.name}.parquet", MATCHES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capsule", type=lambda text: Path(text).absolute())
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    try:
        sys.exit(rebuild(arguments.capsule, arguments.cores))
    except UserError as error:
        sys.exit(f"Error: {error}")
