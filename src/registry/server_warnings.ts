import { shownText } from "./registry_error.ts";

/** More different warnings than this in one job are noise, or an attack on the log. */
const WARNING_LIMIT = 16;

/**
 * Texts of `Warning: 299 - "text"` headers (distribution-spec, "Warnings"), joined by `fetch`. They are for people:
 * nothing is ever decided by them.
 *
 * @example
 * parseWarnings('299 - "the tag will go away"'); // ["the tag will go away"]
 */
export function parseWarnings(header: string | null): string[] {
  const found = (header ?? "").slice(0, 8192).matchAll(/(?:^|,)[\t ]*299 - "((?:[^"\\]|\\.)*)"/g);
  return [...found].map(([, text = ""]) => shownText(text.replace(/\\(.)/g, "$1")));
}

/** Remembers which warnings have been shown. */
export class ShownWarnings {
  readonly #shown = new Set<string>();

  /** The warnings of an answer that have not been shown yet; they are now. */
  unseen(header: string | null): string[] {
    return parseWarnings(header).filter((text) => {
      if (this.#shown.has(text) || this.#shown.size >= WARNING_LIMIT) return false;
      this.#shown.add(text);
      return true;
    });
  }
}
