#!/usr/bin/env python3
"""Fills corpus/ from the vectors and recipes of all providers."""

import json
import pathlib

here = pathlib.Path(__file__).parent
place = -1  # of the provider, in order of names, as the target counts them
for folder in sorted(here.parent.iterdir()):
    recipe, vectors = folder / "adapter.toml", folder / "vectors.json"
    if not recipe.exists():
        continue
    place += 1
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
                (out / name).write_bytes(bytes([place, 0, 0]) + text.encode())
