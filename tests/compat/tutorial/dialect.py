"""Where the client versions differ: the only place in this suite that knows one version from another."""

import importlib.metadata
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """What the installed ``nemo-platform`` offers and expects."""

    version: str

    @classmethod
    def installed(cls) -> "Dialect":
        return cls(importlib.metadata.version("nemo-platform"))

    @property
    def release(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))

    @property
    def runs_locally(self) -> bool:
        """``client.evaluator.run`` judges in the caller's own process; it was dropped before 0.6.0."""
        return self.release < (0, 6)

    @property
    def stores_metrics(self) -> bool:
        return self.release >= (0, 2)

    @property
    def keeps_eval_results(self) -> bool:
        return self.release >= (0, 3)

    @property
    def reads_sample_statistics(self) -> bool:
        """Older clients refuse a summary that holds a median or sample deviations."""
        return self.release >= (0, 6)

    def score_name(self, metric_type: str, score: str) -> str:
        """The name of a score in the summary: 0.1.0 knew one metric a job and so no prefix."""
        return score if self.release < (0, 2) else f"{metric_type}.{score}"

    def fileset_ref(self, root: str) -> Any:
        if self.release < (0, 2):
            from nmp.evaluator.app.values import FilesetRef
        else:
            from nemo_evaluator.filesets import FilesetRef
        return FilesetRef(root=root)
