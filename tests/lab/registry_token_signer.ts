/**
 * Signs tokens that a real registry accepts.
 *
 * Format: distribution "Docker Registry v2 Bearer token specification" (JWT claims, `x5c` and `kid` headers).
 *
 * @module
 */

import { KEY_ALGORITHMS, makeSelfSigned } from "./registry_certificates.ts";
import type { TokenSigner } from "./registry_token_issuer.ts";

/** How tokens are signed. */
export interface TokenSignerOptions {
  /** `ES256` when absent. */
  readonly algorithm?: keyof typeof KEY_ALGORITHMS;
  /** How the token names its key: by the whole certificate, or by the key's libtrust fingerprint. */
  readonly keyHeader?: "x5c" | "kid";
}

/** A key to sign tokens with, and what the registry must be told of it. */
export interface TokenSigningKey {
  /** For the token server. */
  readonly sign: TokenSigner;
  /** The `iss` claim. */
  readonly issuer: string;
  /** PEM for the registry's `rootcertbundle`. */
  readonly certificate: string;
}

/** Makes a key to sign tokens with. */
export async function makeTokenSigningKey(options: TokenSignerOptions = {}): Promise<TokenSigningKey> {
  const { algorithm = "ES256", keyHeader = "x5c" } = options;
  const issuer = "Lab token server";
  const { certificate, der, keys } = await makeSelfSigned(issuer, algorithm);
  const keyName = keyHeader === "x5c"
    ? { x5c: [der.toBase64()] }
    : { kid: await fingerprint(keys.publicKey) };
  const sign: TokenSigner = async ({ user, service, grants, lifetimeSeconds }) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: user,
      aud: service,
      exp: now + lifetimeSeconds,
      nbf: now - 10,
      iat: now,
      jti: crypto.randomUUID(),
      access: grants.map(({ repository, actions }) => ({ type: "repository", name: repository, actions })),
    };
    const head = `${base64url({ typ: "JWT", alg: algorithm, ...keyName })}.${base64url(claims)}`;
    const bytes = new TextEncoder().encode(head);
    const signature = await crypto.subtle.sign(KEY_ALGORITHMS[algorithm], keys.privateKey, bytes);
    return `${head}.${new Uint8Array(signature).toBase64({ alphabet: "base64url", omitPadding: true })}`;
  };
  return { sign, issuer, certificate };
}

function base64url(document: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** libtrust's key id: 240 bits of SHA-256 over the public key, in base32, in groups of four. */
async function fingerprint(key: CryptoKey): Promise<string> {
  const spki = await crypto.subtle.exportKey("spki", key);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", spki)).subarray(0, 30);
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => alphabet[parseInt(five, 2)]).join("");
  return (letters.match(/.{4}/g) ?? []).join(":");
}
