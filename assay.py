"""The one import name of this repository: a top-level folder is imported as ``assay.<folder>``.

Two of the folders, ``platform`` and ``secrets``, carry names of the standard library. A folder without
``__init__.py`` never wins over a standard module, so bare ``import secrets`` stays Python's own.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parent)]
