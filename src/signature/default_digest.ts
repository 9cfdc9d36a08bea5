import crypto from "node:crypto";

/**
 * Runs `action` with a `crypto.verify` that takes a missing digest as SHA-256, which is what Node does for ECDSA and
 * RSA keys.
 *
 * `@sigstore/verify` counts on that for DSSE envelopes and for everything a log signs; Deno 2.9 throws "no default
 * digest" instead, which the library takes for a wrong signature. As `action` is synchronous, nothing else ever sees
 * the replacement. It can only turn that refusal into a real check: Ed25519, which takes no digest, is left alone.
 */
export function withDefaultDigest<Result>(action: () => Result): Result {
  const original = crypto.verify;
  const replace = (verify: unknown): void => {
    Object.defineProperty(crypto, "verify", {
      value: verify,
      configurable: true,
      writable: true,
      enumerable: true,
    });
  };
  replace((algorithm: string | null | undefined, ...rest: [Uint8Array, crypto.KeyObject, Uint8Array]) =>
    original(algorithm ?? defaultDigest(rest[1]), ...rest)
  );
  try {
    return action();
  } finally {
    replace(original);
  }
}

function defaultDigest(key: crypto.KeyObject): string | null {
  return key.asymmetricKeyType === "ec" || key.asymmetricKeyType === "rsa" ? "sha256" : null;
}
