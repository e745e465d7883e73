"""Release: where its rules find the files of the released data set."""

from scripts.curate.release.released_layout import (
    EMBEDDINGS,
    find_embeddings,
    find_picture_tars,
    find_tables,
    find_video_tars,
    splits_of,
)

RELEASE = config["release"]
RELEASE_SPLITS = splits_of(RELEASE)
RELEASED_VALUES = [name for name in RELEASED_ANNOTATIONS if name not in EMBEDDINGS]
RELEASED_EMBEDDINGS = [name for name in RELEASED_ANNOTATIONS if name in EMBEDDINGS]


def found(find, *arguments, **settings):
    """Return what a finder finds; its sentence is the last word if it finds nothing."""
    try:
        return find(RELEASE["folder"], *arguments, **settings)
    except UserError as error:
        raise WorkflowError(str(error)) from None


# Without the tables there is nothing to plan, so that their absence is said at once.
RELEASED_TABLES = {
    split: [str(table) for table in found(find_tables, split)] for split in RELEASE_SPLITS
}


def placed(name):
    """Return a released tar, and the table of its members."""
    return f"{RELEASE['folder']}/{name}.tar", f"results/release/members/{name}.parquet"


def picture_tars():
    """Return the released tars of pictures -> tar and members."""
    tars = {name: placed(name) for name in found(find_picture_tars, RELEASE_SPLITS)}
    if not tars and "parquet" not in RELEASE["pictures"]:
        raise WorkflowError(
            f"{RELEASE['folder']} holds no tar of image prompts, such as "
            "subset_image_prompt_tar/subset_image_prompt_1.tar; download them, or add parquet to "
            "release.pictures: the tables have small ones"
        )
    return tars


def unpacked_tables():
    """Return the released tables whose pictures are unpacked -> the tar of these, and members."""
    stems = [Path(table).stem for tables in RELEASED_TABLES.values() for table in tables]
    return {
        f"data/{stem}": tuple(
            f"results/release/pictures/{stem}.{form}" for form in ("tar", "parquet")
        )
        for stem in stems
    }


PICTURE_PLACES = {"tars": picture_tars, "parquet": unpacked_tables}
# All places of pictures -> tar and members, in order of preference.
PICTURE_ARCHIVES = {
    name: files for kind in RELEASE["pictures"] for name, files in PICTURE_PLACES[kind]().items()
}


def video_archives(generator):
    """Return the released tars of a generator's videos -> tar and members."""
    full = generator in SCRAPED and RELEASE["all_pika_videos"]
    name = SHEETS["generators"][generator]["released"]
    return {tar: placed(tar) for tar in found(find_video_tars, generator, name, full=full)}


def get_card(wildcards):
    """Return the data set's card, if it was downloaded as well."""
    card = Path(RELEASE["folder"], "README.md")
    return [str(card)] if card.is_file() else []


def get_table(wildcards):
    """Return the released table of the wildcard's name."""
    return f"{RELEASE['folder']}/data/{wildcards.table}.parquet"


def get_released_tar(wildcards):
    """Return the released tar of the wildcard's name."""
    return f"{RELEASE['folder']}/{wildcards.archive}.tar"


def get_kind(wildcards):
    """Return what the wildcard's tar holds."""
    return "video" if "_videos" in wildcards.archive else "picture"


def get_better_pictures(wildcards):
    """Return the members of all that goes before the wildcard's table: tars, or larger splits."""
    split = wildcards.table.partition("-")[0]
    members = []
    for name, (_, table) in PICTURE_ARCHIVES.items():
        stem = name.removeprefix("data/")
        if stem.partition("-")[0] == split:
            break
        members.append(table)
    return members


def get_picture_members(wildcards):
    """Return the members of all tars of pictures, in order of preference."""
    return [members for _, members in PICTURE_ARCHIVES.values()]


def get_picture_tars(wildcards):
    """Return the tars beside ``get_picture_members``."""
    return [tar for tar, _ in PICTURE_ARCHIVES.values()]


def get_video_members(wildcards):
    """Return the members of the tars of the wildcard's generator."""
    return [members for _, members in video_archives(wildcards.generator).values()]


def get_video_places(wildcards):
    """Return the tars beside ``get_video_members``."""
    return [tar for tar, _ in video_archives(wildcards.generator).values()]


def get_animated(wildcards):
    """Return the prompts of which there should be a video: the chosen ones, or all."""
    if wildcards.generator in SCRAPED and RELEASE["all_pika_videos"]:
        return ["results/chosen_prompts.parquet", *released_shards("prompts")]
    return ["results/chosen_prompts.parquet"]


def get_released_shards(wildcards):
    """Return the number of shards of the generator's videos."""
    return len(shards_of(wildcards.generator))


def get_embedding_tables(wildcards):
    """Return the released tables of an embedding."""
    return [str(path) for path in found(find_embeddings, wildcards.embedding, RELEASE_SPLITS)]


def released_shards(name):
    """Return the tables of a folder of results, one for each shard."""
    return expand("results/{name}/{shard}.parquet", name=name, shard=SHARDS)
