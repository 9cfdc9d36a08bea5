import { assert, assertEquals } from "@std/assert";
import { generateKeyPairSync, sign } from "node:crypto";
import { inspectImage } from "../../src/image/esp_image.ts";
import { readSecureBootKey, type SecureBootKey } from "../../src/image/secure_boot_key.ts";
import type { SecureBootSignature } from "../../src/image/secure_boot.ts";
import { BytesInMemory, handMadeImage, noise, withByte } from "./hand_made_image.ts";

const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const stranger = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

function trusted(publicKey: typeof pair.publicKey): SecureBootKey {
  const pem = String(publicKey.export({ type: "spki", format: "pem" }));
  return readSecureBootKey(new TextEncoder().encode(pem), "key.pem");
}

function signedImage(): Uint8Array {
  const image = handMadeImage();
  const numbers = sign("sha256", image, { key: pair.privateKey, dsaEncoding: "ieee-p1363" });
  return Uint8Array.of(...image, 0, 0, 0, 0, ...numbers);
}

async function signatures(
  bytes: Uint8Array,
  keys: readonly SecureBootKey[],
): Promise<readonly SecureBootSignature[]> {
  const inspection = await inspectImage(new BytesInMemory(bytes), { keys });
  assert(inspection.kind === "application");
  return inspection.signatures;
}

Deno.test("inspectImage: a v1 signature is verified with the key that made it, among those given", async () => {
  const keys = [trusted(stranger.publicKey), trusted(pair.publicKey)];
  const [found] = await signatures(signedImage(), keys);
  assertEquals([found?.scheme, found?.valid, found?.keyDigest], ["v1", true, keys[1]?.digest]);
});

Deno.test("inspectImage: a v1 signature of another key, of other bytes, or without a key to verify with", async () => {
  const signed = signedImage();
  assertEquals((await signatures(signed, [trusted(stranger.publicKey)]))[0]?.valid, false);
  assertEquals((await signatures(withByte(signed, 0x130, 1), [trusted(pair.publicKey)]))[0]?.valid, false);
  assertEquals((await signatures(signed, []))[0]?.valid, "not verifiable");
  assertEquals((await signatures(signed, [{ digest: "ab".repeat(32) }]))[0]?.valid, "not verifiable");
});

Deno.test("inspectImage: only 68 bytes, or 80, that begin with a zero version are a v1 signature", async () => {
  const signed = signedImage();
  const all = [...signed];
  assertEquals((await signatures(Uint8Array.of(...all, ...noise(12)), []))[0]?.scheme, "v1");
  for (
    const bytes of [
      Uint8Array.of(...all, 0),
      withByte(signed, 352, 1),
      new Uint8Array([...all.slice(0, 352)]),
    ]
  ) {
    assertEquals(await signatures(bytes, []), []);
  }
});
