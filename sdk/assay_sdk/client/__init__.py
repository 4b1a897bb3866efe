"""The client of the platform's HTTP API. Import its names from ``assay_sdk``."""
