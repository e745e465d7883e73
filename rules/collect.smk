"""Stage targets: snakemake dataset, then snakemake tables; unchanged files stop a rerun between."""

from scripts.annotate.graph import EMBEDDINGS


rule annotations:
    """Every annotation: other embeddings of the same prompts stop here, but for their packing."""
    input:
        [annotate.tables(name) for name in annotate.annotators],
        [annotate.vectors(name) for name in EMBEDDINGS.values()],


rule dataset:
    """The annotated data set (Section 3)."""
    input:
        annotate.targets,
        publish.release,


rule splits:
    """TIP-Eval, TIP-ID and TIP-Trace (Section 5.2, Supplements 13 and 15)."""
    input:
        split.targets,


rule tables:
    """Every table."""
    input:
        analyse.tables,


rule figures:
    """Every figure."""
    input:
        analyse.figures,


rule publish:
    """Everything that the report shows."""
    input:
        analyse.published,


rule maps:
    """Every map of prompts (Section 4)."""
    input:
        maps.targets,


rule extras:
    """What Section 5.5 proposes: nearest prompts, a filter of unsafe ones, the share of cartoons."""
    input:
        maps.extras,
