/** What a registry may be shown. Never put one into a log or an error. */
export type Credential = PasswordCredential | IdentityCredential | RegistryTokenCredential;

/** User name and password, for Basic and for token servers. */
export interface PasswordCredential {
  /** Which of the three it is. */
  readonly kind: "password";
  /** May not hold a colon. */
  readonly username: string;
  /** Or an access token in its place. */
  readonly password: string;
}

/** A refresh token, exchanged for access tokens by POST (docker's `identitytoken`). */
export interface IdentityCredential {
  /** Which of the three it is. */
  readonly kind: "identity";
  /** The refresh token. */
  readonly token: string;
  /** User and password for token servers without POST: the entry's own, or `<token>` and the token. */
  readonly fallback: PasswordCredential;
}

/** A bearer token shown to the registry as it is (docker's `registrytoken`). */
export interface RegistryTokenCredential {
  /** Which of the three it is. */
  readonly kind: "registry-token";
  /** The bearer token. */
  readonly token: string;
}

/** The user name under which helpers give refresh tokens (docker-credential-helpers). */
export const TOKEN_USER = "<token>";

/** A password, or the refresh token that a user name of `<token>` announces. */
export function passwordCredential(username: string, password: string): Credential {
  const plain: PasswordCredential = { kind: "password", username, password };
  return username === TOKEN_USER ? { kind: "identity", token: password, fallback: plain } : plain;
}

/** The `Authorization` value of the Basic scheme, user and password in UTF-8 (RFC 7617). */
export function basicAuthorization({ username, password }: PasswordCredential): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Reads docker's `auth`: base64 of `user:password`, NUL padding ignored; `undefined` when it is not that. */
export function parseBasicPair(auth: string): PasswordCredential | undefined {
  let text: string;
  try {
    const bytes = Uint8Array.from(atob(auth), (character) => character.charCodeAt(0));
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
  const colon = text.indexOf(":");
  if (colon < 1) return undefined;
  return {
    kind: "password",
    username: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ""),
  };
}
