"""Inputs and results in a bucket: ``make test-s3`` (a server of S3 on this machine, no network)."""

import os
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import yaml

from scripts.common.code import ROOT
from tests.analyse.tidy_metrics import FORMS, write_summary
from tests.curate.release.small_release import EVAL, SUBSET, make_release, prompt_id

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")

KEYS = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret"}
TARGET = "results/images/00000.parquet"
SUMMARY = "results/evaluation/summary.parquet"
TABLE = "results/tables/table7.csv"


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A bucket with the small release and a hostile name, and the address of its server."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
    client.create_bucket(Bucket="mine")
    release = make_release(tmp_path / "data/TIP-I2V", full=False)
    for path in filter(os.path.isfile, release.rglob("*")):
        client.upload_file(str(path), "mine", f"run/{path.relative_to(tmp_path)}")
    client.put_object(Bucket="mine", Key="run/data/../../../../escaped.csv", Body=b"x")
    yield client, address
    server.stop()


@pytest.fixture
def start(tmp_path, bucket):
    """A function that runs the workflow in a folder that holds nothing yet."""
    scratch = tmp_path / "scratch"
    place = scratch / "s3/mine/run"
    place.mkdir(parents=True)
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"curate": {"shards": 1}}))
    command = [
        sys.executable, "-m", "snakemake", "--profile", "profiles/s3", "--cores", "2",
        "--default-storage-prefix", "s3://mine/run", "--local-storage-prefix", str(scratch),
        "--directory", str(place), "--storage-s3-endpoint-url", bucket[1],
        "--configfile", "config/release.yaml", str(tmp_path / "my.yaml"),
    ]  # fmt: skip

    def run(*arguments, without=()):
        known = {name: value for name, value in os.environ.items() if name not in without}
        asked = [*command, "--", TARGET] if not arguments else [*command, *arguments]
        answer = subprocess.run(asked, cwd=ROOT, env=known, capture_output=True, text=True)
        return answer.returncode, answer.stdout + answer.stderr

    return run


def test_the_release_is_read_from_a_bucket_and_results_are_put_there(bucket, start, tmp_path):
    code, said = start()
    assert code == 0, said[-3000:]
    bucket[0].download_file("mine", f"run/{TARGET}", str(tmp_path / "index.parquet"))
    rows = pq.read_table(tmp_path / "index.parquet").to_pylist()
    wanted = {prompt_id(number) for number in {*SUBSET, *EVAL}}
    assert {row["uuid"] for row in rows if row["status"] == "ok"} == wanted
    assert not list(tmp_path.rglob("escaped.csv"))
    code, said = start()
    assert code == 0 and "Nothing to be done" in said, said[-3000:]


def test_a_table_is_made_from_what_was_measured_and_put_into_the_bucket(bucket, start, tmp_path):
    """Of what lies there under ``results/``: the same files as one makes who has it on a disk."""
    local = tmp_path / "local"
    summary = write_summary(local / SUMMARY)
    bucket[0].upload_file(str(summary), "mine", f"run/{SUMMARY}")
    wanted = ["--config", "start=analyse", "--", TABLE]
    code, said = start(*wanted)
    assert code == 0, said[-3000:]
    here = ["--cores", "1", "--directory", str(local), "--configfile", "config/release.yaml"]
    command = [sys.executable, "-m", "snakemake", *here, *wanted]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    for form in FORMS:
        name = f"{TABLE.removesuffix('.csv')}{form}"
        put = bucket[0].get_object(Bucket="mine", Key=f"run/{name}")["Body"].read()
        assert put and put == (local / name).read_bytes(), name
    # Whoever comes with an empty disk finds the table made, and nothing before it is asked for.
    shutil.rmtree(tmp_path / "scratch/s3/mine/run")
    code, said = start("--dry-run", *wanted)
    assert code == 0 and "Nothing to be done" in said, said[-3000:]


def test_missing_credentials_are_one_sentence(start):
    code, said = start(without=KEYS)
    assert code and "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said, said[-3000:]
    assert "Traceback" not in said
