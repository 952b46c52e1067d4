"""Files over every engine: what a work made, another finds, and a flow only passes it on."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.contract import PROMISES, WAYS, Way

ALSO_ON_RAY = {
    "test_paths_payloads_and_drives_go_from_work_to_work",
    "test_big_arrays_go_by_reference_as_arguments_and_as_state",
}
APART = Way("apart", {"LIGHTNING_APART": "1"}, PROMISES)


@pytest.fixture(params=[*WAYS, APART], ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Every way, and one where no work sees the files of another but through the exchange."""
    found: Way = request.param
    if found.name.startswith("ray") and request.function.__name__ not in ALSO_ON_RAY:
        pytest.skip("works start slowly there, and not in the flow's folder")
    return found


def test_paths_payloads_and_drives_go_from_work_to_work(play):
    lines = play.lines("""
from lightning.app.storage import Drive, FileSystem, Path, Payload

class Make(Work):
    def __init__(self):
        super().__init__()
        self.out, self.held, self.value, self.drive = Path("out"), {}, None, Drive("lit://d")

    def run(self):
        os.makedirs("out", exist_ok=True)
        with open("out/deep.txt", "w") as file:
            file.write("deep")
        with open("one.txt", "w") as file:
            file.write("one")
        self.held["list"] = [Path("one.txt")]
        self.value = Payload({1, 2, 3})
        self.drive.put("one.txt")
        self.drive.put("out")
        FileSystem().put("one.txt", "/sub/one.txt")

class Use(Work):
    def __init__(self):
        super().__init__()
        self.given, self.said = None, []

    def run(self, path, nested, value, drive):
        self.said.append([str(path), path.origin_name, path.consumer_name, path.read_text(), path.exists_remote()])
        self.said.append([nested["x"][0].read_text(), value.value == {1, 2, 3}, value.origin_name, value.consumer_name])
        self.said.append([drive.component_name, drive.list(), self.given.read_text()])
        drive.get("out", component_name="root.make", overwrite=True)
        FileSystem().get("/sub/one.txt", "own/copy.txt")
        self.said.append([open("own/copy.txt").read(), open("out/deep.txt").read(), FileSystem().listdir("/sub")])

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.make, self.use = Make(), Use()

    def run(self):
        self.make.run()
        self.use.given = self.make.held["list"][0]
        self.use.run(self.make.out / "deep.txt", {"x": self.make.held["list"]}, value=self.make.value, drive=self.make.drive)
        try:
            self.make.out.get()
        except RuntimeError as error:
            print(error)
        print(self.make.value.value, self.make.out.origin_name, *self.use.said, sep="\\n")
        self.stop()
""")
    assert lines == [
        "`Path.get()` can only be called from within the `run()` method of LightningWork.",
        "None",
        "root.make",
        "['out/deep.txt', 'root.make', 'root.use', 'deep', True]",
        "['one', True, 'root.make', 'root.use']",
        "['root.use', ['one.txt', 'out'], 'one']",
        "['one', 'deep', ['one.txt']]",
    ]


def test_what_was_handed_over_is_found_when_it_is_gone_from_its_place_or_was_rewritten(play):
    lines = play.lines("""
from lightning.app.storage import Path

class Make(Work):
    def __init__(self):
        super().__init__()
        self.kept, self.gone, self.folder, self.never = Path("kept.txt"), Path("gone.txt"), Path("folder"), Path("never")

    def run(self):
        for path in (self.kept, self.gone):
            path.write_text("first")
        self.folder.mkdir()
        (self.folder / "a b").write_text("inside")

class Use(Work):
    def __init__(self):
        super().__init__()
        self.said = []

    def run(self, kept, gone, folder, never):
        self.said.append([kept.read_text(), kept.name, gone.read_text(), (folder / "a b").read_text(), never.exists()])
        try:
            never.get()
        except RuntimeError as error:
            self.said.append(str(error)[-46:])
        try:
            kept.get()
        except FileExistsError as error:
            self.said.append("overwrite" in str(error))

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.make, self.use = Make(), Use()

    def run(self):
        self.make.run()
        if not os.path.exists("away"):
            with open("kept.txt", "r+") as file:
                file.write("other")
            os.unlink("gone.txt")
            os.rename("folder", "away")
        self.use.run(self.make.kept, self.make.gone, self.make.folder, self.make.never)
        print(*self.use.said, open("kept.txt").read(), open("gone.txt").read(), sep="\\n")
        self.stop()
""")
    assert lines == [
        "['first', 'kept.txt', 'first', 'inside', False]",
        "over; its run has succeeded without making it.",
        "True",
        "other",
        "first",
    ]


def test_a_run_that_reads_what_a_running_work_writes_sees_it_where_it_is(play):
    lines = play.lines("""
from lightning.app.storage import Path

class Serve(Work):
    def __init__(self):
        super().__init__(parallel=True)
        self.log, self.done = None, False

    def run(self):
        with open("live.log", "w") as file:
            file.write("so far")
        self.log = Path("live.log")
        until(lambda: self.done)

class Read(Work):
    def __init__(self):
        super().__init__()
        self.text = ""

    def run(self, log):
        self.text = log.read_text()

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.serve, self.read = Serve(), Read()

    def run(self):
        self.serve.run()
        if self.serve.log is not None:
            self.read.run(self.serve.log)
            self.serve.done = True
            print(self.read.text)
            self.stop()
""")
    assert lines == ["so far"]


def test_a_call_is_not_made_again_because_a_file_or_a_consumer_changed(play):
    lines = play.lines("""
from lightning.app.storage import Path, Payload

class Make(Work):
    def __init__(self):
        super().__init__(cache_calls=False)
        self.path, self.value, self.times = Path("x"), None, 0

    def run(self):
        self.times += 1
        self.path.write_text(str(self.times))
        self.value = Payload(self.times)

class Use(Work):
    def __init__(self):
        super().__init__()
        self.path, self.times = None, 0

    def run(self, path, value):
        self.times += 1

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.make, self.use = Make(), Use()

    def run(self):
        if self.make.times < 3:
            self.make.run()
        self.use.path = self.make.path
        self.use.run(self.make.path, self.make.value)
        if self.make.times == 3:
            print(self.use.times)
            self.stop()
""")
    assert lines == ["1"]


def test_a_payload_is_set_only_in_run_and_carries_what_the_run_made_of_it(play):
    lines = play.lines("""
from lightning.app.storage import Payload

class Make(Work):
    def __init__(self):
        super().__init__()
        self.value = None
        try:
            self.value = Payload(1)
        except RuntimeError as error:
            print(type(error).__name__)

    def run(self):
        self.value = Payload([1])
        self.value.value.append(2)

class Use(Work):
    def __init__(self):
        super().__init__()
        self.seen = None

    def run(self, value):
        self.seen = value.value

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.make, self.use = Make(), Use()

    def run(self):
        self.make.run()
        self.use.run(self.make.value)
        print(self.use.seen)
        self.stop()
""")
    assert lines[-1] == "[1, 2]" and set(lines[:-1]) == {"WrongPlace"}


def test_a_drive_belongs_to_its_run_and_stays_after_it_ended(play):
    body = """
from lightning.app.storage import Drive

class Put(Work):
    def __init__(self):
        super().__init__()
        self.drive, self.before = Drive("lit://d"), None

    def run(self):
        self.before = self.drive.list()
        open("x", "w").close()
        self.drive.put("x")

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.put, self.drive = Put(), Drive("lit://d")

    def run(self):
        self.put.run()
        try:
            self.drive.list()
        except RuntimeError as error:
            print(error)
        print(self.put.before)
        self.stop()
"""
    said = ["The flow isn't allowed to list files from a Drive.", "[]"]

    assert play.lines(body) == said and play.lines(body) == said
    home: Path = play.line.folder
    assert len(list(home.rglob("artifacts/drive/d/root.put/x"))) == 2


def test_a_folder_that_was_to_be_there_is_named_on_the_terminal(play):
    played = play("""
from lightning.app.storage import Path

class Make(Work):
    def __init__(self):
        super().__init__()
        self.path = Path("nowhere")

    def run(self):
        pass

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.make = Make()

    def run(self):
        self.make.run()
        self.stop()
""")
    assert "1 artifacts of root.make could not be saved because they don't exist: nowhere." in played.errors


def test_big_arrays_go_by_reference_as_arguments_and_as_state(play):
    lines = play.lines("""
import numpy as np

class Double(Work):
    def __init__(self):
        super().__init__()
        self.result, self.seen = None, 0

    def run(self, array):
        array[0] = 7
        self.result = array * 2
        self.seen = len(array)

class Root(Flow):
    def __init__(self):
        super().__init__()
        self.double, self.again = Double(), Double()
        self._array = np.ones(100_000)

    def run(self):
        self.double.run(self._array)
        self.again.run(self.double.result)
        print(self.again.seen, self.again.result[:2].tolist(), self._array[0], type(self.again.result) is np.ndarray)
        self.stop()
""")
    assert lines == ["100000 [14.0, 4.0] 1.0 True"]
    if play.way is APART or play.way.name.startswith("ray"):
        return  # what is on another machine says its values by themselves
    journal = next(play.line.folder.rglob("journal.db"))
    assert journal.stat().st_size < 200_000
