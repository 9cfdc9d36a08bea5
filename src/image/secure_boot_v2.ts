import {
  constants,
  createHash,
  createPublicKey,
  createVerify,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { crc32 } from "node:zlib";
import type { SecureBootScheme } from "./chip.ts";
import type { ByteTap } from "./image_source.ts";
import type { SignatureCheck } from "./secure_boot.ts";
import { numberOf, rsaPrecomputed } from "./secure_boot_key.ts";

/** The signature sector stands at the next multiple of this after the image, and is as long. */
export const sectorLength = 4096;

/** Bytes of one of the up to three blocks in the sector. */
export const blockLength = 1216;

const blockMagic = 0xe7;
const crcOffset = 1196;

/** A block whose fields could be told apart. */
interface SignatureBlock {
  readonly scheme: SecureBootScheme;
  readonly hash: "sha256" | "sha384";
  /** What the block says is the digest of everything before the sector. */
  readonly imageDigest: Uint8Array;
  readonly keyDigest: string;
  /** Absent for the curve that the crypto library lacks. */
  readonly key?: JsonWebKey;
  /** Big-endian: RSA's number, or r and s. */
  readonly signature: Uint8Array;
  /** The values an RSA block carries for the chip's accelerator, which computes nonsense with wrong ones. */
  readonly precomputed?: { readonly modulus: bigint; readonly r: bigint; readonly mPrime: bigint };
}

/**
 * Where the sector's content begins a block. A damaged block must not pass for an unsigned image, so besides
 * the magic its other constants are recognised too.
 */
export function looksLikeBlock(bytes: Uint8Array): boolean {
  if (bytes[0] === blockMagic) return true;
  const [, version, scheme, reserved] = bytes;
  return bytes.length >= blockLength && (version === 2 || version === 3) && (scheme === 0 || scheme === 1) &&
    reserved === 0 && bytes.subarray(crcOffset + 4, blockLength).every((byte) => byte === 0);
}

/**
 * Prepares the check of one block; `signedEnd` is the offset of the sector, before which everything is signed.
 * The block's bytes are a stranger's: its key is only worth what the trusted digests say.
 */
export function openV2Check(
  bytes: Uint8Array,
  place: { readonly block: number; readonly offset: number; readonly signedEnd: number },
): SignatureCheck {
  const { block, offset, signedEnd } = place;
  const view = new DataView(bytes.buffer, bytes.byteOffset, blockLength);
  const parsed = parseBlock(bytes, view);
  const scheme = typeof parsed === "string" ? "unknown" : parsed.scheme;
  const refuse = (reason: string): SignatureCheck => ({
    taps: [],
    conclude: () => ({ scheme, block, offset, valid: false, reason }),
  });
  if (bytes[0] !== blockMagic) return refuse(`its first byte is not 0x${blockMagic.toString(16)}`);
  if (view.getUint32(crcOffset, true) !== crc32(bytes.subarray(0, crcOffset))) {
    return refuse("its CRC-32 does not match its content");
  }
  return typeof parsed === "string" ? refuse(parsed) : checkBlock(parsed, { block, offset, signedEnd });
}

function checkBlock(
  parsed: SignatureBlock,
  place: { readonly block: number; readonly offset: number; readonly signedEnd: number },
): SignatureCheck {
  const { block, offset, signedEnd } = place;
  const digest = createHash(parsed.hash);
  const verify = createVerify(parsed.hash);
  const tap: ByteTap = {
    end: signedEnd,
    update(bytes) {
      digest.update(bytes);
      verify.update(bytes);
    },
  };
  return {
    taps: [tap],
    conclude() {
      const about = { scheme: parsed.scheme, block, offset, keyDigest: parsed.keyDigest };
      if (!digest.digest().equals(parsed.imageDigest)) {
        return { ...about, valid: false, reason: "the image was altered after it was signed" };
      }
      if (parsed.key === undefined) {
        const reason = "this program's crypto library has no curve P-192; the image's digest is right";
        return { ...about, valid: "not verifiable", reason };
      }
      const key = importKey(parsed.key);
      if (key === undefined) {
        return { ...about, valid: false, reason: "its public key is not a possible one" };
      }
      const options = parsed.scheme === "v2-rsa"
        ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
        : { key, dsaEncoding: "ieee-p1363" as const };
      if (!verify.verify(options, parsed.signature)) {
        return { ...about, valid: false, reason: "the signature is not this key's over this image" };
      }
      return precomputedAreRight(parsed)
        ? { ...about, valid: true }
        : { ...about, valid: false, reason: "its values R and M' do not belong to its key" };
    },
  };
}

/** Tells the fields of a block apart, or says what is unknown about it. */
function parseBlock(bytes: Uint8Array, view: DataView): SignatureBlock | string {
  const version = view.getUint8(1);
  const shaScheme = view.getUint8(2);
  if (version === 2) return parseRsaBlock(bytes);
  if (version !== 3) return `its version is ${version}, known are 2 (RSA) and 3 (ECDSA)`;
  const curve = view.getUint8(shaScheme === 0 ? 36 : 52);
  if (shaScheme === 0 && curve === 1) return parseEcdsaBlock(bytes, "v2-ecdsa-p192");
  if (shaScheme === 0 && curve === 2) return parseEcdsaBlock(bytes, "v2-ecdsa-p256");
  if (shaScheme === 1 && curve === 3) return parseEcdsaBlock(bytes, "v2-ecdsa-p384");
  return `it names hash ${shaScheme} with curve ${curve}, which is no known pair`;
}

/** Digest at 4, then n (384), e (4), R (384), M' (4), then the signature (384), all little-endian. */
function parseRsaBlock(bytes: Uint8Array): SignatureBlock {
  return {
    scheme: "v2-rsa",
    hash: "sha256",
    imageDigest: bytes.subarray(4, 36),
    keyDigest: sha256(bytes.subarray(36, 812)),
    key: {
      kty: "RSA",
      n: base64Url(bigEndian(bytes, 36, 384)),
      e: base64Url(bigEndian(bytes, 420, 4)),
    },
    signature: bigEndian(bytes, 812, 384),
    precomputed: {
      modulus: numberOf(bigEndian(bytes, 36, 384)),
      r: numberOf(bigEndian(bytes, 424, 384)),
      mPrime: numberOf(bigEndian(bytes, 808, 4)),
    },
  };
}

const ecdsaLayouts = {
  "v2-ecdsa-p192": { digest: 32, width: 24, key: 37, keyEnd: 101, hash: "sha256", curve: undefined },
  "v2-ecdsa-p256": { digest: 32, width: 32, key: 37, keyEnd: 101, hash: "sha256", curve: "P-256" },
  "v2-ecdsa-p384": { digest: 48, width: 48, key: 53, keyEnd: 149, hash: "sha384", curve: "P-384" },
} as const;

/** Digest at 4, then the curve's number, X and Y, r and s, little-endian; the key's digest covers the number. */
function parseEcdsaBlock(bytes: Uint8Array, scheme: keyof typeof ecdsaLayouts): SignatureBlock {
  const { digest, width, key, keyEnd, hash, curve } = ecdsaLayouts[scheme];
  const coordinate = (offset: number) => base64Url(bigEndian(bytes, offset, width));
  return {
    scheme,
    hash,
    imageDigest: bytes.subarray(4, 4 + digest),
    keyDigest: sha256(bytes.subarray(key - 1, keyEnd)),
    ...(curve === undefined
      ? {}
      : { key: { kty: "EC", crv: curve, x: coordinate(key), y: coordinate(key + width) } }),
    signature: Uint8Array.of(
      ...bigEndian(bytes, keyEnd, width),
      ...bigEndian(bytes, keyEnd + width, width),
    ),
  };
}

function precomputedAreRight({ precomputed }: SignatureBlock): boolean {
  if (precomputed === undefined) return true;
  const { r, mPrime } = rsaPrecomputed(precomputed.modulus);
  return r === precomputed.r && mPrime === precomputed.mPrime;
}

/** The library refuses even moduli, points off the curve and the like, each in its own words. */
function importKey(key: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch {
    return undefined;
  }
}

function bigEndian(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  return bytes.slice(offset, offset + length).reverse();
}

function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
