"""Tables from made-up tidy metrics: the paper's layout, rounding, and what is beside a number."""

import pytest

from scripts.analyse.paper_table import mean_of, percent, percent_one_decimal
from scripts.analyse.table_rows import tracer_rows
from scripts.commands.check import read_configuration
from scripts.common.code import ROOT
from scripts.common.configuration import read_sheets
from scripts.common.errors import UserError
from scripts.common.schemas.evaluate import EVALUATION_SUMMARY
from scripts.common.tables import read_frame, write_table
from tests.analyse.tidy_metrics import (
    BANNER,
    COLUMNS,
    FORMS,
    GENERATORS,
    build_table3,
    build_table4,
    build_table5,
    build_table7,
    entry,
    faces,
    paper_table,
    read,
    slug,
    write_detection,
    write_summary,
    write_tracing,
)


def build_all(folder, banner=""):
    """Build all tables from the paper's own numbers."""
    detection = write_detection(folder / "detection.parquet")
    tracing = write_tracing(folder / "tracing.parquet")
    summary = write_summary(folder / "summary.parquet")
    names = dict.fromkeys(
        row["detector"] for row in paper_table("3") if row["detector"] != "Blind Guess"
    )
    build_table3(
        detection,
        faces(folder, "table3"),
        generators=GENERATORS,
        detectors=[entry(slug(name), name) for name in names],
        banner=banner,
    )
    build_table4(
        detection,
        faces(folder, "table4"),
        generators=GENERATORS,
        videomae=entry("videomae_base", "VideoMAE"),
        banner=banner,
    )
    methods = [row for row in paper_table("5") if row["group"] != "Ours"]
    build_table5(
        tracing,
        faces(folder, "table5"),
        generators=GENERATORS,
        tracers=[entry(slug(row["method"]), row["method"], group=row["group"]) for row in methods],
        cosface=entry("vit_base"),
        banner=banner,
    )
    build_table7(
        summary,
        faces(folder, "table7"),
        generators=GENERATORS,
        dimensions=[entry(slug(row["dimension"]), row["dimension"]) for row in paper_table("7")],
        banner=banner,
    )


@pytest.mark.parametrize("number", ["3", "4", "5", "7"])
def test_the_paper_s_numbers_come_out_as_it_prints_them(tmp_path, number):
    """Rows, columns, grouping, order and rounding; averages to the last digit that is rounded."""
    build_all(tmp_path)
    ours, theirs = read(tmp_path / f"table{number}.csv"), paper_table(number)
    keys = [name for name in theirs[0] if name not in {*COLUMNS.values(), "Avg."}]
    assert list(ours.columns[: len(keys)]) == keys
    assert ours[keys].to_dict("records") == [{key: row[key] for key in keys} for row in theirs]
    for generator, column in COLUMNS.items():
        assert ours[generator].tolist() == [row[column] for row in theirs]
    if "Avg." in theirs[0]:
        # The paper's averages are of numbers that it had not rounded.
        difference = ours["average"].astype(float) - [float(row["Avg."]) for row in theirs]
        assert difference.abs().max() < 0.11


def test_each_number_says_on_how_many_items_it_stands(tmp_path):
    build_all(tmp_path)
    table3 = read(tmp_path / "table3.csv")
    guess = table3[table3["detector"] == "Blind Guess"]
    assert (guess["items_pika"] == "").all() and (guess["pika"] == "50.0").all()
    assert (table3.drop(guess.index)["items_svd"] == "2000").all()
    assert (read(tmp_path / "table5.csv")["items_cogvideox"] == "50000").all()
    assert "50,000" in (tmp_path / "table5.md").read_text()
    assert "1,010,000 references" in (tmp_path / "table5.html").read_text()


def test_every_face_has_the_banner_and_names_stand_ins(tmp_path):
    summary = write_summary(tmp_path / "summary.parquet")
    build_table7(
        summary,
        faces(tmp_path, "table7"),
        generators=[GENERATORS[0], entry("svd", "Sway & co", embedded=True)],
        dimensions=[entry("dover", "DOVER <b>", embedded=True), entry("dynamic_degree")],
        banner=BANNER,
    )
    csv, md, tex, html = (path.read_text() for path in faces(tmp_path, "table7"))
    assert csv.startswith(f"# {BANNER}\n")
    assert f"**{BANNER}**" in md
    assert rf"\textbf{{{BANNER.replace('%', chr(92) + '%')}}}" in tex
    assert f'<p class="banner">{BANNER}</p>' in html
    table = read(tmp_path / "table7.csv")
    assert table["embedded"].tolist() == ["true", "false"]
    assert table["entry"].tolist() == ["dover", "dynamic_degree"]
    for face in (md, tex, html):
        assert "dover (embedded)" in face
    assert "stand-ins: Sway &amp; co." in html and "stand-ins: Sway \\& co." in tex
    assert "DOVER &lt;b&gt;" in html and r"DOVER \<b\>" in md


def test_without_a_banner_there_is_none(tmp_path):
    build_all(tmp_path)
    assert not (tmp_path / "table3.csv").read_text().startswith("#")
    assert "banner" not in (tmp_path / "table3.html").read_text().split("</style>")[1]
    assert "Backend" not in (tmp_path / "table3.md").read_text()


def test_a_group_is_named_once_and_keeps_its_tracers_together(tmp_path):
    tracing = write_tracing(tmp_path / "tracing.parquet")
    build_table5(
        tracing,
        faces(tmp_path, "table5"),
        generators=GENERATORS,
        tracers=[
            entry("sscd", "SSCD", group="Copies"),
            entry("vit_b", "ViT-B", group="Supervised"),
            entry("bot", "BoT", group="Copies"),
            entry("clip", "CLIP"),
        ],
        cosface=entry("vit_tiny", embedded=True),
        banner="",
    )
    table = read(tmp_path / "table5.csv")
    assert table["method"].tolist() == [
        "SSCD", "BoT", "ViT-B", "CLIP", "Same Domain", "Cross Domain"
    ]  # fmt: skip
    assert table["embedded"].tolist() == ["false"] * 4 + ["true"] * 2
    for section in (tmp_path / "table5.md").read_text().split("\n\n"):
        assert section.count("Copies") == section.startswith("| ")


def test_of_several_trained_tracers_the_first_is_the_paper_s_and_others_are_named():
    trained = [entry("vit_base", "ViT", keys=["s", "c"]), entry("latent_map", "Map", keys=["ls", "lc"])]  # fmt: skip
    rows = tracer_rows([entry("sscd", "SSCD", group="Copies")], trained, GENERATORS)[1:]
    assert [row["label"] for row in rows] == [
        "Same Domain", "Cross Domain", "Same Domain (Map)", "Cross Domain (Map)"
    ]  # fmt: skip
    assert [(row["key"], row["entry"], row["group"]) for row in rows] == [
        ("s", "vit_base", "Ours"), ("c", "vit_base", "Ours"),
        ("ls", "latent_map", "Ours"), ("lc", "latent_map", "Ours"),
    ]  # fmt: skip
    assert [row["paper"] for row in rows] == ["Same Domain", "Cross Domain", "", ""]


def build_table5_as_the_paper(folder, tracers, generators=None, source="paper"):
    generators = generators or [entry(name, label, paper=label) for name, label in COLUMNS.items()]
    return build_table5(
        write_tracing(folder / "tracing.parquet"),
        faces(folder, "table5"),
        generators=generators,
        tracers=tracers,
        cosface=entry("vit_base"),
        banner="",
        paper=ROOT / "config" / "paper" / "table5.csv" if source == "paper" else None,
    )


def test_the_paper_s_number_and_the_difference_stand_beside_ours(tmp_path):
    # Our row of SSCD is measured as the paper's of BoT, so that there is a difference.
    tracers = [
        entry("bot", "SSCD", group="Copies", paper="SSCD"),
        entry("clip", "CLIP", embedded=True, paper="CLIP"),
        entry("mae", "New one"),
    ]
    build_table5_as_the_paper(tmp_path, tracers)
    table = read(tmp_path / "table5.csv").set_index("method")
    assert table.loc["SSCD", ["pika", "paper_pika", "difference_pika"]].tolist() == [
        "98.3", "98.5", "-0.2"
    ]  # fmt: skip
    assert table.loc["SSCD", ["average", "paper_average"]].tolist() == ["75.4", "77.5"]
    assert table.loc["Same Domain", "paper_svd"] == "97.0"
    assert (table.loc[["CLIP", "New one"], ["paper_pika", "difference_pika"]] == "").all(axis=None)
    assert "98.3 (98.5, −0.2)" in (tmp_path / "table5.md").read_text()
    assert "98.3 (98.5, $-$0.2)" in (tmp_path / "table5.tex").read_text()


def test_made_up_data_is_not_compared(tmp_path):
    build_table5_as_the_paper(tmp_path, [entry("sscd", "SSCD", paper="SSCD")], source="demo")
    assert not [name for name in read(tmp_path / "table5.csv") if name.startswith("paper_")]
    assert "In brackets" not in (tmp_path / "table5.md").read_text()


def test_an_average_of_other_generators_is_not_compared(tmp_path):
    generators = [entry("pika", "Pika", paper="Pika"), entry("svd", "New"), *GENERATORS[2:]]
    build_table5_as_the_paper(tmp_path, [entry("sscd", "SSCD", paper="SSCD")], generators)
    table = read(tmp_path / "table5.csv").set_index("method")
    names = ["paper_pika", "paper_svd", "paper_average", "difference_average"]
    assert table.loc["SSCD", names].tolist() == ["98.5", "", "", ""]


def test_what_cannot_be_had_is_a_row_with_the_reason(tmp_path):
    tracers = [
        entry("asl", "ASL", group="Copies", paper="ASL", unavailable="nobody published weights"),
        entry("bot", "BoT", group="Copies", paper="BoT"),
    ]
    counts = build_table5_as_the_paper(tmp_path, tracers)
    table = read(tmp_path / "table5.csv").set_index("method")
    assert table.loc["ASL", ["pika", "paper_pika", "items_pika", "references_pika"]].tolist() == [
        "", "43.3", "", ""
    ]  # fmt: skip
    assert dict(counts.rejected) == {"no_value": 5}
    for form in FORMS[1:]:
        text = (tmp_path / f"table5{form}").read_text()
        assert "ASL has no number of ours: nobody published weights." in text
    assert "| Copies | ASL | – (43.3) | – (31.4) |" in (tmp_path / "table5.md").read_text()


def build_table7_as_the_paper(folder, **settings):
    """Build Table 7 from the paper's own numbers; three of its dimensions cannot be had."""
    sheet = read_sheets(ROOT / "config")["dimensions"]
    for name in ("motion_smoothness", "imaging_quality", "dover"):
        sheet[name]["unavailable"] = f"its network ({sheet[name]['label']}) is in no package"
    names = read_configuration()["evaluate"]["dimensions"]
    columns = [entry(name, label, paper=label) for name, label in COLUMNS.items()]
    return build_table7(
        write_summary(folder / "summary.parquet"),
        faces(folder, "table7"),
        generators=columns,
        dimensions=[{**entry(name), **sheet[name]} for name in names],
        banner="",
        **settings,
    )


def test_table_7_has_all_ten_dimensions_of_the_paper(tmp_path):
    """Those that nobody can measure here stand there with the paper's numbers and the reason."""
    paper = ROOT / "config" / "paper" / "table7.csv"
    counts = build_table7_as_the_paper(tmp_path, paper=paper)
    table = read(tmp_path / "table7.csv")
    assert table["dimension"].tolist() == [row["dimension"] for row in paper_table("7")]
    absent = table.set_index("dimension").loc[["Motion Smoothness", "Imaging Quality", "DOVER"]]
    assert (absent[list(COLUMNS)] == "").all(axis=None)
    assert absent["paper_pika"].tolist() == ["0.995", "0.627", "0.713"]
    assert (absent["difference_pika"] == "").all()
    assert dict(counts.rejected) == {"no_value": 3 * len(COLUMNS)} and counts.kept == 7 * 5
    measured = table[~table["dimension"].isin(absent.index)]
    assert set(measured["difference_svd"]) == {"+0.000"}
    text = (tmp_path / "table7.md").read_text()
    assert "| DOVER | – (0.713) | – (0.607) |" in text and "In brackets" in text
    assert "DOVER has no number of ours: its network (DOVER) is in no package" in text


def test_table_7_says_which_mean_it_shows_and_has_the_other_below(tmp_path):
    build_table7_as_the_paper(tmp_path)
    row = read(tmp_path / "table7.csv").set_index("entry").loc["dynamic_degree"]
    assert (row["pika"], row["mean_by_frames_pika"]) == ("0.058", "0.158")
    text = (tmp_path / "table7.md").read_text()
    assert "Every video counts the same, in Figure 6 and the leaderboard, too" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3 * 12 - 2 * 3 and len({row.count("|") for row in rows}) == 1
    first, below = text.split("Mean weighed by frames, as VBench weighs on one GPU")
    assert "| Dynamic Degree | 0.058 |" in first and "| Dynamic Degree | 0.158 |" in below


def test_table_7_of_made_up_data_has_no_number_of_the_paper(tmp_path):
    build_table7_as_the_paper(tmp_path)
    assert "paper_pika" not in read(tmp_path / "table7.csv")
    text = (tmp_path / "table7.md").read_text()
    assert "| DOVER | – | – |" in text and "In brackets" not in text


def test_of_one_generator_there_is_no_other_domain(tmp_path):
    build_table5_as_the_paper(tmp_path, [entry("bot", "BoT", paper="BoT")], GENERATORS[:1])
    assert read(tmp_path / "table5.csv")["method"].tolist() == ["BoT", "Same Domain"]
    assert "There is no row Cross Domain" in (tmp_path / "table5.md").read_text()
    build_table4(
        write_detection(tmp_path / "detection.parquet"),
        faces(tmp_path, "table4"),
        generators=GENERATORS[:1],
        videomae=entry("videomae_base", "VideoMAE"),
        banner="",
    )
    settings = read(tmp_path / "table4.csv")["setting"].tolist()
    assert settings == ["Blind Guess", "Same Domain"] * 2
    assert "There is no row Cross Domain" in (tmp_path / "table4.md").read_text()


def test_intervals_and_recalls_stand_below_and_in_the_csv(tmp_path):
    build_table5_as_the_paper(tmp_path, [entry("bot", "BoT", paper="BoT")])
    row = read(tmp_path / "table5.csv").set_index("method").loc["BoT"]
    names = ["muAP_low_pika", "muAP_high_pika", "recall_at_1_pika", "recall_at_p90_pika"]
    assert row[names].tolist() == ["98.1", "98.6", "50.0", "25.0"]
    names = ["references_pika", "positives_pika", "rejected_pika"]
    assert row[names].tolist() == ["1010000", "10000", "3"]
    text = (tmp_path / "table5.md").read_text()
    for words in (
        "95 % interval of μAP",
        "98.1–98.6",
        "Recall at 1 (%)",
        "Recall at 90 % precision",
    ):
        assert words in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_a_number_that_is_undefined_is_a_dash_and_has_no_average(tmp_path):
    summary = write_summary(tmp_path / "summary.parquet", missing=("dover", "svd"))
    counts = build_table7(
        summary,
        faces(tmp_path, "table7"),
        generators=GENERATORS,
        dimensions=[entry("dover", "DOVER")],
        banner="",
    )
    assert read(tmp_path / "table7.csv")["svd"].tolist() == [""]
    assert "| DOVER | 0.713 | – |" in (tmp_path / "table7.md").read_text()
    assert (counts.kept, dict(counts.rejected)) == (4, {"no_value": 1})
    assert mean_of([0.5, None]) is None and mean_of([0.25, 0.75]) == 0.5


def test_a_number_that_was_never_measured_is_an_error(tmp_path):
    summary = write_summary(tmp_path / "summary.parquet")
    table = read_frame(summary)
    write_table(table[table["generator"] != "svd"], summary, EVALUATION_SUMMARY)
    with pytest.raises(
        UserError, match=r"summary.parquet has no mean(?:_low)? of 'dover' for 'svd'"
    ):
        build_table7(
            summary,
            faces(tmp_path, "table7"),
            generators=GENERATORS,
            dimensions=[entry("dover")],
            banner="",
        )


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0871, "8.71"),
        (0.0074, "0.74"),
        (0.09994, "9.99"),
        (0.09996, "10.0"),
        (0.1, "10.0"),
        (1, "100.0"),
        (0, "0.00"),
    ],
)
def test_percentages_below_ten_have_two_decimals(share, shown):
    assert percent(share) == shown


def test_percentages_of_tables_3_and_4_have_one_decimal():
    assert percent_one_decimal(1 / 3) == "33.3" and percent_one_decimal(0.0512) == "5.1"


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        build_all(tmp_path / folder, banner=BANNER)
    for number in "3457":
        for form in FORMS:
            name = f"table{number}{form}"
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
