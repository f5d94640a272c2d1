"""How to use a small network in another format: how it reads and writes a post, as text and as code."""

from __future__ import annotations

import json
from typing import Final

from models_app.ml.config import NetworkConfig
from models_app.ml.networks import hashed_ngrams
from models_app.ml.vocabulary.utf8_bytes import END

SCRIPT: Final = "bot.mjs"

LACKS: Final = (
    "Only the network is in this file. What Bot Factory does around it isn’t: it refuses posts that are too close to "
    "a learned one, phrases that you or the administrator ban, personal data and made-up links, and hides @names. "
    "A bot without that can repeat a post that it learned, or name people. Read what it writes before you show it to "
    "anybody, and say that a bot wrote it."
)

_READING: Final = (
    f"A symbol is a byte of UTF-8. {END}, which UTF-8 never uses, is the start mark and the end mark. For each post, "
    f"start with all states zero and read {END}; then read the bytes of the post. After each byte you get the logits "
    f"of the next one, and the states for the next step. Their softmax is the probabilities. The post ends "
    f"when {END} is drawn. Bytes that make no valid UTF-8 can be drawn, too, though they’re rare."
)
_ROWS: Final = (
    "Besides the byte, a step needs `rows`: for each context, the row of a table. They depend only on the bytes of the "
    "post so far; `{name}` computes them."
)
_OPENING: Final = {
    "keras": 'import keras\nimport numpy as np\n\nmodel = keras.saving.load_model("bot.keras")',
    "onnx": 'import numpy as np\nimport onnxruntime\n\nsession = onnxruntime.InferenceSession("bot.onnx")',
}
_LSTM_STEP: Final = """
START = [np.zeros((1, UNITS), "float32")] * 2


def step(byte, post, states):
    logits, *states = model([np.array([[byte]], "int32"), *(np.asarray(state) for state in states)])
    return np.asarray(logits)[0, 0], states
"""
_GLR_STEP: Final = """
START = [np.zeros((1, UNITS), "float32")] * LAYERS


def step(byte, post, states):
    logits, *states = model([np.array([byte], "int32"), ROWS_INPUT*(np.asarray(state) for state in states)])
    return np.asarray(logits)[0], states
"""
_ONNX_STEP: Final = """
STATES = session.get_inputs()[1:]
START = [np.zeros([1, *each.shape[1:]], "int64" if each.name == "keys" else "float32") for each in STATES]


def step(byte, post, states):
    given = {each.name: state for each, state in zip(STATES, states)}
    logits, *states = session.run(None, {"symbol": np.array([byte], "int64"), **given})
    return logits[0], states
"""
_ROWS_CODE: Final = """
CONTEXTS = CONTEXTS_HERE  # lengths in bytes; 0 is the word so far


def rows_of(post):
    rows = []
    for place, length in enumerate(CONTEXTS):
        key = int.from_bytes((b"\\xff" * length + post)[-length:], "big") if length else 0
        for byte in b"" if length else post.replace(b"\\n", b" ").split(b" ")[-1]:
            key = (key * WORD_MULTIPLIER + byte + 1) % 2**31
        mixed = (key % 2**24 * LOW_MULTIPLIER + (key >> 24) * HIGH_MULTIPLIER) % 2**32
        rows.append(place * ROWS_HERE + (mixed >> SHIFT_HERE))
    return rows
"""
_WRITE: Final = """

def write(temperature=0.9, max_bytes=400):
    byte, post, states = 255, b"", START
    while len(post) < max_bytes:
        logits, states = step(byte, post, states)
        odds = np.exp((logits - logits.max()) / temperature, dtype="float64")
        byte = int(np.random.choice(256, p=odds / odds.sum()))
        if byte == 255:
            break
        post += bytes([byte])
    return post.decode(errors="replace")


print(write())
"""
_SCRIPT: Final = """// Writes with this model. tf: TensorFlow.js, or its part tfjs-core with a backend.
const STATES = STATES_HERE; // the states' names, what they become, and their widths
ROWS_FUNCTION
export const start = () => STATES.map(([, , width]) => new Float32Array(width));

// Reads a byte: 255 at the start, then those of the post. `post` are the bytes of the post so far, with this one.
export async function step(tf, model, byte, post, states) {
  const given = { symbol: tf.tensor1d([byte], "int32")ROWS_INPUT };
  STATES.forEach(([name, , width], place) => {
    given[name] = tf.tensor2d(states[place], [1, width]);
  });
  const results = model.execute(given, ["logits", ...STATES.map(([, name]) => name)]);
  const [logits, ...following] = await Promise.all(results.map((each) => each.data()));
  tf.dispose([given, results]);
  return [logits, following];
}

export async function write(tf, model, temperature = 0.9, maxBytes = 400) {
  const post = [];
  let byte = 255;
  let states = start();
  while (post.length < maxBytes) {
    let logits;
    [logits, states] = await step(tf, model, byte, post, states);
    const top = Math.max(...logits);
    const odds = Array.from(logits, (each) => Math.exp((each - top) / temperature));
    let left = Math.random() * odds.reduce((sum, each) => sum + each, 0);
    byte = odds.findIndex((each) => (left -= each) < 0);
    if (byte === 255 || byte < 0) break;
    post.push(byte);
  }
  return new TextDecoder().decode(new Uint8Array(post));
}
"""
_ADAPTER: Final = (
    "This is an adapter (LoRA) for the base model {base}, which isn't in this file. It was trained with the weights of "
    "the file whose sha256 is in this card. A file of the same model with other rounding works, with slightly other "
    "probabilities."
)
_TOKENS: Final = (
    "Each post begins and ends with the token `<|endoftext|>`, or the end mark of another base model. There is no chat "
    "template: the bot continues a post, and obeys nothing."
)
_ADAPTER_CODE: Final = {
    "peft": """```python
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE, BOT = "folder of the base model", "folder of this file"
tokenizer = AutoTokenizer.from_pretrained(BASE)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), BOT)
end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
post = model.generate(torch.tensor([[end]]), do_sample=True, top_p=0.95, max_new_tokens=100, eos_token_id=end)
print(tokenizer.decode(post[0], skip_special_tokens=True))
```""",
    "gguf-lora": """```sh
llama-completion -m base.gguf --lora bot.lora.gguf -no-cnv --top-p 0.95 -p "<|endoftext|>"
```""",
    "gguf": """```sh
llama-completion -m bot.gguf -no-cnv --top-p 0.95 -p "I love"
```

The file adds the first `<|endoftext|>` by itself.""",
}
_SCRIPT_ROWS: Final = """
const CONTEXTS = CONTEXTS_HERE; // lengths in bytes; 0 is the word so far

// Needs BigInt: keys have up to 48 bits.
export function rowsOf(post) {
  return CONTEXTS.map((length, place) => {
    let key = 0n;
    if (length) {
      for (const byte of [...new Array(length).fill(255), ...post].slice(-length)) key = key * 256n + BigInt(byte);
    } else {
      for (const byte of post) {
        key = byte === 32 || byte === 10 ? 0n : (key * BigInt(WORD_MULTIPLIER) + BigInt(byte) + 1n) % (1n << 31n);
      }
    }
    const mixed = ((key % (1n << 24n)) * BigInt(LOW_MULTIPLIER) + (key >> 24n) * BigInt(HIGH_MULTIPLIER)) % (1n << 32n);
    return place * ROWS_HERE + Number(mixed >> BigInt(SHIFT_HERE));
  });
}
"""


def how_to_use(config: NetworkConfig, name: str) -> str:
    """Return how to use the file, as Markdown. `name`: keras, onnx or tfjs."""
    if name == "tfjs":
        code = (
            '```js\nimport * as tf from "@tensorflow/tfjs";\nimport { write } from "./bot.mjs";\n\n'
            'console.log(await write(tf, await tf.loadGraphModel("model.json")));\n```'
        )
    else:
        code = f"```python\n{python_code(config, name)}```"
    reading = [_READING]
    if config.contexts and name != "onnx":
        reading.append(_ROWS.format(name="rowsOf" if name == "tfjs" else "rows_of"))
    return f"## How to use this file\n\n{' '.join(reading)}\n\n{code}\n\n## What this file lacks\n\n{LACKS}"


def how_to_use_adapter(name: str, base: str) -> str:
    """Return how to use a fluent bot's file, as Markdown. `name`: peft, gguf-lora or gguf; `base`: the base model."""
    parts = [_TOKENS if name == "gguf" else f"{_ADAPTER.format(base=base)} {_TOKENS}", _ADAPTER_CODE[name]]
    return "\n\n".join(["## How to use this file", *parts, "## What this file lacks", LACKS])


def python_code(config: NetworkConfig, name: str) -> str:
    """Return a program that writes a post with the file bot.keras or bot.onnx in the current folder."""
    step = _ONNX_STEP if name == "onnx" else _LSTM_STEP if config.kind == "lstm" else _GLR_STEP
    has_rows = bool(config.contexts) and name != "onnx"
    step = step.replace("ROWS_INPUT", 'np.array([rows_of(post)], "int32"), ' if has_rows else "")
    step = step.replace("UNITS", str(config.units)).replace("LAYERS", str(config.layers))
    rows = _filled(_ROWS_CODE, config) + "\n" if has_rows else ""
    return f"{_OPENING[name]}\n{rows}{step}{_WRITE}"


def script(config: NetworkConfig) -> str:
    """Return the JavaScript module that writes with a TensorFlow.js model."""
    if config.kind == "lstm":
        states = [["h", "next_h", config.units], ["c", "next_c", config.units]]
    else:
        states = [[f"c_{layer}", f"next_c_{layer}", config.units] for layer in range(config.layers)]
    rows, given = "", ""
    if config.contexts:
        rows = _filled(_SCRIPT_ROWS, config)
        given = f', rows: tf.tensor2d(rowsOf(post), [1, {len(config.contexts)}], "int32")'
    text = _SCRIPT.replace("STATES_HERE", json.dumps(states))
    return text.replace("ROWS_FUNCTION", rows).replace("ROWS_INPUT", given)


def _filled(code: str, config: NetworkConfig) -> str:
    values = {
        "WORD_MULTIPLIER": hashed_ngrams.WORD_MULTIPLIER,
        "LOW_MULTIPLIER": hashed_ngrams.LOW_MULTIPLIER,
        "HIGH_MULTIPLIER": hashed_ngrams.HIGH_MULTIPLIER,
        "CONTEXTS_HERE": json.dumps(config.contexts),
        "ROWS_HERE": config.context_rows,
        "SHIFT_HERE": 33 - config.context_rows.bit_length(),
    }
    for name, value in values.items():
        code = code.replace(name, str(value))
    return code
