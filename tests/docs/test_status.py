"""What docs/http.md and docs/rtp.md say of /status: each key of the schema is in their tables."""

import json
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


SCHEMA = json.loads((DOCS / "status.schema.json").read_text())


def section(page, title):
    """Gives the tables of a section of a page: of each row its first cell, and the others."""
    text = re.search(rf"^## {title}\n(.*?)^## ", (DOCS / page).read_text(), re.M | re.S)[1]
    return re.findall(r"^\| (`.*?`) \| (.*) \|$", text, re.M)


def code(text):
    """Gives what is set as code in a text."""
    return re.findall(r"`([^`]+)`", text)


def properties(*schemas):
    """Gives the names of the keys of some objects."""
    return set().union(*(schema["properties"] for schema in schemas))


def test_each_key_of_status_is_explained():
    keys = [key for cell, _ in section("http.md", "/status") for key in code(cell)]
    explained = {key.rpartition(".")[2] for key in keys}
    tables = [SCHEMA, *(SCHEMA["$defs"][name] for name in ("camera", "client", "look"))]
    assert explained == properties(*tables) - {"cameras"}


def test_each_key_of_video_is_explained():
    video = SCHEMA["properties"]["video"]
    rows = section("http.md", "What eyelid-video tells")
    said = {word.removesuffix("[]") for row in rows for cell in row for word in code(cell)}
    lists = [
        video["properties"][name]["items"] for name in ("encodes", "sessions", "session_totals")
    ]
    keys = properties(video, *lists, SCHEMA["$defs"]["video_counts"])
    values = {"webrtc", "mse", "tap"}
    assert said - values == keys


def test_each_key_of_rtp_is_explained():
    rtp = SCHEMA["properties"]["rtp"]
    rows = section("rtp.md", "Figures")
    keys = {key.removesuffix("[]") for cell, _ in rows for key in code(cell)}
    keys = {key for key in keys if not key.startswith("eyelid_")}
    lists = [rtp["properties"][name]["items"] for name in ("destinations", "sessions")]
    own = properties(*lists)
    stream = properties(SCHEMA["$defs"]["rtp_stream"], SCHEMA["$defs"]["rtp_counts"])
    assert keys == properties(rtp) | stream
    assert own <= {word for _, rest in rows for word in code(rest)}
