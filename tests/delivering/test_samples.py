"""The sample messages that people can look at are what the code makes."""

import pytest

from tests.delivering.rendered import FOLDER, rendered
from tmcwatch.delivering.samples import SAMPLES

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_files_are_what_the_code_makes(name):
    for file, content in rendered(name):
        assert (FOLDER / file).read_text(encoding="utf-8") == content, (
            "python -m tests.delivering.rendered renews it"
        )


def test_there_is_no_file_that_the_code_does_not_make():
    made = {file for name in SAMPLES for file, _ in rendered(name)}
    assert {path.name for path in FOLDER.iterdir()} == made
