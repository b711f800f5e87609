#!/usr/bin/env python3
"""Run many of these scripts in one process, because starting Python and its client costs more than most of them do.

A line on standard input is `{"script": "compare", "arguments": [...]}`. The answer is a line on standard output:
`{"code": 0, "out": "…", "err": "…"}`, with what the script would have ended with and printed.
"""

import contextlib
import importlib
import io
import json
import sys

from pymilvus.client.connection_manager import ConnectionManager

import cluster


def run(script: str, arguments: list[str]) -> dict[str, object]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv = [f"{script}.py", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cluster.script(importlib.import_module(script).main)
        except SystemExit as ended:
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except Exception as problem:
            print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
            code = 3
    # milvus-lite does not like the signs of life that idle connections send, and in the end turns their client away.
    ConnectionManager.get_instance().close_all()
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(run(asked["script"], asked["arguments"])), flush=True)


if __name__ == "__main__":
    main()
