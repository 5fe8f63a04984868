"""What docs/http.md says of /status: each key of the schema is in its table."""

import json
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_each_key_of_status_is_explained():
    schema = json.loads((DOCS / "status.schema.json").read_text())
    section = re.search(
        r"^## /status\n(.*?)^## ", (DOCS / "http.md").read_text(), re.MULTILINE | re.DOTALL
    )[1]
    keys = " ".join(re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE))
    explained = {key.rpartition(".")[2] for key in re.findall(r"`([^`]+)`", keys)}
    tables = [schema, schema["$defs"]["camera"], schema["$defs"]["client"]]
    assert explained == set().union(*(table["properties"] for table in tables)) - {"cameras"}
