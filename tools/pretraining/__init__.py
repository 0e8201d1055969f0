"""Pretraining of the embedded model: tokenizer, decoder, training, benchmark, report."""
