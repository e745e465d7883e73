"""One's own videos: scored from a folder, beside the paper's numbers and this run's generators."""

import csv
import sys

import av
import open_clip
import pandas as pd
import pyarrow as pa
import pytest
import torch

from scripts.analyse.shown_entries import all_shown
from scripts.commands import evaluate_videos
from scripts.common.schemas.evaluate import SCORES
from scripts.common.tables import read_frame, table_schema, write_table
from scripts.common.video import encode_video
from tests.evaluate.moving_pictures import pan, texture
from tests.evaluate.test_paper_dimensions import TINY_CLIP

EMBEDDED = ["motion_smoothness_embedded", "dynamic_degree_embedded"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three videos, one of which is none, and a working directory beside it."""
    monkeypatch.chdir(tmp_path)
    videos = tmp_path / "my videos"
    videos.mkdir()
    for number, step in enumerate((0, 8)):
        frames = pan(8, step, height=64, width=96)
        (videos / f"{number}.mp4").write_bytes(encode_video(list(frames), 8.0))
    (videos / "broken.MP4").write_bytes(b"no video")
    (videos / "notes.txt").write_text("not scored")
    return videos


def evaluate(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["evaluate_videos", *map(str, arguments)])
    return evaluate_videos.main()


def write_prompts(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_folder_is_scored(folder, monkeypatch, capsys):
    assert evaluate(monkeypatch, folder, "--name", "mine", "--dimensions", *EMBEDDED) == 0
    assert "read 6 = kept 4 + rejected 2 (undecodable 2)" in capsys.readouterr().out
    made = folder.parent / "results/own/mine"
    scores = read_frame([made / "scores.parquet"], SCORES)
    moves = scores[scores["metric"] == "dynamic_degree_embedded"].set_index("item")
    assert moves.loc[["0", "1"], "value"].tolist() == [0.0, 1.0]
    assert moves["reason"].fillna("").tolist() == ["", "", "undecodable"]
    assert moves["frames"].tolist()[:2] == [8, 8]
    text = (made / "means.md").read_text()
    # A stand-in has none of the paper's numbers beside it.
    assert "| Dynamic Degree (Lucas-Kanade flow) | 0.500 | 2 |" in text and "(paper)" not in text
    assert "Every video counts the same" in text
    assert "**Own videos.**" in text and (made / "means.html").exists()
    assert not (made / "leaderboard.csv").exists()  # no generator was scored here


def test_a_second_run_scores_only_what_is_new(folder, monkeypatch):
    evaluate(monkeypatch, folder, "--name", "mine", "--dimensions", EMBEDDED[0])
    calls = []
    real = evaluate_videos.read_frames
    monkeypatch.setattr(evaluate_videos, "read_frames", lambda p: calls.append(p.name) or real(p))
    (folder / "2.mp4").write_bytes((folder / "1.mp4").read_bytes())
    evaluate(monkeypatch, folder, "--name", "mine", "--dimensions", EMBEDDED[0])
    assert calls == ["2.mp4"]


def test_the_papers_numbers_stand_beside_ones_own(folder, monkeypatch):
    # Flickering has no place in the paper; smoothness' own name has.
    study = evaluate_videos.study_of(evaluate_videos.read_configuration())
    path = folder.parent / "summary.parquet"
    from scripts.common.schemas.evaluate import EVALUATION_SUMMARY

    write_table(
        [{"dimension": "dover", "generator": "mine", "metric": metric, "value": value, "items": 3,
          "rejected": 0, "remarked": 0} for metric, value in (("mean", 0.5), ("mean_by_frames", 0.9))],
        path, EVALUATION_SUMMARY,
    )  # fmt: skip
    columns = [evaluate_videos._column("mine", "mine")]
    rows = all_shown(study, "dimensions", ["dover"])
    table = evaluate_videos.means_table(columns, path, rows)
    assert table.rows[0].values == [0.5, 0.713, 0.607, 0.460, 0.478, 0.652]
    assert [each["label"] for each in table.generators][:2] == ["mine", "Pika (paper)"]


def test_prompts_come_from_a_sheet(folder, monkeypatch, capsys):
    (folder.parent / "a.png").write_bytes(_png())
    rows = [{"video": "0.mp4", "prompt": "still", "image": "a.png"},
            {"video": "1.mp4", "prompt": "pan", "image": "a.png"},
            {"video": "broken.MP4", "prompt": "x", "image": "a.png"},
            {"video": "gone.mp4", "prompt": "x", "image": "a.png"}]  # fmt: skip
    prompts = write_prompts(folder.parent / "prompts.csv", rows)
    name = "video_image_alignment_embedded"
    assert evaluate(monkeypatch, folder, "--prompts", prompts, "--dimensions", name) == 0
    scores = read_frame([folder.parent / "results/own/my videos/scores.parquet"], SCORES)
    assert scores.set_index("item")["reason"].fillna("").to_dict() == {
        "0.mp4": "", "1.mp4": "", "broken.MP4": "undecodable", "gone.mp4": "no_video",
    }  # fmt: skip
    # Without its image a video cannot be compared: not with its own first frame either.
    write_prompts(prompts, [row | {"image": ""} for row in rows])
    assert evaluate(monkeypatch, folder, "--prompts", prompts, "--dimensions", name) == 1
    assert (
        "compares with the image of each video; name them in the column image"
        in capsys.readouterr().err
    )


def _png():
    from scripts.common.pictures import encode_png

    return encode_png(texture(64, 96))


def test_uuids_join_the_leaderboard(folder, monkeypatch):
    rows = [
        {"generator": "pika", "item": item, "metric": EMBEDDED[1], "value": value, "frames": 8,
         "status": "ok", "reason": None, "remark": None}
        for item, value in (("0", 1.0), ("1", 0.0), ("elsewhere", 1.0))
    ]  # fmt: skip
    (folder.parent / "results/evaluation/pika").mkdir(parents=True)
    write_table(rows, folder.parent / "results/evaluation/pika/00000.parquet", SCORES)
    assert evaluate(monkeypatch, folder, "--name", "mine", "--dimensions", EMBEDDED[1]) == 0
    made = folder.parent / "results/own/mine"
    table = pd.read_csv(made / "leaderboard.csv", comment="#")
    assert table.loc[0, ["pika", "mine", "items_pika", "items_mine"]].tolist() == [0.5, 0.5, 2, 2]
    # Table 7 has all of a generator's videos, the leaderboard only prompts that all animate.
    table = pd.read_csv(made / "means.csv", comment="#")
    assert table.loc[0, ["mine", "pika", "items_mine", "items_pika"]].tolist() == [0.5, 0.667, 2, 3]
    page = (made / "report.html").read_text()
    assert page.count("<table>") == 4
    assert "data:image/png" not in page  # two dimensions are no radar


def test_the_page_is_one_file_with_everything_in_it(folder, monkeypatch):
    dimensions = [*EMBEDDED, "temporal_flickering"]
    rows = [
        {"generator": "pika", "item": item, "metric": metric, "value": 0.25, "frames": 8,
         "status": "ok", "reason": None, "remark": None}
        for item in ("0", "1") for metric in dimensions
    ]  # fmt: skip
    (folder.parent / "results/evaluation/pika").mkdir(parents=True)
    write_table(rows, folder.parent / "results/evaluation/pika/00000.parquet", SCORES)
    name = "<script>alert(1)</script>"
    (folder / f"{name.replace('/', '_')}.mp4").write_bytes((folder / "1.mp4").read_bytes())
    evaluate(monkeypatch, folder, "--name", "a & b", "--dimensions", *dimensions)
    page = (folder.parent / "results/own/a & b/report.html").read_text()
    assert "Videos of a &amp; b" in page and "<script" not in page and "&lt;script" in page
    assert "default-src 'none'" in page and page.count("data:image/png;base64,") == 1
    assert "1: the file cannot be decoded as a video or picture" in page
    assert "<td class=name>broken</td><td>–</td><td>undecodable</td>" in page


def odd_video(path, frames, height, width):
    """Write a video whose sides may be odd."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for frame in pan(frames, 3, height=height, width=width):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_odd_videos_have_reasons_and_means_say_how_many_they_stand_on(tmp_path, monkeypatch):
    videos = tmp_path / "odd"
    videos.mkdir()
    for name, frames, size in (
        ("one", 1, (48, 64)), ("two", 2, (48, 64)), ("odd", 9, (47, 63)), ("whole", 9, (48, 64)),
        ("long", 900, (48, 64)), ("alone", 9, (48, 64)),
    ):  # fmt: skip
        odd_video(videos / f"{name}.mp4", frames, *size)
    (videos / "broken.mp4").write_bytes(b"no video")
    (videos / "empty.mp4").write_bytes(b"")
    (tmp_path / "image.png").write_bytes(_png())
    known = {"prompt": "a lake", "image": str(tmp_path / "image.png")}
    prompts = {path.name: dict(known) for path in videos.iterdir()}
    prompts["whole.mp4"]["prompt"] = "a very long prompt " * 30
    prompts["alone.mp4"]["image"] = str(tmp_path / "gone.png")
    torch.manual_seed(0)
    torch.save(open_clip.CLIP(**TINY_CLIP).state_dict(), tmp_path / "clip.pth")
    sheet = evaluate_videos.study_of(evaluate_videos.read_configuration()).sheets["dimensions"]
    entries = {name: sheet[name] for name in
               ("temporal_flickering", "motion_smoothness_embedded", "dynamic_degree_embedded")}  # fmt: skip
    entries["text"] = {
        "backend": "scripts.evaluate.aigcbench_clip:VideoTextAlignment",
        "weights": {"path": str(tmp_path / "clip.pth")}, "settings": {"architecture": TINY_CLIP},
    }  # fmt: skip
    own = evaluate_videos.OwnVideos(videos, prompts, "odd", max_decoded_mb=3)
    scores, summary = tmp_path / "scores.parquet", tmp_path / "summary.parquet"
    evaluate_videos.score_videos(own, scores, entries=entries, ledger_root=tmp_path / "ledger")
    table = read_frame([scores], SCORES)
    absent = {"long.mp4": "too_large", "alone.mp4": "no_image", "broken.mp4": "undecodable",
              "empty.mp4": "empty_file"}  # fmt: skip
    one = {"one.mp4": "too_few_frames"}
    few = {"temporal_flickering": one, "motion_smoothness_embedded": one | {"two.mp4": "too_few_frames"},
           "dynamic_degree_embedded": one, "text": {}}  # fmt: skip
    for metric, rows in table.groupby("metric"):
        reasons = rows.set_index("item")["reason"].dropna().to_dict()
        assert reasons == absent | few[metric], metric
    assert table[table["item"] == "odd.mp4"]["value"].between(-1, 1).all()
    assert table.dropna(subset="remark")[["item", "remark"]].to_numpy().tolist() == [
        ["whole.mp4", "prompt_truncated"]
    ]
    evaluate_videos.summarise_evaluation(
        [scores], summary, dimensions=list(entries), generators=["odd"]
    )
    means = read_frame([summary]).query("metric == 'mean'").set_index("dimension")
    assert means["items"].to_dict() == {name: 4 - len(few[name]) for name in entries}
    assert means["rejected"].to_dict() == {name: 4 + len(few[name]) for name in entries}
    assert means["remarked"].to_dict() == dict.fromkeys(entries, 0) | {"text": 1}


def test_a_sheet_maps_any_file_names_to_the_leaderboards_prompts(folder, monkeypatch, capsys):
    uuids = {"0.mp4": "11111111-0000-5000-8000-000000000000",
             "1.mp4": "22222222-0000-5000-8000-000000000000"}  # fmt: skip
    rows = [
        {"generator": "pika", "item": uuid, "metric": EMBEDDED[1], "value": 1.0, "frames": 8,
         "status": "ok", "reason": None, "remark": None}
        for uuid in uuids.values()
    ]  # fmt: skip
    (folder.parent / "results/evaluation/pika").mkdir(parents=True)
    write_table(rows, folder.parent / "results/evaluation/pika/00000.parquet", SCORES)
    columns = [pa.field(name, pa.string()) for name in ("uuid", "prompt")]
    split = folder.parent / "results/splits/tip_eval/prompts.parquet"
    texts = [{"uuid": uuid, "prompt": "camera pans right"} for uuid in uuids.values()]
    write_table(texts, split, table_schema("tip_eval", "", *columns))
    (folder / "broken.MP4").unlink()
    sheet = [{"video": name, "uuid": uuid} for name, uuid in uuids.items()]
    prompts = write_prompts(folder.parent / "p.csv", sheet)
    wanted = [EMBEDDED[1], "camera_motion_embedded"]  # the latter needs the prompts of TIP-Eval
    assert evaluate(monkeypatch, folder, "--prompts", prompts, "--dimensions", *wanted) == 0
    made = folder.parent / "results/own/my videos"
    board = pd.read_csv(made / "leaderboard.csv", comment="#").set_index("entry").loc[EMBEDDED[1]]
    assert board[["my videos", "pika", "items_pika"]].tolist() == [0.5, 1.0, 2]
    means = pd.read_csv(made / "means.csv", comment="#").set_index("entry")
    assert means.loc["camera_motion_embedded", "my videos"] == 0.5
    write_prompts(prompts, [sheet[0], sheet[1] | {"uuid": sheet[0]["uuid"]}])
    assert evaluate(monkeypatch, folder, "--prompts", prompts) == 1
    assert "names 11111111-0000-5000-8000-000000000000 twice" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, sentence", [
    (["nowhere"], "nowhere is no folder"),
    (["my videos", "--prompts", "gone.csv"], "gone.csv is missing"),
    (["empty"], "has no video"),
    (["my videos", "--dimensions", "beauty"], "beauty"),
])  # fmt: skip
def test_faults_are_sentences(folder, monkeypatch, capsys, arguments, sentence):
    (folder.parent / "empty").mkdir()
    assert evaluate(monkeypatch, *arguments) == 1
    assert sentence in capsys.readouterr().err


def test_a_sheet_without_names_is_refused(folder, monkeypatch, capsys):
    prompts = write_prompts(folder.parent / "p.csv", [{"file": "0.mp4", "prompt": "x"}])
    assert evaluate(monkeypatch, folder, "--prompts", prompts) == 1
    assert "has no column video; it has file, prompt" in capsys.readouterr().err
