#!/usr/bin/env python3
"""Fills corpus/ from the vectors and recipes of all providers."""

import json
import pathlib

here = pathlib.Path(__file__).parent
for folder in sorted(here.parent.iterdir()):
    recipe, vectors = folder / "adapter.toml", folder / "vectors.json"
    if not recipe.exists():
        continue
    out = here / "corpus" / "recipe"
    out.mkdir(parents=True, exist_ok=True)
    (out / folder.name).write_bytes(recipe.read_bytes())
    out = here / "corpus" / "callback"
    out.mkdir(parents=True, exist_ok=True)
    for vector in json.loads(vectors.read_text()):
        for member in ("query", "body"):
            text = vector["request"].get(member)
            if isinstance(text, str) and text:
                name = f"{folder.name}-{vector['name']}-{member}"
                (out / name).write_bytes(b"\0\0" + text.encode())
