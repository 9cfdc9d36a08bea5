import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from "node:crypto";
import { type Bytes, concatBytes, filledBytes, padBytes, u32le } from "./esp_bytes.ts";
import { appSegments, assembleEspImage, type EspAppOptions, sha256 } from "./esp_image.ts";
import { ESP_CHIPS } from "./esp_chips.ts";

/** A way to sign an image with Secure Boot version 2. */
export type SecureBootScheme = "rsa3072" | "p192" | "p256" | "p384";

/** A public key as a signature block stores it: the numbers, not a container. */
export type BlockPublicKey =
  | { readonly scheme: "rsa3072"; readonly n: bigint; readonly e: bigint }
  | { readonly scheme: "p192" | "p256" | "p384"; readonly x: bigint; readonly y: bigint };

/** A throw-away signing key. */
export interface SecureBootKey {
  /** The numbers of the public key. */
  readonly numbers: BlockPublicKey;
  /** The private key, for node:crypto. */
  readonly privateKey: KeyObject;
  /** The private key in PKCS#8 PEM, for a program. */
  readonly privatePem: string;
  /** The public key in SubjectPublicKeyInfo PEM. */
  readonly publicPem: string;
  /** The digest a device burns to its eFuse, 64 hexadecimal digits. */
  readonly digest: string;
}

/** Length of one signature block; the last 16 bytes are zero. */
export const BLOCK_LENGTH = 1216;
/** Flash sector holding up to three blocks. */
export const SIGNATURE_SECTOR = 4096;
/** The CRC-32 covers everything before itself. */
const CRC_OFFSET = 1196;

/** Where the key's digested bytes stand in a block: [first, end). */
const KEY_FIELDS: Record<SecureBootScheme, readonly [number, number]> = {
  rsa3072: [36, 812],
  p192: [36, 101],
  p256: [36, 101],
  p384: [52, 149],
};
const CURVES = {
  p192: { id: 1, width: 24, name: "prime192v1" },
  p256: { id: 2, width: 32, name: "prime256v1" },
  p384: { id: 3, width: 48, name: "secp384r1" },
} as const;

const keysOfThisProcess = new Map<string, SecureBootKey>();

/** A key generated once per process and `label`, because RSA-3072 takes most of a second to make. */
export function secureBootKey(scheme: "rsa3072" | "p256" | "p384", label = "first"): SecureBootKey {
  const known = keysOfThisProcess.get(`${scheme} ${label}`);
  if (known !== undefined) return known;
  const { privateKey } = scheme === "rsa3072"
    ? generateKeyPairSync("rsa", { modulusLength: 3072, publicExponent: 65537 })
    : generateKeyPairSync("ec", { namedCurve: CURVES[scheme].name });
  const key = describeKey(privateKey);
  keysOfThisProcess.set(`${scheme} ${label}`, key);
  return key;
}

/** The numbers of a public key in PEM, whoever generated it. */
export function publicNumbers(publicPem: string): BlockPublicKey {
  const jwk = createPublicKey(publicPem).export({ format: "jwk" });
  if (jwk.kty === "RSA") return { scheme: "rsa3072", n: fromBase64Url(jwk.n), e: fromBase64Url(jwk.e) };
  const scheme = jwk.crv === "P-384" ? "p384" : "p256";
  return { scheme, x: fromBase64Url(jwk.x), y: fromBase64Url(jwk.y) };
}

/** The digest of a public key as burned to eFuse, 64 hexadecimal digits. */
export function keyDigest(key: BlockPublicKey): string {
  const [first, end] = KEY_FIELDS[key.scheme];
  return createHash("sha256").update(keyFields(key).subarray(0, end - first)).digest("hex");
}

/**
 * One block over `signed` (everything before the signature sector). `signature` is big-endian as programs
 * give it: the RSA number, or r and s of equal width. The stored digest is that of `signed` unless given.
 */
export function secureBootBlock(
  signed: Uint8Array,
  options: { key: BlockPublicKey; signature: Uint8Array; digest?: Uint8Array },
): Bytes {
  const { key, signature } = options;
  const wide = key.scheme === "p384";
  const block = new Uint8Array(BLOCK_LENGTH);
  block.set([0xe7, key.scheme === "rsa3072" ? 2 : 3, wide ? 1 : 0, 0]);
  block.set(options.digest ?? createHash(wide ? "sha384" : "sha256").update(signed).digest(), 4);
  const [first] = KEY_FIELDS[key.scheme];
  block.set(keyFields(key), first);
  if (key.scheme === "rsa3072") {
    block.set(signature.toReversed(), 812);
  } else {
    const { width } = CURVES[key.scheme];
    const at = wide ? 149 : 101;
    block.set(signature.slice(0, width).reverse(), at);
    block.set(signature.slice(width, 2 * width).reverse(), at + width);
  }
  return sealBlock(block);
}

/** A copy of a 1216-byte block with its CRC-32 computed anew: an alteration that the CRC does not betray. */
export function sealBlock(block: Uint8Array): Bytes {
  const sealed = new Uint8Array(block);
  sealed.set(u32le(crc32(sealed.subarray(0, CRC_OFFSET))), CRC_OFFSET);
  return sealed;
}

/** One block over `signed` made with a key of this process. */
export function signedBlock(signed: Uint8Array, key: SecureBootKey): Bytes {
  return secureBootBlock(signed, { key: key.numbers, signature: signBigEndian(signed, key) });
}

/** `image` with 0xFF to the next sector and a sector holding one block of each key. */
export function signV2(image: Uint8Array, ...keys: SecureBootKey[]): Bytes {
  const signed = padBytes(image, SIGNATURE_SECTOR);
  return concatBytes(signed, signatureSector(...keys.map((key) => signedBlock(signed, key))));
}

/** A 4096-byte sector of blocks, the rest erased. */
export function signatureSector(...blocks: Uint8Array[]): Bytes {
  return padBytes(concatBytes(...blocks), SIGNATURE_SECTOR);
}

/** `image` with a Secure Boot version 1 signature: version 0, then r and s, big-endian; and `trailing` bytes. */
export function signV1(image: Uint8Array, key: SecureBootKey, trailing = 0): Bytes {
  return concatBytes(image, new Uint8Array(4), signBigEndian(image, key), filledBytes(trailing, 0x5a));
}

/** The application of `--secure-pad` (1) or `--secure-pad-v2` (2): a padding segment fills it to 64 KiB. */
export function securePaddedApp(options: EspAppOptions, version: 1 | 2): Bytes {
  const segments = appSegments(options);
  const facts = ESP_CHIPS[options.chip ?? "esp32s3"];
  const end = 24 + segments.reduce((sum, segment) => sum + 8 + segment.data.length, 0) + 8;
  // After the checksum's 16-byte row: 32 of SHA-256, and for version 1 also 4 + 64 of signature and 12 spare.
  const after = 16 + 32 + (version === 1 ? 80 : 0);
  const gap = 0x10000 - (end + after) % 0x10000;
  const padding = { address: 0, data: new Uint8Array(gap) };
  return assembleEspImage([...segments, padding], {
    chipId: facts.id,
    entry: facts.iram + 0x40,
    ...options,
  });
}

/**
 * A block shaped as ECDSA P-192: a real point would need a curve the crypto library lacks, so its numbers are
 * noise and only the form is right.
 */
export function p192ShapedBlock(signed: Uint8Array): Bytes {
  const noise = sha256(signed);
  const number = (salt: number) =>
    toNumber(concatBytes(noise.subarray(salt, salt + 12), noise.subarray(0, 12)));
  const key: BlockPublicKey = { scheme: "p192", x: number(1), y: number(2) };
  return secureBootBlock(signed, { key, signature: concatBytes(noise, noise.subarray(0, 16)) });
}

/** CRC-32 of IEEE 802.3, as zlib computes it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function describeKey(privateKey: KeyObject): SecureBootKey {
  const publicPem = createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString();
  const privatePem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const numbers = publicNumbers(publicPem);
  return { numbers, privateKey, privatePem, publicPem, digest: keyDigest(numbers) };
}

/** The signature over `signed`, big-endian: RSA-PSS with a salt of 32, or r and s. */
function signBigEndian(signed: Uint8Array, key: SecureBootKey): Bytes {
  const { scheme } = key.numbers;
  const options = scheme === "rsa3072"
    ? { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    : { key: key.privateKey, dsaEncoding: "ieee-p1363" as const };
  return new Uint8Array(signBytes(scheme === "p384" ? "sha384" : "sha256", signed, options));
}

/** The key's bytes as they stand in a block. */
function keyFields(key: BlockPublicKey): Bytes {
  if (key.scheme === "rsa3072") {
    const montgomery = (1n << 6144n) % key.n;
    return concatBytes(
      littleEndian(key.n, 384),
      littleEndian(key.e, 4),
      littleEndian(montgomery, 384),
      littleEndian(montgomeryPrime(key.n), 4),
    );
  }
  const { id, width } = CURVES[key.scheme];
  const numbers = concatBytes(Uint8Array.of(id), littleEndian(key.x, width), littleEndian(key.y, width));
  return key.scheme === "p192" ? concatBytes(numbers, new Uint8Array(16)) : numbers;
}

/** -n^-1 mod 2^32 by Newton's iteration, each step doubling the number of right bits. */
function montgomeryPrime(n: bigint): bigint {
  let inverse = 1n;
  for (let bits = 1; bits < 32; bits *= 2) inverse = BigInt.asUintN(32, inverse * (2n - n * inverse));
  return BigInt.asUintN(32, -inverse);
}

function littleEndian(value: bigint, width: number): Bytes {
  const bytes = new Uint8Array(width);
  for (let i = 0; i < width; i++) bytes[i] = Number(value >> BigInt(8 * i) & 0xffn);
  return bytes;
}

function fromBase64Url(text: string | undefined): bigint {
  return toNumber(Uint8Array.fromBase64(text ?? "", { alphabet: "base64url" }));
}

function toNumber(bigEndian: Uint8Array): bigint {
  return bigEndian.reduce((number, byte) => number << 8n | BigInt(byte), 0n);
}
