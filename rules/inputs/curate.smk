"""Curate: where its rules find their inputs, settings and code."""

import re

from snakemake.exceptions import WorkflowError

from scripts.curate.export_files import find_exports

EXPORT_FILES = find_exports(config["curate"]["exports"], made_up=config["source"] == "demo")

# Files at hand need no more; of downloads, several are proved while others come.
DECODERS = 4 if config["curate"]["links"]["fetch"] else 1


def scraped_generator():
    """Return the generator whose videos the exports hold; image prompts are cut out of them.

    That is so also where the configuration does not compare it with others.
    """
    known = [name for name, entry in SHEETS["generators"].items() if entry.get("scraped")]
    found = SCRAPED or known
    if len(found) != 1:
        raise WorkflowError(
            f"generate.generators: of the scraped generators ({', '.join(known) or 'none'}) name "
            "exactly one, the one whose bot is named in curate.bot_names"
        )
    return found[0]


SCRAPED_GENERATOR = scraped_generator()


def get_export_file(wildcards):
    """Return the HTML file of an export."""
    return EXPORT_FILES[wildcards.export]


def get_all_messages(wildcards):
    """Return the messages of every export; there must be one."""
    if not EXPORT_FILES:
        raise WorkflowError(
            f"curate.exports: the folder {config['curate']['exports']} holds no .html file; put "
            "DiscordChatExporter exports there, or name another folder in the configuration"
        )
    return expand("results/messages/{export}.parquet", export=EXPORT_FILES)


def get_media_lists(wildcards):
    """Return the checksums of the media, which only the made-up channel has."""
    return ["results/sources/exports/media.sha256"] if config["source"] == "demo" else []


def get_fresh_links_table(wildcards):
    """Return the table of fresh links, if the configuration names one."""
    table = config["curate"]["links"]["fresh_table"]
    return [table] if table else []


def get_made_up_key(wildcards):
    """Return a key for the users of the made-up channel, who need no secrecy; else none."""
    return "made-up users" if config["source"] == "demo" else ""
