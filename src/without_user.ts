/**
 * An address as it may be shown: without user, password, query and fragment, which may hold secrets. Works on text that
 * is no URL at all, as messages about it must show it too.
 *
 * @example
 * withoutUser("http://me:secret@10.0.0.7:80/?token=x"); // "http://***@10.0.0.7:80/"
 */
export function withoutUser(text: string): string {
  const [, scheme = "", rest = ""] = /^((?:[a-z][a-z0-9+.-]*:)?\/\/)?(.*)$/is.exec(text) ?? [];
  const query = rest.search(/[?#]/);
  const bare = query < 0 ? rest : rest.slice(0, query);
  const at = rest.lastIndexOf("@");
  if (at < 0) return `${scheme}${bare}`;
  // "?" before "@" may belong to a password, or "@" to a query: then no part is surely harmless.
  return `${scheme}***${bare.slice(at)}`;
}
