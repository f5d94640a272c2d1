"""Opens an adapter with PEFT and prints the log probabilities after each text. A process of its own: PyTorch and
TensorFlow don't get along in one.
"""

from __future__ import annotations

import json
import sys

import peft
import torch
import transformers


def main() -> None:
    asked = json.load(sys.stdin)
    base = transformers.AutoModelForCausalLM.from_pretrained(asked["base"], dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, asked["bot"])
    found = []
    for symbols in asked["texts"]:
        with torch.no_grad():
            logits = model(torch.tensor([symbols])).logits[0, -1].double()
        found.append(torch.log_softmax(logits, -1).tolist())
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
