"""`lightning.app.cli.lightning_cli`: commands that tests invoke with click's runner; `run_app` runs in the test's process."""

from lightning_apps.cli.entry import main
from lightning_apps.cli.main import cli as _main
from lightning_apps.cli.older import get_app_url
from lightning_apps.cli.run import run
from lightning_apps.testing.older_command import run_app

__all__ = ["_main", "get_app_url", "main", "run", "run_app"]
