"""Tables 1 and 2: ours counted, other data sets' cells as the paper prints them."""

import pytest

from scripts.analyse.build_overview import build_overview
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.schemas.annotate import DATASET
from scripts.common.schemas.split import TIP_EVAL
from scripts.common.tables import write_table
from tests.analyse.tidy_metrics import BANNER, FORMS, LAYOUTS, faces, paper_table, read


def overview(folder, number, **known):
    """Build Table 1 or 2 of three prompts, of which two are in TIP-Eval."""
    rows = [
        {"UUID": f"u{i}", "Text_Prompt": f"p{i}", "Image_Prompt": f"images/0.tar#u{i}.png"}
        | {"Subject": "Cat", "Timestamp": f"2024-{month}-01 00:00:00", "Text_NSFW": 0.0}
        | {"Image_NSFW": "Safe", "UserID": "a", "Direction": ""}
        for i, month in enumerate(("03", "01", "02"))
    ]
    write_table(rows, folder / "dataset.parquet", DATASET)
    chosen = [{"uuid": f"u{i}", "prompt": f"p{i}", "subject": "Cat"} for i in range(2)]
    write_table(chosen, folder / "prompts.parquet", TIP_EVAL)
    layout = LAYOUTS[f"table{number}"]
    sources = read_sheets(ROOT / "config")["sources"]
    build_overview(
        folder / "dataset.parquet", folder / "prompts.parquet",
        faces=faces(folder, f"table{number}"), number=number, layout=layout, known=layout["known"] | known,
        beside=[sources[name] for name in layout["beside"]], banner=BANNER,
    )  # fmt: skip
    return read(folder / f"table{number}.csv")


@pytest.mark.parametrize("number", ["1", "2"])
def test_other_data_sets_are_as_the_paper_prints_them_and_cited(tmp_path, number):
    ours, theirs = overview(tmp_path, number), paper_table(number)
    assert list(ours) == list(theirs[0]) and len(ours) == len(theirs)
    for mine, row in zip(ours.to_dict("records"), theirs, strict=True):
        for name, cell in row.items():
            if "(Ours)" not in name + next(iter(row.values())):
                assert mine[name] == cell.replace("-", "" if cell == "-" else "-")
    for form in FORMS[1:]:
        text = (tmp_path / f"table{number}{form}").read_text()
        assert ("Huang et al. 2024" if number == "2" else "Wang and Yang 2024") in text
        assert "Items" not in text and "made up" in text


def test_ours_is_counted(tmp_path):
    table = overview(tmp_path, "1", text_embedding="Ours").set_index("detail")["TIP-I2V (Ours)"]
    assert table["No. of unique text prompts"] == table["No. of unique image prompts"] == "3"
    assert table["Time span"] == "Jan 2024 ~ Mar 2024" and table["Domain"] == "Image-to-Video"
    assert table["Embedding of text prompts"] == "Ours"
    row = overview(tmp_path, "2").iloc[-1].tolist()
    assert row == ["TIP-Eval (Ours)", "1", "2", "Real users", ""]
