"""Trace, continued: a second opinion on each query's best references, where trace.reranker asks for it.

Makes results/trace/reranked/{model}.parquet, a second column of Table 5.
"""


rule rerank_matches:
    """Score the best references of each query anew, by a network that sees both pictures at once."""
    input:
        files=by_index(trace.picture_files(trace.reranked_sets)),
        matches=trace.reranking.reads,
    output:
        **trace.reranking.outputs,
    log:
        trace.reranking.log("logs/rerank_matches") + ".log",
    benchmark:
        trace.reranking.log("benchmarks/rerank_matches") + ".jsonl"
    conda:
        "../envs/models.yaml"
    threads: trace.threads
    resources:
        gpu=config["trace"]["gpu"],
        mem_mb=more(24000 if config["trace"]["gpu"] else 3000),
        runtime=more(1440),
    params:
        batch_size=lookup("trace/batch_size", within=config),
        code=trace.reranker_code,
        entry=trace.reranker_entry,
        lots=trace.reranking.arguments,
        pictures=trace.pictures(trace.reranked_sets),
        precision=lookup("trace/precision", within=config),
        top_k=lookup("trace/top_k", within=config),
    script:
        "../scripts/trace/rerank_matches.py"
