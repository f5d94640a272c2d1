"""How to use a small network in another format: how it reads and writes a post, as text and as code."""

from __future__ import annotations

import json
from typing import Final

from models_app.ml.config import BYTES, NetworkConfig, usual
from models_app.ml.networks import hashed_ngrams
from models_app.ml.vocabulary import vocabulary_of
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
_READING_TOKENS: Final = (
    "A symbol is a token, a frequent run of bytes. WHERE_HERE says which. Token END_HERE is the start mark and the end "
    "mark. For each post, start with all states zero and read it; then read the tokens of the post. After each you get "
    "the logits of the next one, and the states for the next step. Their softmax is the probabilities. The post ends "
    "when the end mark is drawn. Tokens that make no valid UTF-8 can be drawn, too, though they’re rare."
)
#: Where the vocabulary of tokens is.
_WHERE: Final = {
    "keras": "`tokenizer.json` in the file, which is a zip,",
    "onnx": "`tokenizer.json` in the metadata",
    "tfjs": "`tokenizer.json`",
}
_TOKENIZER_CODE: Final = {
    "keras": """
import zipfile
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_str(zipfile.ZipFile("bot.keras").read("tokenizer.json").decode())
""",
    "onnx": """
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_str(session.get_modelmeta().custom_metadata_map["tokenizer.json"])
""",
}
_ROWS: Final = (
    "Besides the SYMBOL_HERE, a step needs `rows`: for each context, the row of a table. They depend only on the "
    "SYMBOL_HEREs of the post so far; `{name}` computes them."
)
_OPENING_SCRIPT: Final = """import * as tf from "@tensorflow/tfjs";
import { write } from "./bot.mjs";

console.log(await write(tf, await tf.loadGraphModel("model.json")));
"""
_OPENING_SCRIPT_TOKENS: Final = """import * as tf from "@tensorflow/tfjs";
import { bytesOf, write } from "./bot.mjs";

const tokens = bytesOf(await (await fetch("tokenizer.json")).json());
console.log(await write(tf, await tf.loadGraphModel("model.json"), 0.9, LENGTH_HERE, tokens));
"""
_OPENING: Final = {
    "keras": 'import keras\nimport numpy as np\n\nmodel = keras.saving.load_model("bot.keras")',
    "onnx": 'import numpy as np\nimport onnxruntime\n\nsession = onnxruntime.InferenceSession("bot.onnx")',
}
_LSTM_STEP: Final = """
START = [np.zeros((1, UNITS), "float32")] * 2


def step(SYMBOL_HERE, post, states):
    logits, *states = model([np.array([[SYMBOL_HERE]], "int32"), *(np.asarray(state) for state in states)])
    return np.asarray(logits)[0, 0], states
"""
_GLR_STEP: Final = """
START = [np.zeros((1, UNITS), "float32")] * LAYERS


def step(SYMBOL_HERE, post, states):
    logits, *states = model([np.array([SYMBOL_HERE], "int32"), ROWS_INPUT*(np.asarray(state) for state in states)])
    return np.asarray(logits)[0], states
"""
_ONNX_STEP: Final = """
STATES = session.get_inputs()[1:]
START = [np.zeros([1, *each.shape[1:]], "int64" if each.name == "keys" else "float32") for each in STATES]


def step(SYMBOL_HERE, post, states):
    given = {each.name: state for each, state in zip(STATES, states)}
    logits, *states = session.run(None, {"symbol": np.array([SYMBOL_HERE], "int64"), **given})
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
_TOKEN_ROWS_CODE: Final = """
CONTEXTS = CONTEXTS_HERE  # lengths in tokens


def rows_of(post):
    rows = []
    for place, length in enumerate(CONTEXTS):
        key = 0
        for token in ([END_HERE] * length + post)[-length:]:
            key = key * BASE_HERE + token
        mixed = (key % 2**24 * LOW_MULTIPLIER + (key >> 24) * HIGH_MULTIPLIER) % 2**32
        rows.append(place * ROWS_HERE + (mixed >> SHIFT_HERE))
    return rows
"""
_WRITE_TOKENS: Final = """

def write(temperature=0.9, most=LENGTH_HERE):
    token, post, states = END_HERE, [], START
    while len(post) < most:
        logits, states = step(token, post, states)
        odds = np.exp((logits - logits.max()) / temperature, dtype="float64")
        token = int(np.random.choice(len(odds), p=odds / odds.sum()))
        if token == END_HERE:
            break
        post.append(token)
    return tokenizer.decode(post)


print(write())
"""
_WRITE: Final = """

def write(temperature=0.9, most=LENGTH_HERE):
    byte, post, states = 255, b"", START
    while len(post) < most:
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
const END = END_HERE;
ROWS_FUNCTION
export const start = () => STATES.map(([, , width]) => new Float32Array(width));

// Reads a SYMBOL_HERE: END at the start, then those of the post. `post`: all SYMBOL_HEREs of the post so far, this one
// included.
export async function step(tf, model, symbol, post, states) {
  const given = { symbol: tf.tensor1d([symbol], "int32")ROWS_INPUT };
  STATES.forEach(([name, , width], place) => {
    given[name] = tf.tensor2d(states[place], [1, width]);
  });
  const results = model.execute(given, ["logits", ...STATES.map(([, name]) => name)]);
  const [logits, ...following] = await Promise.all(results.map((each) => each.data()));
  tf.dispose([given, results]);
  return [logits, following];
}

export async function write(tf, model, temperature = 0.9, most = LENGTH_HEREVOCABULARY_INPUT) {
  const post = [];
  let symbol = END;
  let states = start();
  while (post.length < most) {
    let logits;
    [logits, states] = await step(tf, model, symbol, post, states);
    const top = logits.reduce((one, other) => Math.max(one, other));
    const odds = Array.from(logits, (each) => Math.exp((each - top) / temperature));
    let left = Math.random() * odds.reduce((sum, each) => sum + each, 0);
    symbol = odds.findIndex((each) => (left -= each) < 0);
    if (symbol === END || symbol < 0) break;
    post.push(symbol);
  }
  return new TextDecoder().decode(new Uint8Array(BYTES_OF_POST));
}
"""
#: How a script gets the bytes of tokens.
_SCRIPT_TOKENS: Final = """
// Returns the bytes of each token. tokenizer: the content of tokenizer.json.
export function bytesOf(tokenizer) {
  // A token's name has a character for each byte: that of Latin-1, or one from U+0100 on if that can't be seen.
  const seen = (code) => (code > 32 && code < 127) || (code > 160 && code !== 173);
  const hidden = Array.from({ length: 256 }, (_, code) => code).filter((code) => !seen(code));
  const byteOf = (code) => (code < 256 ? code : hidden[code - 256]);
  const tokens = [];
  for (const [name, token] of Object.entries(tokenizer.model.vocab)) {
    tokens[token] = Array.from(name, (character) => byteOf(character.codePointAt(0)));
  }
  for (const { id } of tokenizer.added_tokens) tokens[id] = [];
  return tokens;
}
"""
_SCRIPT_TOKEN_ROWS: Final = """
const CONTEXTS = CONTEXTS_HERE; // lengths in tokens

export function rowsOf(post) {
  return CONTEXTS.map((length, place) => {
    let key = 0n;
    const last = [...new Array(length).fill(END), ...post].slice(-length);
    for (const token of last) key = key * BASE_HEREn + BigInt(token);
    const mixed = ((key % (1n << 24n)) * BigInt(LOW_MULTIPLIER) + (key >> 24n) * BigInt(HIGH_MULTIPLIER)) % (1n << 32n);
    return place * ROWS_HERE + Number(mixed >> BigInt(SHIFT_HERE));
  });
}
"""
_ADAPTER: Final = (
    "This is an adapter (LoRA) for the base model {base}, which isn't in this file. It was trained with the weights of "
    "the file whose sha256 is in this card. A file of the same model with other rounding works, with slightly other "
    "probabilities."
)
_TOKENS: Final = (
    "Each post begins and ends with the token `END_HERE`. There is no chat template: the bot continues a post, and "
    "obeys nothing."
)
#: How fluent bots write here. By default, llama.cpp and transformers have another temperature, a top k and the like.
_USUAL: Final = usual("llama")
_OF_LLAMA_CPP: Final = (
    f'--temp {_USUAL.temperature} --top-k 0 --min-p 0 --top-p {_USUAL.top_p} --samplers "temperature;top_p"'
)
_OF_TRANSFORMERS: Final = f"do_sample=True, temperature={_USUAL.temperature}, top_k=0, top_p={_USUAL.top_p}"
_ADAPTER_CODE: Final = {
    "peft": f"""```python
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE, BOT = "folder of the base model", "folder of this file"
tokenizer = AutoTokenizer.from_pretrained(BASE)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), BOT)
end = tokenizer.convert_tokens_to_ids("END_HERE")
post = model.generate(
    torch.tensor([[end]]), {_OF_TRANSFORMERS}, max_new_tokens=100, eos_token_id=end
)
print(tokenizer.decode(post[0], skip_special_tokens=True))
```""",
    "gguf-lora": f"""```sh
llama-completion -m base.gguf --lora bot.lora.gguf -no-cnv {_OF_LLAMA_CPP} -p "END_HERE"
```""",
    "gguf": f"""```sh
llama-completion -m bot.gguf -no-cnv {_OF_LLAMA_CPP} -p "I love"
```

The file adds the first `END_HERE` by itself.""",
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
    reads_bytes = config.vocabulary == BYTES
    if name == "tfjs":
        code = f"```js\n{_OPENING_SCRIPT if reads_bytes else _filled(_OPENING_SCRIPT_TOKENS, config)}```"
    else:
        code = f"```python\n{python_code(config, name)}```"
    reading = [_READING if reads_bytes else _READING_TOKENS.replace("WHERE_HERE", _WHERE[name])]
    if config.contexts and name != "onnx":
        reading.append(_ROWS.format(name="rowsOf" if name == "tfjs" else "rows_of"))
    reading = [_filled(text, config) for text in reading]
    return f"## How to use this file\n\n{' '.join(reading)}\n\n{code}\n\n## What this file lacks\n\n{LACKS}"


def how_to_use_adapter(name: str, base: str, end: str) -> str:
    """Return how to use a fluent bot's file, as Markdown.

    `name`: peft, gguf-lora or gguf; `base`: the base model; `end`: the token that begins and ends its texts.
    """
    parts = [_TOKENS if name == "gguf" else f"{_ADAPTER.format(base=base)} {_TOKENS}", _ADAPTER_CODE[name]]
    parts = [part.replace("END_HERE", end) for part in parts]
    return "\n\n".join(["## How to use this file", *parts, "## What this file lacks", LACKS])


def python_code(config: NetworkConfig, name: str) -> str:
    """Return a program that writes a post with the file bot.keras or bot.onnx in the current folder."""
    step = _ONNX_STEP if name == "onnx" else _LSTM_STEP if config.kind == "lstm" else _GLR_STEP
    has_rows = bool(config.contexts) and name != "onnx"
    step = step.replace("ROWS_INPUT", 'np.array([rows_of(post)], "int32"), ' if has_rows else "")
    step = step.replace("UNITS", str(config.units)).replace("LAYERS", str(config.layers))
    if config.vocabulary == BYTES:
        tokenizer, rows, write = "", _ROWS_CODE, _WRITE
    else:
        tokenizer, rows, write = _TOKENIZER_CODE[name], _TOKEN_ROWS_CODE, _WRITE_TOKENS
    rows = f"{rows}\n" if has_rows else ""
    return _filled(f"{_OPENING[name]}\n{tokenizer}{rows}{step}{write}", config)


def script(config: NetworkConfig) -> str:
    """Return the JavaScript module that writes with a TensorFlow.js model."""
    if config.kind == "lstm":
        states = [["h", "next_h", config.units], ["c", "next_c", config.units]]
    else:
        states = [[f"c_{layer}", f"next_c_{layer}", config.units] for layer in range(config.layers)]
    reads_bytes = config.vocabulary == BYTES
    rows, given = "", ""
    if config.contexts:
        rows = _SCRIPT_ROWS if reads_bytes else _SCRIPT_TOKEN_ROWS
        given = f', rows: tf.tensor2d(rowsOf(post), [1, {len(config.contexts)}], "int32")'
    parts = {
        "STATES_HERE": json.dumps(states),
        "ROWS_FUNCTION": rows if reads_bytes else _SCRIPT_TOKENS + rows,
        "ROWS_INPUT": given,
        "VOCABULARY_INPUT": "" if reads_bytes else ", tokens",
        "BYTES_OF_POST": "post" if reads_bytes else "post.flatMap((token) => tokens[token])",
    }
    text = _SCRIPT
    for name, value in parts.items():
        text = text.replace(name, value)
    return _filled(text, config)


def _filled(code: str, config: NetworkConfig) -> str:
    vocabulary = vocabulary_of(config)
    values = {
        "WORD_MULTIPLIER": hashed_ngrams.WORD_MULTIPLIER,
        "LOW_MULTIPLIER": hashed_ngrams.LOW_MULTIPLIER,
        "HIGH_MULTIPLIER": hashed_ngrams.HIGH_MULTIPLIER,
        "CONTEXTS_HERE": json.dumps(config.contexts),
        "ROWS_HERE": config.context_rows,
        "SHIFT_HERE": 33 - config.context_rows.bit_length(),
        "BASE_HERE": hashed_ngrams.Contexts.of(config.contexts, vocabulary).base,
        "END_HERE": vocabulary.end,
        "SYMBOL_HERE": "byte" if config.vocabulary == BYTES else "token",
        "LENGTH_HERE": 400 if config.vocabulary == BYTES else 150,
    }
    for name, value in values.items():
        code = code.replace(name, str(value))
    return code
