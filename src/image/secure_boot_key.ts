import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { ImageError } from "./image_error.ts";

/** A public key in whose signatures the operator trusts, or only its digest. */
export interface SecureBootKey {
  /** Its digest as burned to eFuses, in hex: 64 digits, or 32 where only the first half is known (esp32c2). */
  readonly digest: string;
  /** The key, if it was given. */
  readonly publicKey?: KeyObject;
}

/** Largest key file that is believable: RSA-4096 takes 800 bytes as PEM. */
export const maxKeyFileLength = 16 * 1024;

const rsaBytes = 384;
const rsaBits = rsaBytes * 8;
/** Identifiers of curves in signature blocks. */
const curves: Readonly<Record<string, { readonly id: number; readonly bytes: number }>> = {
  "P-256": { id: 2, bytes: 32 },
  "P-384": { id: 3, bytes: 48 },
};
/** Raw files of espsecure: a v1 public key is X and Y, big-endian; a v2 key digest is 32 bytes. */
const rawKeyLength = 64;
const rawDigestLength = 32;

/** Reads a digest as people write it: 64 hex digits, or the 32 that esp32c2 stores, in any case. */
export function parseKeyDigest(text: string): string | undefined {
  const digits = text.trim().toLowerCase().replace(/^sha256:/, "");
  return /^(?:[0-9a-f]{64}|[0-9a-f]{32})$/.test(digits) ? digits : undefined;
}

/**
 * Reads the key file at `path`: PEM (RSA-3072, ECDSA P-256 or P-384), the 64 raw bytes of a v1 public key, the 32
 * raw bytes of a key digest, or a digest in hex. What is in the file is shown in no error.
 *
 * @throws {ImageError} `unusable-key`
 */
export function readSecureBootKey(file: Uint8Array, path: string): SecureBootKey {
  try {
    return parseKeyFile(file);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new ImageError(
      "unusable-key",
      `Cannot trust the Secure Boot key '${path}': it holds ${cause.message}, wanted one public key ` +
        "RSA-3072, ECDSA P-256 or P-384 in PEM, a v1 key of 64 bytes, or a key digest",
      { cause },
    );
  }
}

function parseKeyFile(file: Uint8Array): SecureBootKey {
  if (file.length > maxKeyFileLength) throw new TypeError(`more than ${maxKeyFileLength} bytes`);
  const text = new TextDecoder().decode(file);
  const digest = parseKeyDigest(text);
  if (digest !== undefined) return { digest };
  if (file.length === rawDigestLength) return { digest: file.toHex() };
  const publicKey = file.length === rawKeyLength ? rawPublicKey(file) : pemPublicKey(text);
  return { digest: keyDigest(publicKey), publicKey };
}

/** The digest of a key as it stands in a signature block. */
function keyDigest(key: KeyObject): string {
  const { kty, crv, n, e, x, y } = key.export({ format: "jwk" });
  if (kty === "RSA" && n !== undefined && e !== undefined) {
    const modulus = numberOf(fromBase64Url(n));
    if (bitLength(modulus) !== rsaBits) {
      throw new TypeError(`an RSA key of ${bitLength(modulus)} bits`);
    }
    const exponent = numberOf(fromBase64Url(e));
    if (bitLength(exponent) > 32) throw new TypeError("an RSA key with an exponent of more than 32 bits");
    return digestOf(rsaKeyBytes(modulus, exponent));
  }
  const curve = curves[crv ?? ""];
  if (kty === "EC" && curve !== undefined && x !== undefined && y !== undefined) {
    const points = [x, y].map((text) => littleEndian(numberOf(fromBase64Url(text)), curve.bytes));
    return digestOf(Uint8Array.of(curve.id, ...points.flatMap((bytes) => [...bytes])));
  }
  throw new TypeError(`a key of type ${crv ?? kty ?? "unknown"}`);
}

/** The values a block must carry beside an RSA key, for the chip's accelerator. */
export function rsaPrecomputed(modulus: bigint): { r: bigint; mPrime: bigint } {
  return {
    r: (1n << BigInt(2 * rsaBits)) % modulus,
    mPrime: -inverseOfOdd(modulus) & 0xffff_ffffn,
  };
}

/** Modulus, exponent, R and M' as they stand in a block; SHA-256 of these is the key's digest. */
function rsaKeyBytes(modulus: bigint, exponent: bigint): Uint8Array {
  const { r, mPrime } = rsaPrecomputed(modulus);
  return Uint8Array.of(
    ...littleEndian(modulus, rsaBytes),
    ...littleEndian(exponent, 4),
    ...littleEndian(r, rsaBytes),
    ...littleEndian(mPrime, 4),
  );
}

/** Inverse modulo 2^32 by Newton's iteration: each step doubles the right bits, from 3 to over 32 in four. */
function inverseOfOdd(odd: bigint): bigint {
  let inverse = odd;
  for (let step = 0; step < 4; step++) inverse = inverse * (2n - odd * inverse) & 0xffff_ffffn;
  return inverse;
}

/** A big-endian number. */
export function numberOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
}

function littleEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.fromHex(value.toString(16).padStart(length * 2, "0")).reverse();
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}

function rawPublicKey(raw: Uint8Array): KeyObject {
  const coordinate = (from: number) =>
    raw.subarray(from, from + 32).toBase64({ alphabet: "base64url", omitPadding: true });
  return importKey({ kty: "EC", crv: "P-256", x: coordinate(0), y: coordinate(32) });
}

/** Of several keys nobody could tell which one is meant, and a private one does not belong on this machine. */
function pemPublicKey(text: string): KeyObject {
  const labels = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, label = ""]) => label);
  if (labels.length === 0) throw new TypeError("neither PEM, nor 64 raw bytes of a key, nor a digest");
  if (labels.some((label) => label.includes("PRIVATE KEY"))) throw new TypeError("a private key");
  if (labels.length > 1) throw new TypeError(`${labels.length} PEM blocks`);
  return importKey(text);
}

function importKey(key: string | { kty: string; crv: string; x: string; y: string }): KeyObject {
  try {
    return typeof key === "string" ? createPublicKey(key) : createPublicKey({ key, format: "jwk" });
  } catch (cause) {
    throw new TypeError("a key that cannot be read", { cause });
  }
}
