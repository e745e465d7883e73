"""Curate: where its rules find their inputs, settings and code."""

import re

from snakemake.exceptions import WorkflowError

from scripts.curate.export_files import find_exports

EXPORT_FILES = find_exports(config["curate"]["exports"], made_up=config["source"] == "demo")


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


def get_made_up_key(wildcards):
    """Return a key for the users of the made-up channel, who need no secrecy; else none."""
    return "made-up users" if config["source"] == "demo" else ""
