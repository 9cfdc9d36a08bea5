/**
 * An address as it may be shown: without user, password, query and fragment, which may hold secrets. Works on text that
 * is no URL at all, as messages about it must show it too.
 *
 * @example
 * withoutUser("http://me:secret@10.0.0.7:80/?token=x"); // "http://***@10.0.0.7:80/"
 */
export function withoutUser(text: string): string {
  // To the last "@": a password may hold any character.
  return text.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/)?.*@/is, "$1***@").replace(/[?#].*$/s, "");
}
