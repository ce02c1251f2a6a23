"""Write the JSON schema: `python -m tmcwatch.config > config/tmcwatch.schema.json`."""

import json
import sys

from tmcwatch.config.schema import json_schema

if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
