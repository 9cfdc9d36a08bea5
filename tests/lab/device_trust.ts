import { X509Certificate } from "node:crypto";
import { Buffer } from "node:buffer";

/**
 * How a device judges the agent's certificate: as mbedTLS does with the pinned `server.crt` as its only
 * authority and without a clock. The engine of this runtime refuses such a certificate (it is an authority, and
 * expired), so the device reads the chain from the handshake itself, which TLS 1.2 sends in the clear.
 *
 * @module
 */

/** TLS alerts a device sends when it refuses a chain. */
export type RefusalAlert = "bad_certificate" | "unknown_ca";

const ALERT_NUMBERS: Readonly<Record<RefusalAlert, number>> = { bad_certificate: 42, unknown_ca: 48 };

/** Why the device refuses this chain (DER, leaf first), or `undefined` when it trusts it. */
export function refusalOf(chain: readonly Uint8Array[], pinnedPem: string): RefusalAlert | undefined {
  const [leaf] = chain.map((der) => new X509Certificate(Buffer.from(der)));
  const pinned = new X509Certificate(pinnedPem);
  if (leaf === undefined) return "bad_certificate";
  const isPinned = Buffer.from(leaf.raw).equals(Buffer.from(pinned.raw));
  const isIssued = pinned.ca && leaf.issuer === pinned.subject && leaf.verify(pinned.publicKey);
  if (!isPinned && !isIssued) return "unknown_ca";
  return leaf.checkHost("ota-agent") === undefined ? "bad_certificate" : undefined;
}

/** The record that tells a server in the middle of its handshake that it is refused. */
export function alertRecord(alert: RefusalAlert): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(0x15, 3, 3, 0, 2, 2, ALERT_NUMBERS[alert]);
}

const HANDSHAKE_RECORD = 0x16;
const CERTIFICATE_MESSAGE = 11;

/**
 * The certificate chain in the server's first bytes (RFC 5246, sections 6.2.1 and 7.4.2), `"more"` while they do not
 * reach far enough, `"none"` when they are no handshake that carries one.
 */
export function chainIn(bytes: Uint8Array): Uint8Array[] | "more" | "none" {
  const messages: number[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    if (bytes[at] !== HANDSHAKE_RECORD) return "none";
    const length = number(bytes, at + 3, 2);
    messages.push(...bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  for (let at = 0; at + 4 <= messages.length;) {
    const length = number(messages, at + 1, 3);
    if (messages[at] === CERTIFICATE_MESSAGE) {
      return at + 4 + length <= messages.length
        ? certificates(messages.slice(at + 4, at + 4 + length))
        : "more";
    }
    at += 4 + length;
  }
  return "more";
}

/** certificate_list: three bytes of length, then each certificate after three bytes of its own. */
function certificates(list: readonly number[]): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 3; at + 3 <= list.length;) {
    const length = number(list, at, 3);
    found.push(Uint8Array.from(list.slice(at + 3, at + 3 + length)));
    at += 3 + length;
  }
  return found;
}

function number(bytes: ArrayLike<number>, at: number, length: number): number {
  let value = 0;
  for (let i = at; i < at + length; i++) value = value * 256 + (bytes[i] ?? 0);
  return value;
}
