"""The block library: mining, extraction and validation of reusable modules (NN-RAG; *LEMUR 2*, supplement 9)."""
