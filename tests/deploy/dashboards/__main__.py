"""Writes the dashboards to deploy/grafana: `python -m tests.deploy.dashboards`."""

from tests.deploy.dashboards.shipped import FOLDER, files

if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
