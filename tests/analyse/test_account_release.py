from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.analyse.account_stage import account_stage
from scripts.analyse.declaration import files_of
from scripts.analyse.declared_steps import release_steps
from scripts.common.errors import UserError
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.study import Study
from scripts.common.tables import read_table
from scripts.curate.release.choose_released import choose_released
from scripts.curate.release.index_released import index_released
from scripts.curate.release.list_members import list_members
from scripts.curate.release.read_release import read_release
from scripts.curate.release.released_layout import find_picture_tars, find_tables, find_video_tars
from tests.curate.release.small_release import (
    make_release,
    picture,
    prompt_id,
    video,
    write_card,
    write_tar,
)

SPLITS = ["Subset", "Eval"]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Run curate from a release with faults, without Snakemake; return its declared steps."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    release = make_release(tmp_path / "TIP-I2V", full=False)
    write_card(release)
    stranger = {f"{prompt_id(99)}.png": picture(99)}
    damaged = {f"{prompt_id(9)}.png": b"no picture"}
    eval_images = {f"{prompt_id(number)}.png": picture(number) for number in (6, 7, 8)}
    write_tar(
        release / "eval_image_prompt_tar/eval_image_prompt.tar", eval_images | damaged | stranger
    )
    write_tar(release / "eval_videos_tar/svd_videos_eval.tar", {f"{prompt_id(8)}.mp4": video(8)})

    def placed(names, kind):
        found = {}
        for name in names:
            tar, members = release / f"{name}.tar", tmp_path / f"members/{name}.parquet"
            list_members(tar, members, kind=kind, decode=False, ledger_root=tmp_path / "ledger")
            found[name] = (str(tar), str(members))
        return found

    rows, prompts = results / "released/rows/00000.parquet", results / "prompts/00000.parquet"
    rejects, splits = results / "rejects/release.parquet", results / "released/splits.parquet"
    tables = {split: find_tables(release, split) for split in SPLITS}
    read_release(tables, [rows], [prompts], splits, rejects)
    chosen, tip_eval = results / "chosen_prompts.parquet", results / "tip_eval.parquet"
    choose_released(splits, chosen, tip_eval, prompts=100, subjects=1000, seed=1)
    pictures = placed(find_picture_tars(release, SPLITS), "picture")
    videos = placed(find_video_tars(release, "svd", "svd"), "video")
    images, clips = results / "images/00000.parquet", results / "videos/svd/00000.parquet"
    for wanted, found, index in ((prompts, pictures, images), (chosen, videos, clips)):
        tars, members = zip(*found.values(), strict=True)
        index_released(
            [wanted], list(members), list(tars), index.with_suffix(".tar"), index,
            shard="00000", shards=1,
        )  # fmt: skip
    config = {"curate": {"shards": 1}, "generate": {"generators": ["svd"], "shards": 1}}
    study = Study(config | {"source": "release"}, {"generators": {"svd": {"released": "svd"}}})
    card = str(release / "README.md")
    return release_steps(study, SPLITS, card, pictures, {"svd": videos}, [])


def account(declared):
    """Return the account as (step, part) -> (read, kept, reasons)."""
    account_stage(Path("account.parquet"), stage="curate", steps=declared)
    steps = {}
    for row in read_table("account.parquet", ACCOUNT).to_pylist():
        key = row["step"], row["part"].rpartition("/")[2]
        step = steps.setdefault(key, (row["read"], row["kept"], {}))
        if row["reason"]:
            step[2][row["reason"]] = row["count"]
        assert row["read"] == row["kept"] + row["rejected"]
    return steps


def test_every_row_file_and_prompt_is_accounted_for(finished):
    steps = account(finished)
    assert steps["read_release", "Subset"] == (8, 8, {})
    assert steps["read_release", "Eval"] == (4, 2, {"in_another_split": 2})
    assert steps["list_members", "eval_image_prompt"] == (5, 4, {"undecodable": 1})
    assert steps["match_members", "eval_image_prompt"] == (4, 1, {"other_copy": 2, "not_wanted": 1})
    assert steps["index_images", ""] == (10, 9, {"undecodable": 1})
    assert steps["match_members", "svd_videos_subset"] == (8, 8, {})
    assert steps["match_members", "svd_videos_eval"] == (1, 1, {})
    assert steps["index_videos", "svd"] == (10, 9, {"no_member": 1})


def test_rows_that_only_the_card_has_are_accounted_for(finished):
    card = Path("TIP-I2V/README.md")
    card.write_text(card.read_text().replace("num_examples: 8", "num_examples: 11"))
    assert account(finished)["read_release", "Subset"] == (11, 8, {"not_in_the_files": 3})


def test_a_prompt_that_an_index_lost_is_found_out(finished):
    index = Path("results/images/00000.parquet")
    pq.write_table(read_table(index).slice(0, 9), index)
    with pytest.raises(UserError, match="index_images: 1 images came in and are neither kept"):
        account(finished)


@pytest.mark.parametrize(("all_prompts", "rows"), [([], "chosen_prompts"), (["svd"], "rows/00000")])
def test_of_a_generator_with_all_videos_all_prompts_are_wanted(all_prompts, rows):
    study = Study(
        {
            "source": "release",
            "curate": {"shards": 1},
            "generate": {"shards": 1, "generators": ["svd"]},
        },
        {"generators": {"svd": {"released": "svd"}}},
    )
    steps = release_steps(study, [], None, {}, {"svd": {"a": ["a.tar", "a.parquet"]}}, all_prompts)
    [indexed] = [step for step in steps if step["rule"] == "index_videos"]
    assert indexed["read"]["files"] == [next(f for f in files_of(steps) if rows in f)]
    [matched] = [step for step in steps if step["rule"] == "match_members"]
    assert any(rows in file for file in files_of([matched]))
