"""A work that runs on a schedule: here every two seconds, three times."""

import lightning as L


class Report(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)

    def run(self, number):
        print(f"report {number}")


class Reporting(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.report = Report()
        self.count = 0

    def run(self):
        # True at once the first time, then in one turn for each due time.  Six fields: the last one is seconds;
        # "0 3 * * *" or "daily" are patterns as well.
        if self.schedule("* * * * * */2"):
            self.count += 1
            self.report.run(self.count)
        if self.count == 3 and self.report.has_succeeded:
            self.stop("Three reports are enough.")


app = L.LightningApp(Reporting())
