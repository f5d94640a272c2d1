from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIGHT = [
    "sampling.sampler",
    "evaluation.evaluation",
    "checkpoint",
    "config",
    "vocabulary",
    "training.dataset",
    "training.events",
    "errors",
    "networks.registry",
]


def test_the_process_that_writes_posts_never_loads_tensorflow(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
{"".join(f"import models_app.ml.{name}{chr(10)}" for name in LIGHT)}
from models_app.ml.checkpoint import load, save
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.sampler import Sampler
network = NetworkConfig(embedding=4, units=8)
save(Path(sys.argv[1]), network=network, weights=kind_of(network).first_weights(network, 0), meta={{}})
checkpoint = load(Path(sys.argv[1]))
assert Sampler(checkpoint).generate(SamplingConfig())
evaluate(checkpoint, ["a post"])
for name in ("tensorflow", "keras", "django", "celery"):
    assert name not in sys.modules, name
"""
    arguments = [sys.executable, "-c", program, str(tmp_path / "model")]
    outcome = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
