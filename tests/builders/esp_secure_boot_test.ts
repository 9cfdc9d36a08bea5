import { assert, assertEquals } from "@std/assert";
import { buildEspApp } from "./esp_image.ts";
import {
  crc32,
  p192ShapedBlock,
  publicNumbers,
  sealBlock,
  secureBootKey,
  securePaddedApp,
  signV1,
  signV2,
} from "./esp_secure_boot.ts";
import { espLayout } from "./esp_layout.ts";

const image = buildEspApp();

Deno.test("crc32: the check value of the polynomial", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

Deno.test("signV2: the RSA block stores the numbers a device multiplies with", () => {
  const key = secureBootKey("rsa3072");
  const block = signV2(image, key).subarray(4096, 4096 + 1216);
  const number = (from: number, to: number) => BigInt("0x" + block.slice(from, to).reverse().toHex());
  const [n, e, r, m] = [number(36, 420), number(420, 424), number(424, 808), number(808, 812)];
  assert(key.numbers.scheme === "rsa3072");
  assertEquals([n, e], [key.numbers.n, 65537n]);
  assertEquals([r, n * m % (1n << 32n)], [(1n << 6144n) % n, (1n << 32n) - 1n]);
  assertEquals([block[0], block[1], block[2]], [0xe7, 2, 0]);
  assertEquals(Number(number(1196, 1200)), crc32(block.subarray(0, 1196)));
  assertEquals(block.subarray(1200), new Uint8Array(16));
});

Deno.test("signV2: ECDSA blocks hold scheme, curve and zeros where the format has them", () => {
  for (const [scheme, at, curve, zeros] of [["p256", 36, 2, 165], ["p384", 52, 3, 245]] as const) {
    const block = signV2(image, secureBootKey(scheme)).subarray(4096, 4096 + 1216);
    assertEquals([block[1], block[2], block[at]], [3, scheme === "p384" ? 1 : 0, curve]);
    assert(block.subarray(zeros, 1196).every((byte) => byte === 0));
    assert(block.subarray(zeros - 64, zeros).some((byte) => byte !== 0));
  }
  assertEquals(p192ShapedBlock(image)[36], 1);
});

Deno.test("signV2: three blocks follow each other and the sector's rest is erased", () => {
  const signed = signV2(image, secureBootKey("p256"), secureBootKey("p256", "b"), secureBootKey("p384"));
  assertEquals(signed.length, 8192);
  assertEquals([0, 1216, 2432, 3648].map((at) => signed[4096 + at]), [0xe7, 0xe7, 0xe7, 0xff]);
  assert(signed.subarray(image.length, 4096).every((byte) => byte === 0xff));
});

Deno.test("sealBlock: an alteration is hidden from the CRC and from nothing else", () => {
  const block = signV2(image, secureBootKey("p256")).slice(4096, 4096 + 1216);
  assertEquals(sealBlock(block), block);
  block[4] = (block[4] ?? 0) ^ 1;
  const sealed = sealBlock(block);
  assertEquals(sealed.subarray(0, 1196), block.subarray(0, 1196));
  assert(sealed.subarray(1196, 1200).toHex() !== block.subarray(1196, 1200).toHex());
});

Deno.test("securePaddedApp: signature and 64 KiB page meet as the device expects", () => {
  const first = securePaddedApp({ chip: "esp32" }, 1);
  const second = securePaddedApp({ chip: "esp32s3" }, 2);
  assertEquals([espLayout(first).end, espLayout(second).end], [first.length, second.length]);
  assertEquals([signV1(first, secureBootKey("p256"), 12).length % 0x10000, second.length % 0x10000], [0, 0]);
});

Deno.test("publicNumbers: the numbers of a PEM are those of the key", () => {
  for (const scheme of ["rsa3072", "p256", "p384"] as const) {
    const key = secureBootKey(scheme);
    assertEquals(publicNumbers(key.publicPem), key.numbers);
  }
});
