import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { ImageError } from "../../src/image/image_error.ts";
import { parseKeyDigest, readSecureBootKey, rsaPrecomputed } from "../../src/image/secure_boot_key.ts";

const encoder = new TextEncoder();
const p256 = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey;

function pem(key: typeof p256): Uint8Array {
  return encoder.encode(String(key.export({ type: "spki", format: "pem" })));
}

Deno.test("readSecureBootKey: a P-256 key's digest is over curve, X and Y, little-endian", () => {
  const { x = "", y = "" } = p256.export({ format: "jwk" });
  const [xBytes, yBytes] = [x, y].map((text) =>
    Uint8Array.fromBase64(text, { alphabet: "base64url" }).reverse()
  );
  const expected = createHash("sha256").update(Uint8Array.of(2, ...xBytes ?? [], ...yBytes ?? [])).digest(
    "hex",
  );
  assertEquals(readSecureBootKey(pem(p256), "key").digest, expected);
});

Deno.test("readSecureBootKey: the 64 raw bytes of a v1 key are the same key", () => {
  const { x = "", y = "" } = p256.export({ format: "jwk" });
  const raw = [x, y].flatMap((text) => [...Uint8Array.fromBase64(text, { alphabet: "base64url" })]);
  assertEquals(
    readSecureBootKey(Uint8Array.from(raw), "key").digest,
    readSecureBootKey(pem(p256), "key").digest,
  );
});

Deno.test("readSecureBootKey: a digest as raw bytes or as hex", () => {
  const digest = "0123456789abcdef".repeat(4);
  assertEquals(readSecureBootKey(Uint8Array.fromHex(digest), "key"), { digest });
  assertEquals(readSecureBootKey(encoder.encode(`${digest.toUpperCase()}\n`), "key"), { digest });
});

Deno.test("readSecureBootKey: what no chip can verify with is refused", () => {
  const small = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
  const edwards = generateKeyPairSync("ed25519").publicKey;
  const files = [
    pem(createPublicKey(small.export({ type: "spki", format: "pem" }))),
    pem(edwards),
    encoder.encode("hello"),
    encoder.encode("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    new Uint8Array(64),
    new Uint8Array(0),
  ];
  for (const file of files) {
    assertEquals(assertThrows(() => readSecureBootKey(file, "key"), ImageError).code, "unusable-key");
  }
});

Deno.test("readSecureBootKey: a private key, several keys and more than a key are refused by name and not by content", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const secret = String(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  const files: [file: Uint8Array, found: string][] = [
    [encoder.encode(secret), "it holds a private key, wanted one public key"],
    [encoder.encode(String(p256.export({ type: "spki", format: "pem" })) + secret), "it holds a private key"],
    [Uint8Array.of(...pem(p256), ...pem(pair.publicKey)), "it holds 2 PEM blocks"],
    [Uint8Array.of(...pem(p256), ...new Uint8Array(16 * 1024)), "it holds more than 16384 bytes"],
  ];
  for (const [file, found] of files) {
    const { code, message } = assertThrows(() => readSecureBootKey(file, "boot.pem"), ImageError);
    assertEquals(code, "unusable-key");
    assertStringIncludes(message, `Cannot trust the Secure Boot key 'boot.pem': ${found}`);
    assertEquals(message.includes(secret.slice(30, 60)), false);
  }
});

Deno.test("parseKeyDigest: 64 hex digits, or the 32 of esp32c2", () => {
  assertEquals(parseKeyDigest(` sha256:${"AB".repeat(32)} `), "ab".repeat(32));
  assertEquals(parseKeyDigest("ab".repeat(16)), "ab".repeat(16));
  for (const text of ["", "ab", "zz".repeat(32), "ab".repeat(33)]) {
    assertEquals(parseKeyDigest(text), undefined);
  }
});

Deno.test("rsaPrecomputed: R and M' by their definitions", () => {
  const modulus = (1n << 3071n) + 12345n;
  const { r, mPrime } = rsaPrecomputed(modulus);
  assertEquals((r - (1n << 6144n)) % modulus, 0n);
  assertEquals((modulus * mPrime + 1n) & 0xffff_ffffn, 0n);
});
