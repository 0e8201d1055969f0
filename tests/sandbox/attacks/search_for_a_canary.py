# Search every folder that can be entered for a file that anybody may read.
result["searched"] = 0
for folder, folders, files in os.walk("/"):
    result["searched"] += 1
    folders[:] = [name for name in folders if folder != "/" or name not in ("usr", "proc")]
    if payload["name"] in files or payload["name"] in folders:
        won.append(folder)
    if "site-packages" in folder or folder.startswith("/netwright/"):
        folders.clear()
