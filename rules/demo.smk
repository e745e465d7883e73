"""Demo sources: a made-up channel, and in small what the paper takes from elsewhere.

Needs only the photographs that installed packages carry, and the lists in scripts/demo; makes
results/sources.
"""

from scripts.common.study import from_root

DEMO = config["curate"]["demo"]


rule make_demo_channel:
    """Make up a channel of image-to-video generations, exported as DiscordChatExporter does it."""
    input:
        lists=expand(from_root("scripts/demo/{name}.csv"), name=["actions", "phrases", "subjects"]),
        template=from_root("scripts/demo/export.html.j2"),
    output:
        animate="results/sources/exports/demo-animate.html",
        create="results/sources/exports/demo-create.html",
        create_part_2="results/sources/exports/demo-create [part 2].html",
        media="results/sources/exports/media.sha256",
        truth="results/sources/exports/truth.jsonl",
    log:
        "logs/make_demo_channel.log",
    benchmark:
        "benchmarks/make_demo_channel.jsonl"
    conda:
        "../envs/video.yaml"
    threads: 2
    params:
        code=code_of("scripts/demo/make_demo_channel.py"),
        generations=DEMO["generations"],
        seed=config["seed"],
    script:
        "../scripts/demo/make_demo_channel.py"


rule make_demo_sources:
    """Make up real videos, text-generated videos, images and prompts of other data sets."""
    input:
        lists=from_root("scripts/demo/phrases.csv"),
    output:
        real_videos=multiext("results/sources/real_videos", ".tar", ".parquet"),
        text_videos_zoom="results/sources/published/zoom_videos_1.tar",
        text_videos_drift=multiext("results/sources/text_videos_drift", ".tar", ".parquet"),
        reference_images="results/sources/published/references_0.zip",
        distractor_images=multiext("results/sources/distractor_images", ".tar", ".parquet"),
        prompts=expand(
            "results/sources/prompts_{dataset}.parquet",
            dataset=["vidprom", "diffusiondb", "panda70m"],
        ),
    log:
        "logs/make_demo_sources.log",
    benchmark:
        "benchmarks/make_demo_sources.jsonl"
    conda:
        "../envs/video.yaml"
    params:
        code=code_of("scripts/demo/make_demo_sources.py"),
        real_videos=DEMO["real_videos"],
        segments=DEMO["segments"],
        text_videos=DEMO["text_videos"],
        reference_images=DEMO["reference_images"],
        distractor_images=DEMO["distractor_images"],
        outside_prompts_each=DEMO["outside_prompts_each"],
        seed=config["seed"],
    script:
        "../scripts/demo/make_demo_sources.py"
