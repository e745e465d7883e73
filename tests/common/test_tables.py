import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scripts.common import schemas
from scripts.common.errors import UserError
from scripts.common.tables import (
    TableWriter,
    column,
    embedding,
    fit,
    optional,
    read_table,
    table_schema,
    write_table,
)

ROOT = Path(__file__).resolve().parents[2]

SCORES = table_schema(
    "scores",
    "test",
    column("uuid", pa.string(), "id"),
    column("score", pa.float32(), "score"),
    optional("note", pa.string(), "note"),
)
ROWS = [{"uuid": "b", "score": 0.5}, {"uuid": "a", "score": 1.0, "note": "x"}]


@pytest.mark.parametrize(
    ("rows", "column_at_fault"),
    [
        ([{"uuid": "a", "score": 1.0, "extra": 1}], "extra"),
        ([{"uuid": "a", "score": None}], "score"),
        ([{"uuid": "a", "score": "high"}], "score"),
        (pd.DataFrame({"uuid": ["a"], "note": ["x"]}), "score"),
        (pa.table({"uuid": [1.5], "score": [1.0], "note": ["x"]}), None),
    ],
)
def test_a_table_that_does_not_fit_names_its_column(tmp_path, rows, column_at_fault):
    path = tmp_path / "scores.parquet"
    if column_at_fault is None:
        write_table(rows, path, SCORES)  # a number can be written as text without loss
        assert read_table(path, SCORES)["uuid"].to_pylist() == ["1.5"]
        return
    with pytest.raises(UserError, match=f"'scores'.*'{column_at_fault}'"):
        write_table(rows, path, SCORES)
    assert not path.exists()


def test_rows_are_sorted_and_bytes_do_not_depend_on_their_order(tmp_path):
    write_table(ROWS, tmp_path / "1.parquet", SCORES)
    write_table(ROWS[::-1], tmp_path / "2.parquet", SCORES)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert read_table(tmp_path / "1.parquet", SCORES)["uuid"].to_pylist() == ["a", "b"]


def test_reading_another_schema_names_file_and_column(tmp_path):
    path = tmp_path / "x.parquet"
    other = table_schema("other", "test", column("uuid", pa.string(), "id"))
    write_table([{"uuid": "a"}], path, other)
    with pytest.raises(UserError, match=r"x\.parquet: column 'score' is missing"):
        read_table(path, SCORES)
    with pytest.raises(UserError, match=r"y\.parquet is missing"):
        read_table(tmp_path / "y.parquet")
    (tmp_path / "z.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"z\.parquet cannot be read"):
        read_table(tmp_path / "z.parquet")


def test_columns_come_as_asked_for_and_an_unknown_one_is_named(tmp_path):
    path = tmp_path / "x.parquet"
    write_table(ROWS, path, SCORES)
    names = SCORES.names[::-1]
    assert read_table(path, columns=names).column_names == names
    with pytest.raises(UserError, match=r"x\.parquet: column 'colour' is missing"):
        read_table(path, columns=["uuid", "colour"])


def test_reading_imports_no_pandas(tmp_path):
    """It takes 0.3 s, in every job."""
    write_table(ROWS, tmp_path / "x.parquet", SCORES)
    code = "import sys; from scripts.common.tables import read_table; read_table(sys.argv[1])"
    code += "; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, tmp_path / "x.parquet"], check=True, cwd=ROOT)


def test_embeddings_are_fixed_size_lists_of_float16(tmp_path):
    schema = table_schema(
        "e", "test", column("uuid", pa.string(), "id"), column("embedding", embedding(4), "v")
    )
    values = np.arange(8, dtype=np.float16).reshape(2, 4)
    rows = [{"uuid": "a", "embedding": values[0]}, {"uuid": "b", "embedding": values[1]}]
    write_table(rows, tmp_path / "e.parquet", schema)
    read = read_table(tmp_path / "e.parquet", schema)["embedding"].to_pylist()
    assert np.array_equal(np.array(read), values)
    with pytest.raises(UserError, match="embedding"):
        write_table([{"uuid": "a", "embedding": values[0][:3]}], tmp_path / "f.parquet", schema)


def test_a_table_may_be_written_in_pieces(tmp_path):
    with TableWriter(tmp_path / "p.parquet", SCORES) as writer:
        for row in ROWS:
            writer.write([row])
    assert read_table(tmp_path / "p.parquet", SCORES)["uuid"].to_pylist() == ["b", "a"]


CLOSED = table_schema(
    "closed",
    "A table with a closed list.",
    column("uuid", pa.string(), "id"),
    optional("reason", pa.string(), "why", values={"gone": "x", "late": "y"}),
)


@pytest.mark.parametrize("as_rows", [True, False], ids=["rows", "table"])
def test_what_is_not_in_a_closed_list_is_named(as_rows):
    rows = [{"uuid": "a", "reason": "gone"}, {"uuid": "b", "reason": "lost"}]
    sentence = r"table 'closed': column 'reason' holds 'lost', which its closed list"
    with pytest.raises(UserError, match=sentence):
        fit(rows if as_rows else pa.Table.from_pylist(rows), CLOSED)
    rows[1]["reason"] = None
    assert fit(rows, CLOSED)["reason"].to_pylist() == ["gone", None]


def test_a_longer_closed_list_gives_the_same_bytes(tmp_path):
    longer = [CLOSED.field(0), optional("reason", pa.string(), "why", values="xyz")]
    for name, schema in (("a", CLOSED), ("b", pa.schema(longer, metadata=CLOSED.metadata))):
        write_table([{"uuid": "a", "reason": None}], tmp_path / name, schema)
        with TableWriter(tmp_path / f"{name}+", schema) as writer:
            writer.write([{"uuid": "a", "reason": None}])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a+").read_bytes() == (tmp_path / "b+").read_bytes()


def test_every_reason_that_is_written_down_has_a_closed_list():
    """So that a new reason is described before any table has it."""
    for module in pkgutil.iter_modules(schemas.__path__, f"{schemas.__name__}."):
        for name, schema in vars(importlib.import_module(module.name)).items():
            for field in schema if isinstance(schema, pa.Schema) else ():
                if field.name in ("status", "reason", "remark", "outcome", "place"):
                    assert b"values" in field.metadata, f"{module.name}.{name}: {field.name}"
