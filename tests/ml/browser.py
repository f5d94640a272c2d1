"""Tasks for static/js/in-browser, run by Node.js, and texts to try its rules with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from playwright._impl._driver import compute_driver_executable

ROOT: Final = Path(__file__).parents[2]
#: Posts with everything that the rules about words know.
TEXTS: Final = [
    "Straße, STRASSE and ẞ: ﬁne ﬂuﬀ, café CAFÉ İstanbul ısı ΣΊΣΥΦΟΣ",
    "don't d’ont dont ‘quotes’ naïve ½ ² Ⅷ 漢字かな ⓐⓑ",
    "see http://example.com/a?b=1 www.example.org/x t.co/abc @name@example.org #Tag＃タグ",
    "w/@bob RT@bob: START@bob t.example/@bob https://a.example/RT@bob rt@ann w/RT@cy",
    "@alice.smith.com @al-ice.bsky.social, @na.me@ser-ver.example @bob.Then we @ann. then @cy- @a.co2 @Ünï.bsky.social",
    "a@b.c mail me@example.com !@name x@y @Ünï_1 ＠wide @a @b@c.d.",
    "*@a@b.example* **@b** #@c $@d %@e @f&@g @h@@i @@j.example ＠＠k !@#$%&*@! https://a.example/?b&@c",
    "我想去海边 เราไปทะเลกันวันนี้ ดื่มน้ำเย็น คิดถึง ຂ້ອຍຮັກເຈົ້າ ငါမင်းကိုချစ်တယ် ខ្ញុំស្រលាញ់អ្នក ซื้อartที่นี่",
    "กิน ก.น मिल म-ल مُحَمَّد שָׁלוֹם k\ufe0fi\ufe0fl\u20e3l yourself",
    "k\u0489i\u0489ll yourself k\u0e34\u0e48i\u093fll \u0e34yourself",
    "k.i.l.l yourself KILL   your-self k1lllll yoursel\u200bf skill yourself k_i_l_l_y",
    "🙂🙂 👩🏽\u200d🚀 \u00a0\u2003 tab\there\nnext",
    "🙂 🚀",
    "ᏣᎳᎩ ꭰꭱ Ꮿ ŉ ǰ ΐ և",
    "The quick brown fox jumps over the lazy dog and runs away from it",
    "party art Art! #art a-r-t @rt 4rt",
    "",
]


def run(tasks: Sequence[dict[str, Any]], file: Path | None = None, *, vectors: bool = True) -> list[Any]:
    """Return the results of the tasks (in_browser.mjs), with the bot in this file.

    vectors: whether products are by WebAssembly.
    """
    answer: list[Any] = in_node("in_browser.mjs", {"file": file and str(file), "vectors": vectors, "tasks": tasks})
    return answer


def in_node(program: str, asked: dict[str, Any]) -> Any:
    """Return what the program answers to this."""
    asked = {"scripts": str(ROOT / "static/js/in-browser"), **asked}
    node = str(compute_driver_executable()[0])
    command = [node, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(ROOT / "tests/ml" / program)]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
