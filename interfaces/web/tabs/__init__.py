"""The tabs of the web app: widgets and what they do. What they show is made in ``views``."""
