"""Works made while the app runs: two jobs at a time, each deleted when done, and a server that is stopped at last."""

from time import sleep

import lightning as L


class Square(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)

    def run(self, number):
        return number * number


class Server(L.LightningWork):
    """Never ends by itself."""

    def __init__(self):
        super().__init__(parallel=True)
        self.beats = 0

    def run(self):
        while True:
            self.beats += 1
            sleep(0.05)

    def on_exit(self):
        print("the server says goodbye")


class Dynamic(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.server = None  # a place for a component that comes later
        self.jobs = L.structures.Dict()
        self.waiting = [2, 3, 4, 5]
        self.squares = {}

    def run(self):
        if self.server is None:
            self.server = Server()
        self.server.run()
        self.open_jobs()
        self.close_jobs()
        if self.server.beats and not self.jobs and not self.waiting:
            print(f"squares: {sorted(self.squares.items())}")
            self.server.stop()
            self.stop("All jobs are done.")

    def open_jobs(self):
        while self.waiting and len(self.jobs) < 2:
            number = self.waiting.pop(0)
            print(f"a work for {number}")
            self.jobs[f"of_{number}"] = Square()

    def close_jobs(self):
        for name in list(self.jobs):
            number = int(name.removeprefix("of_"))
            square = self.jobs[name].run(number)
            if square is not None:
                self.squares[number] = square
                self.jobs[name].delete()  # ends its process; the name is free again
                del self.jobs[name]


app = L.LightningApp(Dynamic())
