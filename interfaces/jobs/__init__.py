"""Long tools as jobs: durable folders, a process for each, queued beyond the machine's cores."""
