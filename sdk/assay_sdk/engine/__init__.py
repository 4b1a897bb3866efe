"""The evaluation engine: rows and metrics in, row scores and aggregates out. No database, no web framework.

    from assay_sdk.engine.result import Row
    from assay_sdk.engine.run import run
    from assay_sdk.engine.spec import RunConfig, parse_metric

    metric = parse_metric({"type": "llm-judge", "model": {...}, "scores": [...], ...})
    result = run([Row(0, {"question": "…", "answer": "…"})], [metric], config=RunConfig(parallelism=8))

What to evaluate: `spec` (metrics, run settings), `dataset` (files as rows). How a row goes: `run` → `flight` (which
rows are at work) → `scoring` → `target` and `judge` → `template`, `prompt`, `request`, `forms` → `caller` → `pace` →
`transport` → `reply`, `parse` → `result`. What comes of it: `aggregate`,
`agree`, `compare`. What can go wrong: `errors`.

Nothing is imported here, so that each module costs only what it needs itself.
"""
