"""Takes a mail from pipe(8) or local(8) and writes down what it did with it."""

import json
import os
import re
import sys
import time

sender, rcpt = sys.argv[1:3]
text = sys.stdin.buffer.read()
found = re.search(rb"(?m)^X-Mail-Id: (\S+)", text)
part = rcpt.split("@")[0].split(".")[0]
code = {"failing": 67, "fail": 67, "busy": 75}.get(part, 0)
line = {"t": round(time.time(), 3), "who": "pipe", "ev": "result", "rcpt": rcpt, "exit": code, "mail": found.group(1).decode() if found else None}
handle = os.open("/var/vmail/sink/pipe.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
os.write(handle, (json.dumps(line) + "\n").encode())
if code:
    print("pipe: " + {67: "no such box", 75: "backend busy, try later"}[code])
sys.exit(code)
