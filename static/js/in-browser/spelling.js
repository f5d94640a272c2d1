// What a word is, as in models_app/ml/words.py. Every rule of Python's `re` that JavaScript lacks is spelled out here.

/** Letters, digits and the like, in any script: Python's [^\W_], and its \w. */
export const LETTER = "\\p{L}\\p{N}";
export const WORD = `${LETTER}_`;
/** White space of Python: unlike JavaScript's, it has no zero-width space but the separators of ASCII. */
export const SPACE = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
/** The edge of a word: Python's \b */
export const EDGE = `(?:(?<![${WORD}])(?=[${WORD}])|(?<=[${WORD}])(?![${WORD}]))`;

const LINK = new RegExp(
  `(?:https?://|${EDGE}www\\.)[^${SPACE}]+|${EDGE}[${WORD}\\-]+(?:\\.[${WORD}\\-]+)*\\.[a-z]{2,}/[^${SPACE}]*`,
  "giu",
);
const HANDLE = `[@＠][A-Za-z0-9_\\u00c0-\\u024f]+(?:[@＠][${WORD}.\\-]*[${WORD}])*`;
/** With dots or hyphens: a domain, as on Bluesky, or a name in front of its server. */
const DOMAIN = `[@＠](?:[A-Za-z0-9](?:[A-Za-z0-9\\-]*[A-Za-z0-9])?\\.)+[a-z]{2,}(?![${WORD}\\-])`;
const AT_SERVER = `[@＠][A-Za-z0-9_](?:[A-Za-z0-9_.\\-]*[A-Za-z0-9_])?(?:[@＠][${WORD}.\\-]*[${WORD}])+`;
const MENTION = new RegExp(`(?<![A-Za-z0-9_!#$%&*@＠/])${HANDLE}`, "gu");
/**
 * What X or Mastodon takes for a mention. On X, that includes a handle after a slash or after RT. The group matches
 * only for these. On Mastodon, it includes a handle after one of !#$%&*@, unlike MENTION.
 */
const HIDDEN = new RegExp(
  `(?:(?<![A-Za-z0-9_/])|((?<=/)|(?<=[Rr][Tt])(?<![A-Za-z0-9_+~.\\-][Rr][Tt])))(?:${AT_SERVER}|${DOMAIN}|${HANDLE})`,
  "gu",
);
const APOSTROPHES = "'’ʼ＇`´";
const CHEROKEE = /[\u13a0-\u13f5\u13f8-\u13fd\uab70-\uabbf]/;
const SPACES = new RegExp(`[${SPACE}]+`, "gu");
const OUTER_SPACES = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");
const IN_WORD = /^[\p{L}\p{N}\p{M}]/u;
const DROPPED = /^[\p{Mn}\p{Me}\p{Cf}]/u;
const KEPT = /^[\p{L}\p{N}\p{Mc}]/u;

/** `str.strip()` */
export const stripped = (text) => text.replace(OUTER_SPACES, "");

/** `len(text)`: characters, not the halves of pairs. */
export const lengthOf = (text) => {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
};

/** Return whether this is a Chinese or Japanese character, each of which counts as a word. */
export function withoutSpace(character) {
  const code = character.codePointAt(0);
  return (
    (code >= 0x3040 && code <= 0x30ff) ||
    (code >= 0x3400 && code <= 0x9fff) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0x20000 && code < 0x32400)
  );
}

export const inWord = (character) => IN_WORD.test(character);

/** Characters of Thai and Lao, of Burmese, of Khmer and of Japanese: words have several, but no spaces separate them. */
export const UNSPACED = /^[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\uff66-\uff9f]/;

/** Return whether this is in a word that goes on until a space or a sign, as words of most scripts do. */
export const inSpacedWord = (character) =>
  (character === "_" || inWord(character)) && !withoutSpace(character) && !UNSPACED.test(character);

/** `str.casefold()` */
function casefolded(text) {
  let out = "";
  for (const character of text) {
    if (character === "ı") out += character;
    else if (character === "ẞ") out += "ss";
    else if (CHEROKEE.test(character)) out += character.toUpperCase();
    // One by one, because the lower case of a Greek S depends on its neighbours.
    else for (const upper of character.toUpperCase()) out += upper.toLowerCase();
  }
  return out;
}

/** Return the text in one form for all spellings that look the same, with single spaces. */
export function folded(text) {
  return stripped(casefolded(text.normalize("NFKC")).normalize("NFKC").replace(SPACES, " "));
}

const ownText = (text) => folded(text.replace(MENTION, " ").replace(LINK, " "));

/** What becomes of each character in `words`. */
const plain = new Map();

function plainOf(character) {
  let found = plain.get(character);
  if (found === undefined) {
    if (APOSTROPHES.includes(character) || DROPPED.test(character)) found = "";
    else if (KEPT.test(character)) found = withoutSpace(character) ? ` ${character} ` : character;
    else found = " ";
    plain.set(character, found);
  }
  return found;
}

/** Return the folded words of the text, without punctuation, emoji, links and @mentions. */
export function wordsOf(text) {
  let out = "";
  for (const character of ownText(text)) out += plainOf(character);
  return out.split(SPACES).filter(Boolean);
}

/** Return the characters of a text without words, such as emoji. */
export const signsOf = (text) => ownText(text).replaceAll(" ", "");

/** Return whether the post mentions somebody whom its prompt doesn't. */
export function addsMention(post, prompt) {
  const links = linksOf(post);
  return [...post.matchAll(HIDDEN)].some(({ 0: mention, 1: others, index }) => {
    const isInLink = others !== undefined && links.some(([begin, end]) => begin < index && index < end);
    return !isInLink && index + mention.length > prompt.length;
  });
}

/** Return where links and names are: digits in them are no numbers. */
export function linksOf(text) {
  return [...text.matchAll(LINK)].map(({ 0: link, index }) => [index, index + link.length]);
}
