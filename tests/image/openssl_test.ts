import { assert, assertEquals } from "@std/assert";
import { inspectImage } from "../../src/image/esp_image.ts";
import { readSecureBootKey } from "../../src/image/secure_boot_key.ts";
import { type Bytes, concatBytes, padBytes, withFlip } from "../builders/esp_bytes.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import {
  type BlockPublicKey,
  keyDigest,
  publicNumbers,
  secureBootBlock,
  secureBootKey,
  signatureSector,
  signV1,
  signV2,
} from "../builders/esp_secure_boot.ts";
import { bytesSource } from "./bytes_source.ts";
import { ecdsaFromDer, ecdsaToDer } from "./ecdsa_der.ts";
import { OpensslDesk } from "./openssl_program.ts";

/** How each scheme signs: hash, where the signature stands in a block, key generation, chip that checks it. */
const SCHEMES = {
  rsa3072: { hash: "sha256", at: 812, width: 384, genpkey: ["RSA", "rsa_keygen_bits:3072"], chip: "esp32s3" },
  p256: { hash: "sha256", at: 101, width: 32, genpkey: ["EC", "ec_paramgen_curve:P-256"], chip: "esp32c6" },
  p384: { hash: "sha384", at: 149, width: 48, genpkey: ["EC", "ec_paramgen_curve:P-384"], chip: "esp32p4" },
} as const;
const NAMES = ["rsa3072", "p256", "p384"] as const;
const REPORTED = { rsa3072: "v2-rsa", p256: "v2-ecdsa-p256", p384: "v2-ecdsa-p384" } as const;
const PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"];

Deno.test("builder signatures: openssl verifies v2 of every scheme, and not of altered content", async (test) => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  for (const name of NAMES) {
    await test.step(name, async () => {
      const { hash, at, width, chip } = SCHEMES[name];
      const key = secureBootKey(name);
      const file = signV2(buildEspApp({ chip, seed: 9 }), key);
      const [content, block] = [file.slice(0, 4096), file.subarray(4096)];
      const reversed = (from: number) => block.slice(from, from + width).reverse();
      const signature = name === "rsa3072"
        ? reversed(at)
        : ecdsaToDer(concatBytes(reversed(at), reversed(at + width)));
      await desk.put("key.pem", key.publicPem);
      await desk.put("signature", signature);
      const verify = [
        "dgst",
        `-${hash}`,
        ...name === "rsa3072" ? PSS : [],
        ...["-verify", "key.pem", "-signature", "signature", "content"],
      ];
      await desk.put("content", content);
      const verdict = await desk.run(...verify);
      assert(verdict.ok && verdict.text.includes("Verified OK"), verdict.text);
      await desk.put("content", withFlip(content, 300));
      assertEquals((await desk.run(...verify)).ok, false);
    });
  }
});

Deno.test("builder signatures: openssl verifies v1 over the plain image", async () => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  const key = secureBootKey("p256");
  const image = buildEspApp({ chip: "esp32" });
  await desk.put("key.pem", key.publicPem);
  await desk.put("content", image);
  await desk.put("signature", ecdsaToDer(signV1(image, key).subarray(image.length + 4)));
  const verdict = await desk.run(
    ...["dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "content"],
  );
  assert(verdict.ok, verdict.text);
});

Deno.test("inspectImage: v2 signatures made by openssl are valid, of other content invalid", async (test) => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  for (const name of NAMES) {
    await test.step(name, async () => {
      const { chip } = SCHEMES[name];
      const content = padBytes(buildEspApp({ chip, seed: 12 }), 4096);
      const key = await makeKey(desk, name);
      const signature = await signWith(desk, name, content);
      const good = await inspectV2(content, secureBootBlock(content, { key, signature }));
      assertEquals(good, { scheme: REPORTED[name], keyDigest: keyDigest(key), valid: true });
      const other = await signWith(desk, name, withFlip(content, 300));
      const bad = await inspectV2(content, secureBootBlock(content, { key, signature: other }));
      assertEquals(bad, { scheme: REPORTED[name], keyDigest: keyDigest(key), valid: false });
    });
  }
});

Deno.test("inspectImage: an RSA signature must be PSS with a salt of 32 bytes", async (test) => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  const content = padBytes(buildEspApp(), 4096);
  const key = await makeKey(desk, "rsa3072");
  const paddings = {
    "PKCS #1 v1.5": ["-sigopt", "rsa_padding_mode:pkcs1"],
    "PSS without salt": ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:0"],
    "PSS with the longest salt": ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-2"],
  };
  for (const [name, options] of Object.entries(paddings)) {
    await test.step(name, async () => {
      const signature = await signWith(desk, "rsa3072", content, options);
      const { valid } = await inspectV2(content, secureBootBlock(content, { key, signature }));
      assertEquals(valid, false);
    });
  }
});

Deno.test("inspectImage: a v1 signature made by openssl is valid under its key and no other", async () => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  const image = buildEspApp({ chip: "esp32", seed: 13 });
  await makeKey(desk, "p256");
  const trusted = readSecureBootKey(await desk.take("public.pem"), "public.pem");
  const signature = await signWith(desk, "p256", image);
  const file = bytesSource(concatBytes(image, new Uint8Array(4), signature));
  const stranger = readSecureBootKey(
    new TextEncoder().encode(secureBootKey("p256", "stranger").publicPem),
    "stranger.pem",
  );
  const verdict = async (key: typeof trusted) => {
    const inspection = await inspectImage(file, { keys: [key] });
    assert(inspection.kind === "application");
    const [found] = inspection.signatures;
    return { scheme: found?.scheme, valid: found?.valid };
  };
  assertEquals(await verdict(trusted), { scheme: "v1", valid: true });
  assertEquals(await verdict(stranger), { scheme: "v1", valid: false });
});

Deno.test("inspectImage: ECDSA P-192 of openssl is recognised, its key digested, its truth left open", async () => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  const content = padBytes(buildEspApp({ chip: "esp32c6" }), 4096);
  await desk.must(
    ...["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime192v1", "-out", "private.pem"],
  );
  await desk.must("pkey", "-in", "private.pem", "-pubout", "-outform", "DER", "-out", "public.der");
  await desk.put("content", content);
  await desk.must("dgst", "-sha256", "-sign", "private.pem", "-out", "signature", "content");
  // SubjectPublicKeyInfo ends with the uncompressed point: X and Y of 24 bytes each.
  const point = (await desk.take("public.der")).slice(-48);
  const number = (bytes: Uint8Array) => BigInt("0x" + bytes.toHex());
  const key: BlockPublicKey = {
    scheme: "p192",
    x: number(point.subarray(0, 24)),
    y: number(point.subarray(24)),
  };
  const signature = ecdsaFromDer(await desk.take("signature"), 24);
  const found = await inspectV2(content, secureBootBlock(content, { key, signature }));
  assertEquals(found, { scheme: "v2-ecdsa-p192", keyDigest: keyDigest(key), valid: "not verifiable" });
});

/** Has openssl make `private.pem` and `public.pem`; gives the numbers of the public key. */
async function makeKey(desk: OpensslDesk, name: keyof typeof SCHEMES): Promise<BlockPublicKey> {
  const [algorithm, parameter] = SCHEMES[name].genpkey;
  await desk.must("genpkey", "-algorithm", algorithm, "-pkeyopt", parameter, "-out", "private.pem");
  await desk.must("pkey", "-in", "private.pem", "-pubout", "-out", "public.pem");
  return publicNumbers(new TextDecoder().decode(await desk.take("public.pem")));
}

/** Has openssl sign `content` with `private.pem`; gives the signature as a block wants it, big-endian. */
async function signWith(
  desk: OpensslDesk,
  name: keyof typeof SCHEMES,
  ...[content, options]: [Bytes, string[]?]
): Promise<Bytes> {
  const { hash, width } = SCHEMES[name];
  await desk.put("content", content);
  const sigopts = options ?? (name === "rsa3072" ? PSS : []);
  await desk.must("dgst", `-${hash}`, ...sigopts, "-sign", "private.pem", "-out", "signature", "content");
  const signature = await desk.take("signature");
  return name === "rsa3072" ? signature : ecdsaFromDer(signature, width);
}

/** What the inspection says of the one block after `content`. */
async function inspectV2(content: Bytes, block: Bytes): Promise<Record<string, unknown>> {
  const inspection = await inspectImage(bytesSource(concatBytes(content, signatureSector(block))));
  assert(inspection.kind === "application");
  assertEquals([inspection.integrity.verdict, inspection.signatures.length], ["intact", 1]);
  const [found] = inspection.signatures;
  return { scheme: found?.scheme, keyDigest: found?.keyDigest, valid: found?.valid };
}
