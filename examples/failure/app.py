"""What to do when a work fails: other arguments for one, another try for the other."""

import lightning as L


class Train(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)  # its failure does not end the app

    def run(self, batch_size):
        if batch_size > 32:
            raise MemoryError(f"a batch of {batch_size} does not fit")
        print(f"trained with batches of {batch_size}")


class Download(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)

    def run(self):
        if self.attempt == 1:
            raise ConnectionError("the server hung up")
        print(f"downloaded by attempt {self.attempt}")


class Careful(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.train = Train()
        self.download = Download()
        self.batch_size = 128

    def run(self):
        self.train.run(batch_size=self.batch_size)
        if self.train.has_failed:  # the same call would not be made again; one with other arguments is a new call
            self.batch_size //= 2
            print(f"next try: batches of {self.batch_size}")

        self.download.run()
        if self.download.has_failed:
            print(f"once more, because {self.download.status.reason}")
            self.download.retry()  # the same call again

        if self.train.has_succeeded and self.download.has_succeeded:
            self.stop("Both are done.")


app = L.LightningApp(Careful())
