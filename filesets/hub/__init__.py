"""The wire API of the Hugging Face Hub, below ``/v1/hf``: filesets as repositories (huggingface-hub contract)."""
