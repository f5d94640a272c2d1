// Finds personal data that a post adds to its prompt, as in tweets/cleaning/personal. Where the server has the rules of each
// country (phone numbers, addresses of computers), this refuses whatever may be one.

import { EDGE, SPACE, WORD } from "./spelling.js";

const DIGIT = "\\p{Nd}";
const NOT_LINE_END = SPACE.replace("\\t-\\r", "\\t\\x0b-\\r");

const SHAPES = [
  "sk-(?:[a-z]{2,8}\\d{0,2}-)*[A-Za-z0-9_\\-]{20,}",
  "[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
  "gh[pousr]_[A-Za-z0-9]{30,}",
  "github_pat_[A-Za-z0-9_]{30,}",
  "glpat-[A-Za-z0-9_\\-]{20,}",
  "A[KS]IA[A-Z0-9]{16}",
  "AIza[A-Za-z0-9_\\-]{35}",
  "ya29\\.[A-Za-z0-9_\\-]{20,}",
  "xox[abeoprs]-[A-Za-z0-9\\-]{10,}",
  "xapp-[A-Za-z0-9\\-]{20,}",
  "hooks\\.slack\\.com/services/[A-Za-z0-9\\/_\\-]{20,}",
  "(?:hf|npm)_[A-Za-z0-9]{30,}",
  "pypi-[A-Za-z0-9_\\-]{40,}",
  "SG\\.[A-Za-z0-9_\\-]{16,}\\.[A-Za-z0-9_\\-]{16,}",
  "eyJ[A-Za-z0-9_\\-]{10,}\\.[A-Za-z0-9_\\-]{10,}(?:\\.[A-Za-z0-9_\\-]*)?",
  "bf_[A-Za-z0-9_\\-]{20,}",
  "whsec_[A-Za-z0-9+\\/=_\\-]{20,}",
];
const SHAPED = new RegExp(`(?<![A-Za-z0-9_\\-])(?:${SHAPES.join("|")})`, "gu");
const BLOCK = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]{0,30}KEY-----)?/gu;
const NAMED = new RegExp(
  `${EDGE}(?:pass(?:word|wort|code|phrase|wd)?|kennwort|pwd|pin|api[ _\\-]?key|secret|token)[${SPACE}]?[:=][${SPACE}]{0,2}["'“”‘’]?(?<found>[^${SPACE}"'“”‘’,;]{4,64})`,
  "giu",
);
const LONG = new RegExp(`(?<![${WORD}+\\/=#@＠.\\-])(?=(?<long>[A-Za-z0-9_+\\/\\-]{24,}))\\k<long>={0,2}(?![${WORD}+\\/=@＠.\\-]*[${WORD}@＠])`, "gu");
const HEX = /^(?:0x)?[0-9a-fA-F]{32,}$/;

const ENDING = `(?=(?<ending>[\\p{L}]{2,24}))\\k<ending>`;
const EMAIL = new RegExp(
  `(?<![${WORD}.+@＠\\-])(?=(?<name>[${WORD}.+\\-]+))\\k<name>[@＠](?:[${WORD}\\-]{1,63}\\.){1,8}${ENDING}(?![@＠${DIGIT}])`,
  "gu",
);
const PROVIDERS = "gmail|googlemail|yahoo|hotmail|outlook|icloud|aol|live|proton(?:mail)?|gmx|web|mail|fastmail|zoho|yandex";
const ENDINGS = "com|org|net|edu|gov|info|co|io|me|de|fr|uk|es|it|eu|ch|at|nl|ca|au|in|us";
const SPELLED_DOT = `(?:[${SPACE}]?[[({<][${SPACE}]?(?:dot|\\.)[${SPACE}]?[\\])}>][${SPACE}]?|[${SPACE}]dot[${SPACE}])`;
const DOT = `(?:${SPELLED_DOT}|[${SPACE}]\\.[${SPACE}]|\\.)`;
const SPELLED = new RegExp(
  `(?<![${WORD}.+\\-])(?=(?<first>[${WORD}.+\\-]{1,64}))\\k<first>(?:${SPELLED_DOT}(?=(?<more>[${WORD}.+\\-]{1,64}))\\k<more>){0,4}` +
    `(?:[${SPACE}]?[[({<][${SPACE}]?(?:at|@)[${SPACE}]?[\\])}>][${SPACE}]?(?:[${WORD}\\-]{1,63}${DOT}){1,4}` +
    `|[${SPACE}](?:at|@)[${SPACE}](?:${PROVIDERS})${DOT})(?:${ENDINGS})${EDGE}`,
  "giu",
);

const DIGITS = new RegExp(`${DIGIT}(?:\\P{Nd}{0,3}${DIGIT}){6}`, "u");
/** Hyphens and dashes that word processors and phones set between the parts of a number. */
const HYPHENS = /(?<=\p{Nd})[\u2010-\u2015\u2212](?=\p{Nd})/gu;
/** The links and names in which digits are no numbers. */
const NAMES = [
  new RegExp(
    `https?://t\\.co/[A-Za-z0-9]*…?|https?://(?:[!-~]*[A-Za-z0-9\\/=_#\\-])?…?|${EDGE}(?:pic\\.twitter\\.com|t\\.co)/[A-Za-z0-9]+…?|${EDGE}https?:?/?…`,
    "giu",
  ),
  new RegExp(`[@＠#＃][${WORD}]+(?:@[${WORD}.\\-]+)?`, "gu"),
];
const IBAN = /(?<![A-Za-z0-9])[A-Za-z]{2}\p{Nd}{2}(?:[ \u2010-\u2015\u2212-]?[A-Za-z0-9]){11,30}/gu;
const CARD = new RegExp(`(?<![${WORD}.,$€£#@\\-])${DIGIT}(?:[ \\-]?${DIGIT}){12,18}(?![${WORD}\\-]|[.,]${DIGIT})`, "gu");
const BRANDS =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14})$/;
const SSN = new RegExp(
  `(?<![${WORD}.\\-])(?!000|666|9)${DIGIT}{3}(?<between>[\\- ])(?!00)${DIGIT}{2}\\k<between>(?!0000)${DIGIT}{4}(?![${WORD}\\-]|\\.${DIGIT})`,
  "gu",
);
const IPV4 = new RegExp(`(?<![${WORD}.\\-])(?:\\d{1,3}\\.){3}\\d{1,3}(?![${WORD}\\-]|\\.${DIGIT})`, "gu");
const IPV6 = new RegExp(`(?<![${WORD}:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,35}(?![${WORD}:])`, "gu");
const PHONE = new RegExp(
  `(?<![${WORD}$€£#@＠])(?:\\+|\\(\\+?)?${DIGIT}(?:[${NOT_LINE_END}]?[\\-().\\/–]{0,2}[${NOT_LINE_END}]?${DIGIT}){6,17}(?!-?[${WORD}])`,
  "gu",
);
const CALLED = new RegExp(
  `${EDGE}(?:call|text|phone|mobile|cell|what'?sapp|dial|sms|fax|reach (?:me|us)|my number|t[eé]l[eé]?|t[eé]l[eé]phone|` +
    `telefon|telefoon|tel[eé]fon[oe]|handy|anruf(?:en)?|ruf(?:t|en)?(?: [${WORD}]+)? an|appel(?:le|ez)(?:-[${WORD}]+)?|` +
    `m[oó]vil|celular|ll[aá]m(?:a|e|ame|eme)|chiam(?:a|ami|ate|ateci)|cellulare)${EDGE}` +
    `[^${DIGIT}\\n+(]{0,16}(?<found>\\+?\\(?${DIGIT}(?:[ )\\-]{0,3}${DIGIT}){6,14})(?![\\-.]?[${WORD}])`,
  "giu",
);
/** A date, also with the hour after it; two years; a decimal. */
const NO_PHONE =
  /^(?:(?:19|20)\p{Nd}{2}(?:(?<between>[ -])\p{Nd}{2}\k<between>\p{Nd}{2}(?: \p{Nd}{2})?|[ -](?:19|20)\p{Nd}{2})|\p{Nd}\.\p{Nd}{5,})$/u;
const MIN_DIGITS = 9;
const MIN_DIFFERENT = 3;

/** Return the start and end of each match, or of the group `found` in it. */
function spansOf(pattern, text, isOne = (_) => true) {
  const found = [];
  for (const match of text.matchAll(pattern)) {
    const word = match.groups?.found ?? match[0];
    const end = match.index + match[0].length;
    if (isOne(word)) found.push([end - word.length, end]);
  }
  return found;
}

const count = (text, pattern) => text.match(pattern)?.length ?? 0;
const different = (text) => new Set(text).size;

function isRandom(word) {
  if (HEX.test(word)) return different(word.toLowerCase()) >= 8;
  const isMixed = /[a-z]/.test(word) && /[A-Z]/.test(word);
  return isMixed && count(word, /\d/g) >= 3 && different(word) >= 14 && count(word, /[A-Za-z]+|\d+/g) >= 5;
}

const isMixed = (word) => /\p{N}/u.test(word) && !/^(?:http|@|#)/.test(word);

function isIban(text) {
  const number = text.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
  // Each country has its own length, which only the server knows.
  for (let length = 15; length <= number.length; length += 1) {
    const moved = number.slice(4, length) + number.slice(0, 4);
    if (BigInt([...moved].map((sign) => parseInt(sign, 36)).join("")) % 97n === 1n) return true;
  }
  return false;
}

function isCard(text) {
  const digits = text.replace(/\D/g, "");
  if (!BRANDS.test(digits) || different(digits) < 2) return false;
  const sum = [...digits].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

/** Return whether these four numbers may be an address of the internet, and not the version of an app. */
function isAddress(text) {
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255) || /(?:^|\.)0\d/.test(text)) return false;
  const [a, b] = parts;
  const isPrivate = a === 0 || a === 10 || a === 127 || a >= 240 || (a === 192 && b === 168) || (a === 169 && b === 254);
  if (isPrivate || (a === 172 && b >= 16 && b < 32) || (a === 100 && b >= 64 && b < 128)) return false;
  return parts.filter((part) => part >= 100).length >= 2 || !(a <= 20 || parts.includes(0));
}

function isPhone(text) {
  if (NO_PHONE.test(text)) return false;
  const digits = text.replace(/\P{Nd}/gu, "");
  const isInternational = /^(?:\+|00)/.test(text.replace(/^\(+/, ""));
  return different(digits) >= MIN_DIFFERENT && (digits.length >= MIN_DIGITS || isInternational);
}

/** Return whether the post has personal data that isn't all in the prompt that it begins with. */
export function addsPersonal(post, prompt) {
  const isAdded = ([, end]) => end > prompt.length;
  const everywhere = [
    ...spansOf(SHAPED, post),
    ...spansOf(BLOCK, post),
    ...spansOf(NAMED, post, isMixed),
    ...spansOf(EMAIL, post),
    ...spansOf(SPELLED, post),
  ];
  if (everywhere.some(isAdded)) return true;
  const numbers = spansOf(LONG, post, isRandom);
  if (DIGITS.test(post)) {
    // Also as it is: a dash between two numbers is a part of neither.
    for (const text of new Set([post.replace(HYPHENS, "-"), post])) {
      numbers.push(...spansOf(IBAN, text, isIban), ...spansOf(CARD, text, isCard), ...spansOf(SSN, text));
      numbers.push(...spansOf(PHONE, text, isPhone));
      if (count(text, PHONE)) numbers.push(...spansOf(CALLED, text, (word) => !NO_PHONE.test(word)));
    }
  }
  numbers.push(...spansOf(IPV4, post, isAddress), ...spansOf(IPV6, post));
  if (!numbers.some(isAdded)) return false;
  const names = NAMES.flatMap((pattern) => spansOf(pattern, post));
  return numbers.some((span) => isAdded(span) && !names.some(([start, end]) => span[0] < end && start < span[1]));
}
