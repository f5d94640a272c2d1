// Texts of scripts in the language of the page. They are written in English; for another language, base.html loads its
// texts (django.views.i18n.JavaScriptCatalog) before any module.

const { django: catalog } = /** @type {Window & { django?: any }} */ (window);

/** @type {(text: string) => string} */
export const gettext = catalog?.gettext ?? ((text) => text);

/** @type {(singular: string, plural: string, count: number) => string} */
export const ngettext = catalog?.ngettext ?? ((singular, plural, count) => (count === 1 ? singular : plural));

/**
 * Fill in the values: `interpolate(gettext("Trying again at %(time)s."), { time })`.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export const interpolate = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name]));

/** What several scripts say when an answer isn't what they asked for. */
export const FAILED = gettext("That didn’t work. Try again, or reload the page.");
/** The same after a redirect, which leads to the page to sign in. */
export const SIGNED_OUT = gettext("You’ve been signed out. Reload the page.");
