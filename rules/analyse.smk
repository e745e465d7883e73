"""Analyse: the paper's tables and figures, the paper's numbers beside ours, the account of items.

Needs the metrics of evaluate, detect and trace, and the data set; makes results/tables and
results/figures, each file with its provenance beside it.
"""


include: "inputs/analyse.smk"
include: "analyse_tables.smk"
include: "analyse_figures.smk"
include: "analyse_account.smk"
