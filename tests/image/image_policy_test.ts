import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ImageFacts, ImageInspection } from "../../src/image/image_inspection.ts";
import { inspectImage } from "../../src/image/esp_image.ts";
import { mistakenFileKinds } from "../../src/image/file_kind.ts";
import {
  type ImageJudgement,
  type ImagePolicy,
  type ImageRefusalCode,
  imageRefusalCodes,
  judgeImage,
} from "../../src/image/image_policy.ts";
import type { SecureBootSignature } from "../../src/image/secure_boot.ts";
import { BytesInMemory, handMadeImage } from "./hand_made_image.ts";

const lenient: ImagePolicy = {
  device: "esp32",
  requireSecureBootSignature: false,
  trustedKeyDigests: [],
  forced: new Set(),
};
const key = "ab".repeat(32);
const otherKey = "cd".repeat(32);

async function plain(change: Partial<ImageFacts> = {}): Promise<ImageInspection> {
  const inspection = await inspectImage(new BytesInMemory(handMadeImage()));
  assert(inspection.kind === "application");
  return { ...inspection, ...change };
}

function signature(change: Partial<SecureBootSignature> = {}): SecureBootSignature {
  return { scheme: "v2-rsa", block: 0, offset: 4096, keyDigest: key, valid: true, ...change };
}

function codes({ refusals, warnings, overridden }: ImageJudgement): string {
  const list = (items: readonly { readonly code: string }[]) => items.map(({ code }) => code).join(",");
  return `refused: ${list(refusals)} warned: ${list(warnings)} overridden: ${list(overridden)}`;
}

Deno.test("judgeImage: a plain application is sent, with what the device's configuration decides as warnings", async () => {
  const judgement = judgeImage(await plain(), lenient);
  assertEquals(codes(judgement), "refused:  warned: chip-revision,unsigned overridden: ");
});

const chipCases: readonly (readonly [device: string, reported: string | undefined, wanted: string])[] = [
  ["esp32", undefined, "refused:  warned: chip-revision,unsigned overridden: "],
  ["ESP32-R2", "esp32", "refused:  warned: chip-revision,unsigned overridden: "],
  ["esp32s3", undefined, "refused: wrong-chip warned: chip-revision,unsigned overridden: "],
  ["board-7", undefined, "refused:  warned: unknown-device,chip-revision,unsigned overridden: "],
  ["board-7", "board-7", "refused:  warned: unknown-device,chip-revision,unsigned overridden: "],
  ["esp32r2", "esp32r8", "refused:  warned: other-variant,chip-revision,unsigned overridden: "],
];

Deno.test("judgeImage: the chip against the job's device, and its memory variant against the one that the device reports", async () => {
  const inspection = await plain();
  for (const [device, reportedDevice, wanted] of chipCases) {
    const policy = { ...lenient, device, ...(reportedDevice === undefined ? {} : { reportedDevice }) };
    assertEquals(codes(judgeImage(inspection, policy)), wanted, `${device} ${reportedDevice}`);
  }
});

Deno.test("judgeImage: a wrong chip is told before a wrong SHA-256, on which the chip id depends", async () => {
  const integrity = {
    verdict: "corrupt",
    where: "sha256",
    checksum: { offset: 1, stored: 1, computed: 2 },
    sha256: { offset: 2, stored: "aa", computed: "bb" },
  } as const;
  const { refusals } = judgeImage(await plain({ integrity }), { ...lenient, device: "esp32c3" });
  assertEquals(refusals.map(({ code }) => code), ["wrong-chip", "checksum", "sha256"]);
});

Deno.test("judgeImage: a cut file, with how much is missing", async () => {
  const integrity = { verdict: "truncated", where: "segment 3 data", missing: 99 } as const;
  const [exact] =
    judgeImage(await plain({ integrity: { ...integrity, missingIsExact: true } }), lenient).refusals;
  assertEquals(exact?.code, "truncated");
  assertMatch(exact?.message ?? "", /segment 3 data, 99 bytes are missing/);
  const [least] =
    judgeImage(await plain({ integrity: { ...integrity, missingIsExact: false } }), lenient).refusals;
  assertMatch(least?.message ?? "", /at least 99 bytes/);
});

Deno.test("judgeImage: the size that is sent against the limit, or against common slots without one", async () => {
  const refused = (size: number, maxImageSize: number) =>
    plain({ size }).then((file) => judgeImage(file, { ...lenient, maxImageSize }).refusals.length);
  assertEquals([await refused(1000, 1000), await refused(1001, 1000)], [0, 1]);
  const slots = await Promise.all(
    [0x10_0000, 0x10_0001, 0x29_0001, 0x3f_0001].map(async (size) =>
      judgeImage(await plain({ size }), lenient).warnings.find(({ code }) => code === "slot-size")?.message
    ),
  );
  assertEquals(slots[0], undefined);
  assertMatch(slots[1] ?? "", /0x100000/);
  assertMatch(slots[2] ?? "", /0x290000/);
  assertMatch(slots[3] ?? "", /0x3f0000/);
});

const bad = { valid: false, reason: "the image was altered after it was signed" } as const;
const signatureCases: readonly (readonly [
  name: string,
  signatures: readonly SecureBootSignature[],
  policy: Partial<ImagePolicy>,
  refused: readonly string[],
])[] = [
  ["unsigned", [], {}, []],
  ["unsigned but required", [], { requireSecureBootSignature: true }, ["signature-missing"]],
  ["unsigned with a trusted key", [], { trustedKeyDigests: [key] }, ["signature-missing"]],
  ["signed", [signature()], { requireSecureBootSignature: true }, []],
  ["signed by the trusted key", [signature()], { trustedKeyDigests: [otherKey, key] }, []],
  ["signed by another key", [signature()], { trustedKeyDigests: [otherKey] }, ["signature-untrusted"]],
  [
    "second block trusted, which esp32 never looks at",
    [
      signature(),
      signature({ block: 1, keyDigest: otherKey }),
    ],
    { trustedKeyDigests: [otherKey] },
    ["signature-untrusted"],
  ],
  ["altered", [signature(bad)], {}, ["signature-corrupt"]],
  ["trusted key, but altered", [signature(bad)], { trustedKeyDigests: [key] }, [
    "signature-corrupt",
    "signature-untrusted",
  ]],
  ["altered beside a good one", [signature(), signature({ block: 1, ...bad })], {}, ["signature-corrupt"]],
  ["P-192 of the trusted key, not verifiable", [signature({ valid: "not verifiable" })], {
    trustedKeyDigests: [key],
  }, ["signature-untrusted"]],
  ["v1 without a key", [signature({ scheme: "v1", valid: "not verifiable" })], {
    requireSecureBootSignature: true,
  }, []],
  ["v1 of another key", [signature({ scheme: "v1", ...bad })], {}, ["signature-untrusted"]],
  ["half a digest on esp32", [signature()], { trustedKeyDigests: [key.slice(0, 32)] }, [
    "signature-untrusted",
  ]],
];

Deno.test("judgeImage: signatures under each policy", async () => {
  for (const [name, signatures, policy, refused] of signatureCases) {
    const { refusals } = judgeImage(await plain({ signatures }), { ...lenient, ...policy });
    assertEquals(refusals.map(({ code }) => code as string), refused, name);
  }
});

Deno.test("judgeImage: any block of a trusted key will do on a chip that looks at three", async () => {
  const chip = { id: 9, name: "esp32s3", status: "stable" } as const;
  const signatures = [signature(), signature({ block: 1, keyDigest: otherKey })];
  const policy = { ...lenient, device: "esp32s3", trustedKeyDigests: [otherKey] };
  assertEquals(judgeImage(await plain({ chip, signatures }), policy).refusals, []);
});

Deno.test("judgeImage: a signature whose scheme the chip cannot check is as good as none, whoever made it", async () => {
  const cases = [
    [0, "esp32", "v1", []],
    [0, "esp32", "v2-ecdsa-p256", ["signature-missing"]],
    [9, "esp32s3", "v1", ["signature-missing"]],
    [9, "esp32s3", "v2-ecdsa-p256", ["signature-missing"]],
    [9, "esp32s3", "unknown", ["signature-missing"]],
    [12, "esp32c2", "v2-rsa", ["signature-missing"]],
    [25, "esp32h21", "v1", ["signature-missing"]],
    [25, "esp32h21", "v2-rsa", []], // its schemes are not known yet
  ] as const;
  for (const [id, name, scheme, refused] of cases) {
    const chip = { id, name, status: "stable" } as const;
    const inspection = await plain({ chip, signatures: [signature({ scheme })] });
    const of = (policy: Partial<ImagePolicy>) =>
      judgeImage(inspection, { ...lenient, device: name, ...policy }).refusals.map(({ code }) => code);
    assertEquals(of({ requireSecureBootSignature: true }), [...refused], `${name} ${scheme}, required`);
    assertEquals(of({ trustedKeyDigests: [key] }), [...refused], `${name} ${scheme}, trusted`);
    assertEquals(of({}), [], `${name} ${scheme}`);
  }
});

Deno.test("judgeImage: esp32c2 burns half a digest, and that half is trusted there", async () => {
  const chip = { id: 12, name: "esp32c2", status: "stable" } as const;
  const policy = { ...lenient, device: "esp32c2", trustedKeyDigests: [key.slice(0, 32)] };
  const signatures = [signature({ scheme: "v2-ecdsa-p256" })];
  assertEquals(judgeImage(await plain({ chip, signatures }), policy).refusals, []);
});

Deno.test("judgeImage: what could not be verified is warned of", async () => {
  const signatures = [signature({ valid: "not verifiable", reason: "no curve" })];
  const { warnings } = judgeImage(await plain({ signatures }), lenient);
  assertEquals(warnings.map(({ code }) => code), ["chip-revision", "signature-unverified"]);
});

Deno.test("judgeImage: anti-rollback, also for an image that does not tell its version", async () => {
  const minSecureVersion = 3;
  const of = async (secureVersion: number) => {
    const inspection = await inspectImage(new BytesInMemory(handMadeImage()));
    assert(inspection.kind === "application" && inspection.descriptor !== undefined);
    const descriptor = { ...inspection.descriptor, secureVersion };
    return judgeImage({ ...inspection, descriptor }, { ...lenient, minSecureVersion }).refusals;
  };
  assertEquals((await of(3)).length, 0);
  assertEquals((await of(2)).map(({ code }) => code), ["secure-version"]);
  const spoken = await plain();
  assert(spoken.kind === "application");
  const { descriptor: _, ...silent } = spoken;
  const ofSilent = (least: number) => judgeImage(silent, { ...lenient, minSecureVersion: least }).refusals;
  assertEquals(ofSilent(0), []);
  assertEquals(ofSilent(1).map(({ code }) => code), ["secure-version"]);
  const elf: ImageInspection = {
    kind: "mistaken",
    what: "elf",
    found: "an ELF file",
    remedy: "r",
    size: 100,
  };
  const forced = new Set<ImageRefusalCode>(["elf"]);
  const { refusals } = judgeImage(elf, { ...lenient, minSecureVersion, forced });
  assertEquals(refusals.map(({ code }) => code), ["secure-version"]);
});

Deno.test("judgeImage: each mistaken file is refused by its own name, which alone forces it", () => {
  for (const what of mistakenFileKinds) {
    const file: ImageInspection = {
      kind: "mistaken",
      what,
      found: "a thing",
      remedy: "send another",
      size: 100,
    };
    const { refusals } = judgeImage(file, lenient);
    assertEquals(refusals, [{
      code: what,
      message: "Cannot send the firmware: it is a thing; send another",
    }]);
    const others = new Set(imageRefusalCodes.filter((code) => code !== what));
    assertEquals(judgeImage(file, { ...lenient, forced: others }).refusals.length, 1);
    const forced = judgeImage(file, { ...lenient, forced: new Set([what]) });
    assertEquals([forced.refusals.length, forced.overridden.map(({ code }) => code)], [0, [what]]);
  }
});

Deno.test("judgeImage: forcing what a file is does not force its signature", () => {
  const file: ImageInspection = { kind: "mistaken", what: "encrypted", found: "f", remedy: "r", size: 100 };
  const forced = new Set<ImageRefusalCode>(["encrypted"]);
  const { refusals } = judgeImage(file, { ...lenient, requireSecureBootSignature: true, forced });
  assertEquals(refusals.map(({ code }) => code), ["signature-missing"]);
});

Deno.test("judgeImage: what no device can map is refused", async () => {
  const findings = [{ severity: "error", code: "misaligned-segment", message: "Segment 1 is off" }] as const;
  const { refusals, warnings } = judgeImage(await plain({ findings }), lenient);
  assertEquals(refusals.map(({ code }) => code), ["malformed"]);
  assert(!warnings.some(({ code }) => code === "misaligned-segment"));
});
