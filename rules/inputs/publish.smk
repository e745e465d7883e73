"""Publish: what the report shows."""


def publish_targets():
    """Return every table and figure, in every form in which the report offers it."""
    return [
        *expand(
            "results/tables/table{number}.{form}", number=TABLES, form=["csv", "html", "md", "tex"]
        ),
        "results/tables/paper_comparison.csv",
        "results/tables/funnel.csv",
        *[png.removesuffix("png") + form for png in figure_targets() for form in ("pdf", "png")],
    ]
