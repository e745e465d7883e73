import pyarrow.parquet as pq
import pytest

from scripts.analyse.account_release import account_release
from scripts.common.errors import UserError
from scripts.common.schemas.analyse import ACCOUNT
from scripts.common.tables import read_table
from scripts.curate.choose_released import choose_released
from scripts.curate.index_images import index_images
from scripts.curate.index_videos import index_videos
from scripts.curate.list_members import list_members
from scripts.curate.read_release import read_release
from scripts.curate.released_layout import find_picture_tars, find_tables, find_video_tars
from tests.curate.small_release import (
    make_release,
    picture,
    prompt_id,
    video,
    write_card,
    write_tar,
)

SPLITS = ["Subset", "Eval"]


@pytest.fixture
def finished(tmp_path):
    """Run curate from a release with faults, without Snakemake; return the account's arguments."""
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

    rows, prompts = tmp_path / "rows.parquet", tmp_path / "prompts.parquet"
    rejects, splits = tmp_path / "rejects.parquet", tmp_path / "splits.parquet"
    tables = {split: find_tables(release, split) for split in SPLITS}
    read_release(tables, [rows], [prompts], splits, rejects)
    chosen, tip_eval = tmp_path / "chosen.parquet", tmp_path / "tip_eval.parquet"
    choose_released(splits, chosen, tip_eval, prompts=100, seed=1)
    pictures = placed(find_picture_tars(release, SPLITS), "picture")
    videos = placed(find_video_tars(release, "svd", "svd"), "video")
    images, clips = tmp_path / "images.parquet", tmp_path / "videos.parquet"
    for function, wanted, found, index, settings in (
        (index_images, rows, pictures, images, {}),
        (index_videos, [chosen], videos, clips, {"shard": "00000", "shards": 1}),
    ):
        tars, members = zip(*found.values(), strict=True)
        function(wanted, list(members), list(tars), index.with_suffix(".tar"), index, **settings)
    arguments = [[rows], rejects, release / "README.md", chosen, tmp_path / "account.parquet"]
    settings = {
        "splits": SPLITS,
        "pictures": pictures,
        "image_indexes": [images],
        "videos": {"svd": videos},
        "video_indexes": {"svd": [clips]},
    }
    return arguments, settings


def account(arguments, settings):
    """Return the account as (step, part) -> (read, kept, reasons)."""
    account_release(*arguments, **settings)
    steps = {}
    for row in read_table(arguments[-1], ACCOUNT).to_pylist():
        key = row["step"], row["part"].rpartition("/")[2]
        step = steps.setdefault(key, (row["read"], row["kept"], {}))
        if row["reason"]:
            step[2][row["reason"]] = row["count"]
        assert row["read"] == row["kept"] + row["rejected"]
    return steps


def test_every_row_file_and_prompt_is_accounted_for(finished):
    steps = account(*finished)
    assert steps["read_release", "Subset"] == (8, 8, {})
    assert steps["read_release", "Eval"] == (4, 2, {"in_another_split": 2})
    assert steps["list_members", "eval_image_prompt"] == (5, 4, {"undecodable": 1})
    assert steps["match_members", "eval_image_prompt"] == (4, 1, {"other_copy": 2, "not_wanted": 1})
    assert steps["index_images", ""] == (10, 9, {"undecodable": 1})
    assert steps["match_members", "svd_videos_subset"] == (8, 8, {})
    assert steps["match_members", "svd_videos_eval"] == (1, 1, {})
    assert steps["index_videos", "svd"] == (10, 9, {"no_member": 1})


def test_rows_that_only_the_card_has_are_accounted_for(finished):
    card = finished[0][2]
    card.write_text(card.read_text().replace("num_examples: 8", "num_examples: 11"))
    assert account(*finished)["read_release", "Subset"] == (11, 8, {"not_in_the_files": 3})


def test_a_prompt_that_an_index_lost_is_found_out(finished):
    index = finished[1]["image_indexes"][0]
    pq.write_table(read_table(index).slice(0, 9), index)
    with pytest.raises(UserError, match="index_images: 1 images came in and are neither kept"):
        account(*finished)
