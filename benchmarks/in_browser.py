"""What does a bot in the browser cost, how fast is it, and how often does it write what the server writes?

    python -m benchmarks.in_browser --posts ../shared/data/corpus/valid.txt.xz --json

Packs the base model as browsers get bots (ml/wire.py), in int8 (tables in int4) and in float16, and prints for each
file its size, its bits per character on every `--stride`-th post, and how many of ten posts for each seed are those of
the server. Then the milliseconds for a symbol (a byte or a token) in Node.js (Playwright's, else a recent `node` on the
PATH), with WebAssembly and without.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from models_app.ml import wire
from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.training.dataset import stream_posts

from . import common
from .common import say

POSTS: Final = 10
SIDE_BY_SIDE: Final = (1, 2, 4, 10)


def node() -> str:
    """Return the path of a Node.js that reads modules by itself."""
    try:
        from playwright._impl._driver import compute_driver_executable
    except ImportError:
        return shutil.which("node") or "node"
    return str(compute_driver_executable()[0])


def in_node(file: Path, *, vectors: bool, seeds: Sequence[int], rounds: int, longest: int) -> dict[str, Any]:
    """Return the posts for each seed, and the milliseconds for a symbol by the number of posts side by side."""
    asked = {
        "scripts": str(common.ROOT / "static/js/in-browser"),
        "file": str(file),
        "vectors": vectors,
        "sampling": [_sampling(seed, longest) | {"banned": []} for seed in seeds],
        "side_by_side": SIDE_BY_SIDE,
        "rounds": rounds,
    }
    command = [node(), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(Path(__file__).with_suffix(".mjs"))]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _sampling(seed: int, longest: int) -> dict[str, Any]:
    return {
        "count": POSTS,
        "seed": seed,
        "temperature": 0.9,
        "top_k": 0,
        "top_p": 1.0,
        "prompt": "",
        "max_characters": longest,
    }


def by_the_server(base: Checkpoint, seeds: Sequence[int], longest: int) -> list[list[str]]:
    sampler = Sampler(base)
    # Browsers refuse more numbers that may be phones.
    configs = [SamplingConfig.from_dict(_sampling(seed, longest) | {"personal_guard": False}) for seed in seeds]
    return [sampler.generate(config).posts for config in configs]


def main(argv: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--base", type=Path, default=common.BASE, help="the folder of the model")
    parser.add_argument(
        "--posts", type=Path, required=True, help="posts to measure bits on, one on each line (.txt.xz)"
    )
    parser.add_argument("--stride", type=int, default=97, help="measure every so many posts")
    parser.add_argument("--seeds", type=int, default=6, help="the number of seeds")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the fastest counts")
    parser.add_argument("--longest", type=int, default=280, help="characters of a post, at most")
    options = parser.parse_args(argv)
    facts = common.machine()
    base, seeds = load(options.base), range(options.seeds)
    posts = list(islice(stream_posts([options.posts]), 0, None, options.stride))
    say("posts by the server")
    expected = by_the_server(base, seeds, options.longest)
    files: dict[str, dict[str, float]] = {}
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("int8", "float16"):
            say(f"{name}: bits, posts")
            file = Path(folder) / name
            file.write_bytes(wire.pack(base, is_exact=name == "float16"))
            rounded = Checkpoint(base.network, dict(wire.unpack(file.read_bytes())), {}, "")
            found = in_node(file, vectors=True, seeds=seeds, rounds=options.rounds, longest=options.longest)
            pairs = [
                pair
                for ours, theirs in zip(found["posts"], expected, strict=True)
                for pair in zip(ours, theirs, strict=False)
            ]
            files[name] = {
                "bytes": file.stat().st_size,
                "bits_per_character": evaluate(rounded, posts).bits_per_character,
                "same_posts": sum(ours == theirs for ours, theirs in pairs),
                "posts": sum(map(len, expected)),
            }
            speeds["WebAssembly"] = found["milliseconds"]
        say("plain JavaScript")
        plain = in_node(file, vectors=False, seeds=[], rounds=options.rounds, longest=options.longest)
        speeds["plain JavaScript"] = plain["milliseconds"]
    heads = ["file", "bytes", "bits per character", "the server's posts"]
    common.table(
        heads,
        (
            (
                name,
                f"{each['bytes']:,}",
                f"{each['bits_per_character']:.4f}",
                f"{each['same_posts']} of {each['posts']}",
            )
            for name, each in files.items()
        ),
    )
    common.table(
        ["ms for a symbol, posts side by side", *map(str, SIDE_BY_SIDE)],
        ((name, *(f"{value:.2f}" for value in values)) for name, values in speeds.items()),
    )
    if options.json:
        print(json.dumps({"machine": facts, "files": files, "milliseconds": speeds, "side_by_side": SIDE_BY_SIDE}))


if __name__ == "__main__":
    main()
