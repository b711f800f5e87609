"""The side that is vdf-io: an export into Parquet files, and an import of those files.

As a script, in the environment that has vdf-io, this is one of the two steps. Its own command line is passed by, which would
only ask the network for updates and report to its makers.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from figures import Run
from process import ProgramFailed, Taken, run
from servers import ROOT

SIDE = "vdf-io, export and import"
REMARK = """\
vdf-io 0.1.248 was run once. Its release cannot begin an export from Milvus: two methods that its base class asks for are missing. Nothing
calls them, so this benchmark adds them. Its target is another collection than the source: keys become strings, and all fields but the vector
keys of the dynamic field; its import asks for an index (AUTOINDEX) before it writes. It is measured with this shape because it cannot write
the JSON field of the first one into its files."""
HOME = ROOT / ".servers" / "vdf"
REQUIREMENTS = Path(__file__).with_name("vdf-requirements.txt")
PYTHON = HOME / "bin" / "python"
STAMP = HOME / "installed"


def install() -> None:
    """Makes its environment, where there is none yet from the same list."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode() + str(HOME).encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    venv.create(HOME, clear=True, with_pip=True)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ProgramFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    STAMP.write_text(wanted)


def measure(folder: Path, old: str, new: str, collection: str, rows: int) -> Run:
    """One export and one import, each in a process of its own."""
    install()
    taken: list[Taken] = []
    for step, uri in (("export", old), ("import", new)):
        taken.append(run([PYTHON, __file__, step, uri, collection], folder)[1])
    return Run(
        rows, None, sum(one.whole for one in taken), sum(one.processor for one in taken), max(one.peak for one in taken),
    )


def export_from(uri: str, collection: str) -> None:
    from vdf_io.export_vdf.milvus_export import ExportMilvus

    # The release cannot begin: it lacks two methods that its base class asks for and that nothing calls.
    for name in ExportMilvus.__abstractmethods__:
        setattr(ExportMilvus, name, None)
    ExportMilvus.__abstractmethods__ = frozenset()
    ExportMilvus({"uri": uri, "token": "", "collections": collection, "library_version": "0.1.248"}).get_data()


def import_into(uri: str) -> None:
    from vdf_io.import_vdf.milvus_import import ImportMilvus

    [folder] = Path.cwd().glob("vdf_*")
    settings = {"uri": uri, "token": "", "dir": str(folder), "cwd": str(Path.cwd()), "library_version": "0.1.248"}
    ImportMilvus(settings).upsert_data()


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export_from(sys.argv[2], sys.argv[3])
    else:
        import_into(sys.argv[2])
