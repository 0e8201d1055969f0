"""What is remembered: records, novelty index, corpus, adapters."""
