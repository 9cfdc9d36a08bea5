/** Controls, formats (bidirectional marks among them), line and paragraph separators, halves of surrogate pairs. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Text on one line in which nothing acts: what would move a cursor, hide or reorder text, or begin another line is
 * written as its escape in JSON.
 *
 * @example
 * visibleText("gone\nOK updated"); // "gone\\nOK updated"
 */
export function visibleText(text: string): string {
  return text.replace(ACTIVE, (character) => {
    const short = JSON.stringify(character).slice(1, -1);
    return short.startsWith("\\") ? short : escapeOf(character);
  });
}

/** JSON in which nothing acts either: its own escapes leave out the controls from U+007F on and the separators. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(ACTIVE, escapeOf);
}

function escapeOf(character: string): string {
  return character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}
