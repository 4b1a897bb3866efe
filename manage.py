#!/usr/bin/env python
"""Command line of the platform: ``python manage.py help``."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")
    # The settings read the data folder from the environment, before any command reads its options.
    for position, word in enumerate(sys.argv):
        if word == "--data-dir" and position + 1 < len(sys.argv):
            os.environ["ASSAY_DATA_DIR"] = sys.argv[position + 1]
        elif word.startswith("--data-dir="):
            os.environ["ASSAY_DATA_DIR"] = word.partition("=")[2]
    if sys.argv[1:2] == ["serve"]:
        os.umask(0o077)  # what the platform and its children write is nobody else's on this machine
        from assay.platform import supervisor  # does without Django, and so without its memory

        sys.exit(supervisor.main(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
