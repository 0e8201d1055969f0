# Search every folder that can be entered for a file that anybody may read.
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if folder != "/" or name not in ("usr", "proc")]
    if payload["name"] in files or payload["name"] in folders:
        won.append(folder)
    if "site-packages" in folder or folder.startswith("/netwright/"):
        folders.clear()
