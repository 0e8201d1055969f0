# System calls that have been ways out: bpf, perf, userfaultfd, key rings, modules, new kernels, and all newer ones.
risky = {"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "request_key": 249, "keyctl": 250,
         "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
         "reboot": 169, "swapon": 167, "acct": 163, "quotactl": 179, "syslog": 103, "personality": 135, "iopl": 172,
         "ioperm": 173, "modify_ldt": 154, "vhangup": 153, "fanotify_init": 300, "sethostname": 170, "settimeofday": 164,
         "clock_settime": 227, "adjtimex": 159, "lookup_dcookie": 212, "uselib": 134, "move_pages": 279,
         "migrate_pages": 256, "process_madvise": 440}
for name, number in risky.items():
    told = attempt(lambda: call(number, 0, 0, 0, 0, 0, 0))
    result[name] = told
    if told not in ("EPERM", "ENOSYS"):
        won.append(name)
for number in range(451, 600):
    if attempt(lambda: call(number, 0, 0, 0, 0, 0, 0)) != "ENOSYS":
        won.append(f"call {number}")
