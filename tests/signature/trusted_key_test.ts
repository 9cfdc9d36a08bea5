import { assertEquals, assertNotMatch, assertThrows } from "@std/assert";
import { generateKeyPairSync } from "node:crypto";
import { isSignedBy, parseTrustedKey } from "../../src/signature/trusted_key.ts";
import { signingKey } from "../builders/signatures.ts";
import { sigstoreInstance } from "../builders/sigstore_instance.ts";

function spki(
  pair: { publicKey: { export(options: { type: "spki"; format: "pem" }): string | Uint8Array } },
): string {
  return String(pair.publicKey.export({ type: "spki", format: "pem" }));
}

Deno.test("parseTrustedKey: refuses a private key without showing it", () => {
  const pem = String(signingKey().privateKey.export({ type: "pkcs8", format: "pem" }));
  const failure = assertThrows(() => parseTrustedKey("k", pem), TypeError, "private key");
  assertNotMatch(failure.message, /[A-Za-z0-9+/]{24}/);
});

Deno.test("parseTrustedKey: refuses a certificate, several keys, nothing, and rubbish in PEM", async () => {
  const { pem } = await (await sigstoreInstance()).issue({ identity: "a@b.c", issuer: "https://d" });
  const key = signingKey().publicPem;
  assertThrows(() => parseTrustedKey("k", pem), TypeError, "CERTIFICATE");
  assertThrows(() => parseTrustedKey("k", key + key), TypeError, "2 PEM blocks");
  assertThrows(() => parseTrustedKey("k", "ssh-ed25519 AAAA"), TypeError, "0 PEM blocks");
  assertThrows(
    () => parseTrustedKey("k", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
    TypeError,
    "cannot be read",
  );
});

Deno.test("parseTrustedKey: refuses keys too weak or of no use", () => {
  assertThrows(
    () => parseTrustedKey("k", spki(generateKeyPairSync("rsa", { modulusLength: 1024 }))),
    TypeError,
    "1024 RSA bits",
  );
  assertThrows(() => parseTrustedKey("k", spki(generateKeyPairSync("x25519"))), TypeError, "x25519");
});

Deno.test("parseTrustedKey: reads the older form of RSA keys", () => {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = String(pair.publicKey.export({ type: "pkcs1", format: "pem" }));
  assertEquals(parseTrustedKey("k", pem).key.asymmetricKeyType, "rsa");
});

Deno.test("isSignedBy: one changed bit of bytes or signature is enough", () => {
  const bytes = new TextEncoder().encode("payload");
  for (const kind of ["p256", "ed25519", "rsa"] as const) {
    const signer = signingKey(kind);
    const key = parseTrustedKey("k", signer.publicPem);
    const signature = signer.sign(bytes);
    assertEquals(isSignedBy(key, { bytes, signature }), true);
    assertEquals(isSignedBy(key, { bytes: flipped(bytes), signature }), false);
    assertEquals(isSignedBy(key, { bytes, signature: flipped(signature) }), false);
    assertEquals(isSignedBy(key, { bytes, signature: new Uint8Array() }), false);
  }
});

function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, at) => at === bytes.length - 1 ? byte ^ 1 : byte);
}
