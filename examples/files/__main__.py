"""The command line: ``python -m examples.files serve DIRECTORY``, ``upload FILE``, ``download NAME``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from perfectws import HTTPServer, LaunchFailure

from . import is_plain
from .client import Download, Failed, Upload
from .serving import make_routes

URL = "ws://127.0.0.1:8383/files"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.files", description="Send files by fragments.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="take files into a directory, and give them out of it")
    serve.add_argument("directory", type=Path)
    serve.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=8383, help="the port; 0 takes any free one (default: %(default)s)")
    upload = commands.add_parser("upload", help="send a file")
    upload.add_argument("file", type=Path)
    download = commands.add_parser("download", help="fetch a file into the current directory")
    download.add_argument("name")
    download.add_argument("--into", type=Path, default=Path(), metavar="DIRECTORY")
    for command in (upload, download):
        command.add_argument("--url", default=URL, help="where the files are served (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        if arguments.command == "serve":
            # perfectws logs where it listens.
            logging.basicConfig(level=logging.INFO, format="%(message)s")
            routes = make_routes(arguments.directory)
            HTTPServer.launch(name="localhost", address=arguments.address, port=arguments.port, routes=routes)
        elif arguments.command == "upload":
            Upload(arguments.file).run(arguments.url)
        elif not is_plain(arguments.name):
            parser.error("NAME is that of a plain file")
        else:
            Download(arguments.name, arguments.into).run(arguments.url)
    except (Failed, LaunchFailure, OSError) as failure:
        parser.exit(1, f"{failure}\n")


if __name__ == "__main__":
    main()
