/**
 * Each finding of the image check ends the job with its own exit code before the device is asked, and can be
 * overridden by its own word alone.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ImageRefusalCode } from "../../src/image/image_policy.ts";
import { REFUSAL_EXITS } from "../../src/job/job_outcome.ts";
import { buildEsp8266V1 } from "../builders/esp_8266.ts";
import { filledBytes, withBytes, withFlip } from "../builders/esp_bytes.ts";
import {
  buildBootloader,
  buildEncryptedDump,
  buildMergedFlash,
  buildPartitionTable,
  buildRamOnlyImage,
} from "../builders/esp_flash_files.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import {
  buildCompressedOta,
  buildDeltaPatch,
  buildElf,
  buildHtmlPage,
  buildIntelHex,
  buildMcuboot,
  buildUf2,
  buildZip,
} from "../builders/esp_mistaken_files.ts";
import {
  sealBlock,
  secureBootKey,
  signatureSector,
  signedBlock,
  signV2,
} from "../builders/esp_secure_boot.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { startLab } from "../lab/lab_world.ts";
import { assertFailed, assertUndisturbed, assertUpdated, reportOf, runLabJob } from "./lab_job.ts";

interface RefusalCase {
  readonly file: () => Uint8Array<ArrayBuffer>;
  /** Flags that ask for what the file lacks. */
  readonly args?: readonly string[];
  /** What the sentence must say of the file. */
  readonly cause: RegExp;
}

const app = buildEspApp({ version: "1.1.0" });
const signed = () => signV2(app, secureBootKey("rsa3072"));

/** The last byte before the appended SHA-256 is the checksum; the SHA-256 is made to agree with the wrong one. */
function withWrongChecksum(): Uint8Array<ArrayBuffer> {
  const plain = buildEspApp({ version: "1.1.0", hashAppended: false });
  return withFlip(plain, plain.length - 1);
}

function withWrongSignature(): Uint8Array<ArrayBuffer> {
  const whole = signed();
  const padded = whole.slice(0, whole.length - 4096);
  const block = signedBlock(padded, secureBootKey("rsa3072"));
  const sector = signatureSector(sealBlock(withFlip(block, 900)));
  return withBytes(whole, padded.length, sector);
}

/** One case for each exit code of the table. */
const REFUSALS: Readonly<Record<ImageRefusalCode, RefusalCase>> = {
  "empty": { file: () => filledBytes(4096, 0xff), cause: /0xFF|empty|erased/i },
  "elf": { file: () => buildElf("xtensa"), cause: /ELF/ },
  "uf2": { file: () => buildUf2(app), cause: /UF2/ },
  "intel-hex": { file: () => buildIntelHex(app), cause: /Intel HEX/ },
  "archive": { file: () => buildZip("thermo.bin", app), cause: /zip/i },
  "text-page": { file: buildHtmlPage, cause: /HTML/ },
  "partition-table": { file: () => buildPartitionTable(), cause: /partition table/ },
  "delta-patch": { file: () => buildDeltaPatch(app), cause: /patch/ },
  "encrypted": { file: () => buildEncryptedDump(), cause: /encrypt/ },
  "compressed": { file: () => buildCompressedOta(2), cause: /compressed/ },
  "mcuboot": { file: buildMcuboot, cause: /MCUboot/ },
  "esp8266": { file: buildEsp8266V1, cause: /ESP8266/ },
  "merged-image": { file: () => buildMergedFlash({ chip: "esp32s3" }), cause: /0x10000/ },
  "bootloader": { file: () => buildBootloader("esp32s3"), cause: /bootloader/ },
  "ram-image": { file: () => buildRamOnlyImage("esp32s3"), cause: /RAM/ },
  "not-an-image": { file: () => filledBytes(4096, 0x07), cause: /firmware/ },
  "wrong-chip": { file: () => buildEspApp({ chip: "esp32c3" }), cause: /esp32c3/ },
  "malformed": { file: () => withBytes(app, 1, [17]), cause: /segment/ },
  "truncated": { file: () => app.slice(0, 2000), cause: /\d+ bytes/ },
  "checksum": { file: withWrongChecksum, cause: /checksum/ },
  "sha256": { file: () => withFlip(app, app.length - 1), cause: /SHA-256/ },
  "too-large": { file: () => app, args: ["--max-image-size", "2k"], cause: /2048/ },
  "signature-corrupt": { file: withWrongSignature, cause: /signature/ },
  "signature-missing": {
    file: () => app,
    args: ["--require-secure-boot-signature"],
    cause: /signature|signed/,
  },
  "signature-untrusted": {
    file: signed,
    args: ["--secure-boot-key-digest", "ab".repeat(32)],
    cause: /trusted|key/,
  },
  "secure-version": { file: () => app, args: ["--min-secure-version", "3"], cause: /secure.version/ },
};

Deno.test("REFUSAL_EXITS: no two findings share an exit code", () => {
  assertEquals(new Set(Object.values(REFUSAL_EXITS)).size, Object.keys(REFUSAL_EXITS).length);
});

for (const [code, { file, args = [], cause }] of Object.entries(REFUSALS)) {
  Deno.test(`flashjob: '${code}' is refused before the device is asked, unless exactly that is forced`, async () => {
    await using lab = await startLab();
    const image = buildFirmwareImage({
      format: "oci",
      platforms: [{ architecture: "esp32s3", firmware: file() }],
    });
    const environment = { FIRMWARE: lab.registry.put(image, "team/mistaken", "1.1.0") };
    const job = (...more: string[]) =>
      runLabJob(lab, { args: ["--output", "json", ...args, ...more], environment });

    const refused = await job();
    const exit = Object.entries(REFUSAL_EXITS).find(([name]) => name === code)?.[1] ?? NaN;
    const report = assertFailed(refused, { outcome: "image-refused", code: exit, cause });
    assertEquals(report.reason, code);
    assertStringIncludes(report.message, `[--force-image ${code} overrides this]`);
    assert("check" in report.durations);
    assertUndisturbed(lab);

    const another = code === "elf" ? "uf2" : "elf";
    assertEquals((await job("--dry-run", "--force-image", another)).code, exit);
    const forced = await job("--dry-run", "--force-image", code);
    assertEquals(reportOf(forced).outcome, "dry-run", forced.stdout);
    assert(
      reportOf(forced).warnings.some((warning) => warning.startsWith(`Overridden by --force-image ${code}`)),
    );
    assertUndisturbed(lab);
  });
}

Deno.test("flashjob: a finding that is forced knowingly is sent, and told as a warning", async () => {
  await using lab = await startLab();
  const args = ["--output", "json", "--max-image-size", "100k", "--require-secure-boot-signature"];
  const one = await runLabJob(lab, { args: [...args, "--force-image", "too-large"] });
  assertFailed(one, { outcome: "image-refused", code: REFUSAL_EXITS["signature-missing"], cause: /sign/ });
  assertUndisturbed(lab);
  const both = await runLabJob(lab, {
    args: [...args, "--force-image", "too-large", "--force-image", "signature-missing"],
  });
  assertEquals(both.code, 0, both.stderr);
  assertUpdated(lab);
  const overridden = reportOf(both).warnings.filter((warning) => warning.startsWith("Overridden"));
  assertEquals(overridden.length, 2);
});

Deno.test("flashjob: an unfit file is refused while the attestation server still thinks", async () => {
  await using lab = await startLab({ attestation: "hang", size: 4_000_000 });
  const run = await runLabJob(lab, {
    args: ["--output", "json", "--max-image-size", "1MiB", "--attestation-timeout", "60s"],
  });
  const cause = /1048576/;
  const report = assertFailed(run, { outcome: "image-refused", code: REFUSAL_EXITS["too-large"], cause });
  assertUndisturbed(lab);
  console.log(
    `check of an image of 4 MB: ${report.durations["check"]} ms, whole job: ${report.durations["total"]} ms`,
  );
});
