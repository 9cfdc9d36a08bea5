import { assert, assertEquals } from "@std/assert";
import { inspectImage } from "../../src/image/esp_image.ts";
import { type ImagePolicy, judgeImage } from "../../src/image/image_policy.ts";
import { readSecureBootKey } from "../../src/image/secure_boot_key.ts";
import { ESP_CHIP_NAMES } from "../builders/esp_chips.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { bytesSource } from "./bytes_source.ts";
import { damagedSignatures } from "./verdict_cases/damaged_signatures.ts";
import { mistakenFiles } from "./verdict_cases/mistaken_files.ts";
import { oddImages } from "./verdict_cases/odd_images.ts";
import { policyCases } from "./verdict_cases/policy_cases.ts";
import { secureBootPolicyCases } from "./verdict_cases/secure_boot_policy_cases.ts";
import { tamperedImages } from "./verdict_cases/tampered_images.ts";
import { validImages } from "./verdict_cases/valid_images.ts";
import { verdictOf } from "./verdict_cases/verdict_case.ts";

/** A policy that asks for nothing. */
const LENIENT: ImagePolicy = {
  device: "esp32s3",
  requireSecureBootSignature: false,
  trustedKeyDigests: [],
  forced: new Set(),
};
const TABLES = { validImages, tamperedImages, oddImages, damagedSignatures, mistakenFiles };

for (const [table, cases] of Object.entries(TABLES)) {
  Deno.test(`inspectImage: ${table}`, async (test) => {
    for (const { name, file, want } of cases) {
      await test.step(name, async () => {
        const inspection = await inspectImage(bytesSource(file()));
        assertEquals(verdictOf(inspection, want), want);
      });
    }
  });
}

Deno.test("judgeImage: policies", async (test) => {
  for (const { name, file, policy, keys, ...want } of [...policyCases, ...secureBootPolicyCases]) {
    await test.step(name, async () => {
      const trusted = (keys?.() ?? []).map(({ publicPem }) =>
        readSecureBootKey(new TextEncoder().encode(publicPem), "key.pem")
      );
      const inspection = await inspectImage(bytesSource(file()), { keys: trusted });
      const { refusals, warnings, overridden } = judgeImage(inspection, { ...LENIENT, ...policy?.() });
      assertEquals(refusals.map(({ code }) => code), [...want.refusals]);
      assertEquals(overridden.map(({ code }) => code), [...want.overridden ?? []]);
      const warned = warnings.map(({ code }) => code);
      for (const code of want.warnings ?? []) assert(warned.includes(code), `no ${code} in ${warned}`);
      for (const code of want.silent ?? []) assert(!warned.includes(code), `${code} in ${warned}`);
      // What people read holds nothing that a terminal would obey.
      for (const { message } of [...refusals, ...warnings, ...overridden]) {
        assert(!/\p{Cc}/u.test(message), message);
      }
    });
  }
});

Deno.test("judgeImage: each mistaken file is refused by the code of its kind, and sent when that is forced", async () => {
  for (const { name, file, want } of mistakenFiles) {
    const inspection = await inspectImage(bytesSource(file()));
    assert(want.kind !== "application");
    const refused = judgeImage(inspection, { ...LENIENT, maxImageSize: 1 << 24 });
    assertEquals(refused.refusals[0]?.code, want.kind, name);
    const codes = new Set(refused.refusals.map(({ code }) => code));
    const forced = judgeImage(inspection, { ...LENIENT, maxImageSize: 1 << 24, forced: codes });
    assertEquals([forced.refusals.length, forced.overridden.length], [0, refused.refusals.length], name);
  }
});

Deno.test("judgeImage: of all chips and all devices only equals match", async () => {
  for (const chip of ESP_CHIP_NAMES) {
    const inspection = await inspectImage(bytesSource(buildEspApp({ chip })));
    for (const device of ESP_CHIP_NAMES) {
      const { refusals } = judgeImage(inspection, { ...LENIENT, device });
      const want = chip === device ? [] : ["wrong-chip"];
      assertEquals(refusals.map(({ code }) => code), want, `${chip} on ${device}`);
    }
  }
});

Deno.test("judgeImage: every sound tampering is refused", async () => {
  for (const { name, file, want } of tamperedImages) {
    if (want.integrity !== "corrupt" && want.integrity !== "truncated") continue;
    const { refusals } = judgeImage(await inspectImage(bytesSource(file())), {
      ...LENIENT,
      device: "esp32s3",
    });
    assert(refusals.length > 0, name);
  }
});

Deno.test("verdict cases: at least 120, each with a name of its own", () => {
  const names = [...Object.values(TABLES).flat(), ...policyCases, ...secureBootPolicyCases].map(({ name }) =>
    name
  );
  assert(names.length >= 120, String(names.length));
  assertEquals(new Set(names).size, names.length);
});
