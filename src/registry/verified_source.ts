import type { ByteSource } from "./byte_source.ts";
import { algorithmOf, type Digest, finishDigest, startDigest } from "./digest.ts";
import { RegistryError } from "./registry_error.ts";

/** What the bytes must be. */
export interface Expected {
  /** Digest of all of them. */
  readonly digest: Digest;
  /** Their number. */
  readonly size: number;
}

/** What may watch the bytes go by. */
export interface VerifyOptions {
  /** Told the number of bytes so far. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * The same bytes; the end comes only if they are the expected ones. Whoever has not seen the end has verified
 * nothing: bytes before it are to be kept where they can be thrown away.
 *
 * Reading rejects with `content-mismatch`, before a byte beyond the expected size is given out.
 */
export function verifiedSource(
  source: ByteSource,
  expected: Expected,
  options: VerifyOptions = {},
): ByteSource {
  const algorithm = algorithmOf(expected.digest);
  const hash = startDigest(algorithm);
  let length = 0;
  let isOver = false;
  const refuse = (found: string): never => {
    throw new RegistryError("content-mismatch", `Cannot use '${expected.digest}': ${found}`);
  };
  return {
    async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
      if (isOver) return undefined;
      const bytes = await source.read();
      if (bytes !== undefined) {
        length += bytes.length;
        if (length > expected.size) refuse(`it is longer than its ${expected.size} bytes`);
        hash.update(bytes);
        options.onProgress?.(length);
        return bytes;
      }
      isOver = true;
      if (length !== expected.size) refuse(`it is ${length} bytes long, wanted ${expected.size}`);
      const found = finishDigest(hash, algorithm);
      if (found !== expected.digest) refuse(`its content has the digest '${found}'`);
      return undefined;
    },
    close: () => source.close(),
  };
}
