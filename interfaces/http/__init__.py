"""The HTTP server: tools, jobs, records and reports, and an OpenAI-compatible way into the design conversation."""
