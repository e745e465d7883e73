import pytest

from scripts.common.errors import UserError
from scripts.curate.release.released_layout import (
    find_embeddings,
    find_picture_tars,
    find_tables,
    find_video_tars,
    released_files,
    splits_of,
    stated_rows,
)
from tests.curate.release.small_release import make_release, write_tar


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("TIP-I2V"))


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_the_tables_of_a_split_come_in_order(release):
    names = [table.name for table in find_tables(release, "Full")]
    assert names == ["Full-00000-of-00002.parquet", "Full-00001-of-00002.parquet"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], r"holds no Full-00000-of-NNNNN.parquet; get it with: hf download WenhaoWang/TIP-I2V "
             r"--repo-type dataset --include 'data/Full-\*' --local-dir"),
        (["data/Full-00000-of-00003.parquet", "data/Full-00002-of-00003.parquet"],
         "Full-00001-of-00003.parquet is missing; get it with"),
        (["data/Full-00000-of-00001.parquet", "data/Full-00000-of-00002.parquet"],
         r"several uploads of Full \(of-00001, of-00002\)"),
    ],
)  # fmt: skip
def test_what_is_missing_of_a_split_is_named(tmp_path, files, sentence):
    touch(tmp_path, *files)
    with pytest.raises(UserError, match=sentence):
        find_tables(tmp_path, "Full")


def test_pictures_lie_where_they_really_do_and_where_the_documentation_says(tmp_path):
    touch(tmp_path, *(f"image_prompt_tar/image_prompt_{n}.tar" for n in (10, 2, 1)))
    touch(tmp_path, "subset_image_prompt_tar/subset_image_prompt_2.tar")
    touch(tmp_path, "sub_image_prompt_tar/sub_image_prompt_1.tar")
    touch(tmp_path, "eval_image_prompt_tar/eval_image_prompt.tar", "image_prompt_tar/._x.tar")
    assert find_picture_tars(tmp_path, ["Full", "Subset", "Eval"]) == [
        "image_prompt_tar/image_prompt_1",
        "image_prompt_tar/image_prompt_2",
        "image_prompt_tar/image_prompt_10",
        "subset_image_prompt_tar/subset_image_prompt_2",
        "sub_image_prompt_tar/sub_image_prompt_1",
        "eval_image_prompt_tar/eval_image_prompt",
    ]
    assert find_picture_tars(tmp_path, ["Eval"]) == ["eval_image_prompt_tar/eval_image_prompt"]


def test_the_videos_of_a_generator_are_told_from_the_others(release):
    assert find_video_tars(release, "cogvideox", "cog") == [
        "subset_videos_tar/cog_videos_subset", "eval_videos_tar/cog_videos_eval"
    ]  # fmt: skip
    assert len(find_video_tars(release, "pika", "pika")) == 3


def test_a_generator_without_videos_is_named_with_the_command(release, tmp_path):
    with pytest.raises(UserError, match=r"subset_videos_tar/sora_videos\*.tar, the videos of 'a'"):
        find_video_tars(release, "a", "sora")
    with pytest.raises(UserError, match=r"--include 'pika_videos_tar/pika_videos\*'"):
        find_video_tars(release, "pika", "pika", full=True)
    write_tar(tmp_path / "subset_videos_tar/svd_videos_subset.tar", {"x": b""})
    with pytest.raises(UserError, match="eval_videos_tar/svd_videos"):
        find_video_tars(tmp_path, "svd", "svd")


def test_the_largest_split_decides_which_embedding_is_needed(release, tmp_path):
    splits = splits_of({"full": True, "subset": True})
    names = [path.name for path in find_embeddings(release, "text_embedding", splits)]
    assert names == [f"{split}_Text_Embedding.parquet" for split in splits]
    touch(tmp_path, "Embedding/Full_Image_Embedding.parquet")
    assert len(find_embeddings(tmp_path, "image_embedding", splits)) == 1
    with pytest.raises(UserError, match=r"Subset_Image_.*missing.*take image_embedding off"):
        find_embeddings(tmp_path, "image_embedding", splits_of({"full": False, "subset": True}))


def test_the_card_states_how_many_rows_there_are(release, tmp_path):
    assert stated_rows(release / "README.md") == {"Full": 12, "Subset": 8, "Eval": 4}
    card = tmp_path / "README.md"
    for text in ("", "# no head", "---\nlicense: x\n---\n", "---\n: [\n---\n", "---\n- 1\n---\n"):
        card.write_text(text)
        assert stated_rows(card) == {}
    assert stated_rows(tmp_path / "none.md") == {}


def test_the_released_eval_alone_is_enough_to_ask_for():
    release = {"full": False, "subset": False, "pictures": ["tars"], "all_pika_videos": False}
    assert splits_of(release) == ["Eval"]
    files = released_files(release, {"pika": "pika", "cogvideox": "cog"}, ["image_embedding"])
    assert files == [
        "README.md", "data/Eval-*", "Embedding/Eval_Image_Embedding.parquet",
        "eval_image_prompt_tar/*", "eval_videos_tar/pika_videos*", "eval_videos_tar/cog_videos*",
    ]  # fmt: skip
    everything = {"full": True, "subset": True, "pictures": ["parquet"], "all_pika_videos": True}
    files = released_files(everything, {"pika": "pika"}, [])
    assert files[1:] == [
        "data/Full-*", "data/Subset-*", "data/Eval-*",
        "subset_videos_tar/pika_videos*", "eval_videos_tar/pika_videos*", "pika_videos_tar/pika_videos*",
    ]  # fmt: skip
