"""Dataset files as rows: CPU for a row of each format, and memory for few and many rows."""

import gzip
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from backports import zstd

from assay_sdk.engine.dataset import count_items, read_items
from benchmarks.report import Report

FEW, MANY = 10_000, 200_000
ANSWER = "It depends on what you need, and on how much time there is. " * 12


def measure() -> Report:
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in FORMATS.items():
            cells = []
            for rows in (FEW, MANY):
                path = Path(folder) / name
                path.write_bytes(make(rows))
                cells.append(_alone(path))
                path.unlink()
            (_, _, few, few_child), (cpu, count_cpu, many, many_child) = cells
            memory = f"{few:.0f} → {many:.0f} MB" + (
                f", reader at most {few_child:.0f} → {many_child:.0f} MB" if few_child else ""
            )
            table.append(
                [name, f"{MANY / cpu:,.0f}", f"{cpu / MANY * 1e6:.1f} µs", f"{count_cpu / MANY * 1e6:.1f} µs", memory]
            )
    return Report(
        "Datasets",
        "python -m benchmarks datasets",
        ["file", "rows a CPU second", "CPU to read a row", "to count one", f"peak memory, {FEW:,} → {MANY:,} rows"],
        table,
    )


def _items(rows: int) -> list[dict[str, object]]:
    return [
        {"id": n, "question": f"What is {n}, and why?", "answer": f"{n}: {ANSWER}", "score": n / 7} for n in range(rows)
    ]


def _lines(rows: int) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in _items(rows))


def _csv(rows: int) -> bytes:
    return b"id,question,answer,score\n" + b"".join(
        f'{item["id"]},"{item["question"]}","{item["answer"]}",{item["score"]}\n'.encode() for item in _items(rows)
    )


def _parquet(rows: int) -> bytes:
    kinds = {
        "id": DataType.int64(),
        "question": DataType.string(),
        "answer": DataType.string(),
        "score": DataType.float64(),
    }
    items = _items(rows)
    out = io.BytesIO()
    columns = {name: Array([item[name] for item in items], type=kind) for name, kind in kinds.items()}
    write_parquet(Table.from_pydict(columns), out, compression="zstd(3)")
    return out.getvalue()


FORMATS: dict[str, Callable[[int], bytes]] = {
    "a.jsonl": _lines,
    "a.jsonl.gz": lambda rows: gzip.compress(_lines(rows), 1),
    "a.jsonl.zst": lambda rows: zstd.compress(_lines(rows)),
    "a.json": lambda rows: b"[" + _lines(rows).rstrip().replace(b"\n", b",\n") + b"]",
    "a.csv": _csv,
    "a.parquet": _parquet,
}


def _alone(path: Path) -> tuple[float, float, float, float]:
    """CPU seconds to read and to count, peak MB here and of the reading process, measured in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.datasets", str(path)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=120)
    read, count, own, child = map(float, done.stdout.split())
    return read, count, own, child


def _read_and_count(path: Path) -> None:
    seconds = []
    for read in (lambda file: sum(1 for _ in read_items(file, path.name)), lambda file: count_items(file, path.name)):
        began = _cpu()
        with path.open("rb") as file:
            assert read(file)
        seconds.append(_cpu() - began)
    # Not ru_maxrss, which begins at what the parent held when it forked.
    own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(*seconds, own, child)


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    _read_and_count(Path(sys.argv[1]))
