import { parseBasicPair } from "./credential.ts";

/** Anything shorter would be found in words that have nothing to do with it. */
const SHORTEST_SECRET = 4;

/**
 * Remembers what was shown to servers as proof. Some repeat it in their errors and warnings, which are shown to
 * people and kept in logs.
 */
export class SentSecrets {
  readonly #texts = new Set<string>();

  /** Notes the token or the password of an `Authorization` value, as sent and decoded. */
  noteAuthorization(value: string): void {
    const proof = value.slice(value.indexOf(" ") + 1);
    this.note(proof);
    this.note(parseBasicPair(proof)?.password ?? "");
  }

  /** Notes a secret that is sent in another way. */
  note(secret: string): void {
    if (secret.length >= SHORTEST_SECRET) this.#texts.add(secret);
  }

  /** Words of a server without the secrets they repeat. */
  hide(words: string): string {
    const longestFirst = [...this.#texts].sort((left, right) => right.length - left.length);
    return longestFirst.reduce((hidden, secret) => hidden.replaceAll(secret, "***"), words);
  }
}
