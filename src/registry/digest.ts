import { createHash, type Hash } from "node:crypto";

/** Hash functions a registry may name content with (image-spec descriptor.md, "Registered algorithms"). */
export type DigestAlgorithm = "sha256" | "sha512";

/**
 * The name of some content: `<algorithm>:<lower-case hex>`, always of the right length. A string that has been
 * checked, so that it may stand in a URL or a path.
 */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly checkedDigest: true };

const FORMS: Readonly<Record<DigestAlgorithm, RegExp>> = {
  sha256: /^sha256:[0-9a-f]{64}$/,
  sha512: /^sha512:[0-9a-f]{128}$/,
};

/** True when `text` is a digest in canonical form with an algorithm we can compute. */
export function isDigest(text: string): text is Digest {
  return FORMS.sha256.test(text) || FORMS.sha512.test(text);
}

/** Checks a digest; throws `SyntaxError` saying what is wrong with it. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const [algorithm = "", ...rest] = text.split(":");
  const length = algorithm === "sha256" ? 64 : algorithm === "sha512" ? 128 : undefined;
  const wanted = length === undefined
    ? "the algorithm must be sha256 or sha512"
    : `'${algorithm}' must be followed by ${length} lower-case hex digits, found ${
      rest.join(":").length
    } characters`;
  throw new SyntaxError(`Cannot use '${text.slice(0, 160)}' as a digest: ${wanted}`);
}

/** The hash function a digest was made with. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The hex digits of a digest, without its algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The digest of bytes held in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return finishDigest(startDigest(algorithm).update(bytes), algorithm);
}

/** A running hash; feed it with `update`, then give it to {@linkcode finishDigest}. */
export function startDigest(algorithm: DigestAlgorithm): Hash {
  return createHash(algorithm);
}

/** Ends a running hash. */
export function finishDigest(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return parseDigest(`${algorithm}:${hash.digest("hex")}`);
}
