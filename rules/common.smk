"""What all rules share: the checked configuration, the sheets, the shards, and where things lie."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from scripts.analyse.closing import jobs_done, last_words
from scripts.analyse.declared_steps import curate_steps, release_steps
from scripts.analyse.registry import FORMS, RESULTS, SMALL
from scripts.common.backends import check_entry
from scripts.common.code import code_checksum
from scripts.common.errors import UserError
from scripts.common.resources import more
from scripts.common.storage import show_names
from scripts.common.study import Study
from scripts.curate.release.released_layout import released_annotations
from scripts.curate.removal_list import read_removals

try:
    if workflow.storage_settings.default_storage_provider and workflow.is_main_process:
        storage_prefix = workflow.storage_settings.default_storage_prefix
        show_names(workflow.storage_registry.default_storage_provider, storage_prefix)
    released = released_annotations(config) if config["source"] == "release" else []
    study = Study.of(config, released)
except UserError as error:
    raise WorkflowError(str(error)) from None

# Of rules for which trainings wait, and of these: they come before what no one waits for so long.
TRAINED_ON = 10

# An input that is never newer: 'make remove' takes out of all results what the list names, and an
# edit of it has nothing made again.
REMOVALS = local(os.path.relpath(Path(workflow.basedir) / "config/removals.txt"))


wildcard_constraints:
    shard=r"\d{5}",
    generator="|".join(study.generators),
    setting="same_domain|cross_domain",


def code_of(script, *backends):
    """Return what gives the checksum of a script's code, as a parameter of the jobs planned."""

    def get_code(wildcards):
        return code_checksum(script, *backends)

    return get_code


def by_index(files):
    """Return inputs of which no tar is ever newer: the index beside it, an input as well, judges.

    An index has the checksum of each member, so that a tar of 20 GB need not be looked at. A file
    of the workflow's own, which no bucket has, stays where it is.

    Args:
        files: a path, several, or such by name; or an input function that returns them.
    """
    if callable(files):

        def get_files(wildcards):
            return by_index(files(wildcards))

        return get_files
    if isinstance(files, dict):
        return {name: by_index(each) for name, each in files.items()}
    if isinstance(files, str):
        files = local(files) if files.startswith(os.pardir) else files
        return ancient(files) if files.endswith(".tar") else files
    return [by_index(each) for each in files]


def stopping(get):
    """Return an input function that stops with the sentence of a UserError as the last word."""

    def get_or_stop(wildcards):
        try:
            return get(wildcards)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return get_or_stop


def entries_of(value):
    """Return the sheets' entries of which a rule's parameter is the deciding part."""
    return {
        f"config/{sheet}.yaml: {name}": entry
        for sheet, entries in study.sheets.items()
        for name, entry in entries.items()
        if all(entry.get(key) == value.get(key) for key in ("backend", "weights", "settings"))
    }


def refuse_missing_weights(jobs):
    """Stop before anything runs if a planned job's model lacks weights, a file or a key.

    Only what the targets need is looked at; ``make check`` looks at the whole configuration.
    """
    entries = {}
    for job in jobs:
        for value in job.params:
            for one in [value, *value.values()] if isinstance(value, dict) else []:
                if isinstance(one, dict) and "backend" in one:
                    entries |= entries_of(one)
    faults = [fault for name, entry in entries.items() for fault in check_entry(name, entry)]
    if faults:
        raise WorkflowError("Nothing was run, for this is missing:\n" + "\n".join(faults))


def wait_for_jobs_alone():
    """Let Snakemake look for work when a job ends, and at no other time.

    It looks once more a second after each look as well, and each of these has a successor: after a
    thousand jobs a thousand looks a second. That serves its limit of 100 new jobs a second, which
    nothing here comes near to. A limit of one's own (--max-jobs-per-timespan) stays.
    """
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def recall_removals():
    """Say so if the results still hold prompts that the removal list names."""
    try:
        removals = read_removals(REMOVALS)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if removals:
        from scripts.commands.removal import still_there  # pyarrow takes a second to start

        if number := still_there(Path("results"), removals):
            logger.warning(
                f"{number} prompts of config/removals.txt are still among the results: run "
                "'make remove' once this run is over"
            )


def tell_what_came_of_it():
    """Print what the jobs of this run kept of what they read; quiet where none was done."""
    lines, warnings = last_words(jobs_done(workflow.dag))
    if lines:
        logger.info("\n".join(lines))
    for warning in warnings:
        logger.warning(warning)


def reported(result):
    """Return a result's files by form, marked for the report, and their provenance."""
    files = {
        form: report(
            file,
            caption=result.caption,
            category=result.kind.capitalize(),
            labels={"result": result.title, "form": FORMS[form]},
        )
        for form, file in result.files.items()
    }
    return files | {"provenance": result.provenance}


def account_of_curate():
    """Return the account of curate, from exports or from the released data set."""
    if study.is_release:
        card = "".join(release.card) or None
        archives = {name: release.videos(name) for name in study.released}
        full = release.with_all_prompts
        return release_steps(study, release.splits, card, release.pictures, archives, full)
    return curate_steps(study, curate.export_inputs, curate.generator)
