"""Words by which people say things, as data."""
