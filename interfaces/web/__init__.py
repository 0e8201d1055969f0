"""The web app: chat, campaigns, explorer and blocks in a browser, on this machine."""
