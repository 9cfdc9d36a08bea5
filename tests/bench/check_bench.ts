import { buildEspApp } from "../builders/esp_image.ts";
import { secureBootKey, signV2 } from "../builders/esp_secure_boot.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { type Lab, startLab } from "../lab/lab_world.ts";
import { runProgram } from "../lab/program.ts";

/** Odd, so that there is a median. */
const ROUNDS = 9;

/** Bytes of the firmware. */
const SIZE = 4 * 1024 * 1024;

/** Milliseconds in which a refusal must follow the pull. */
const WANTED_MS = 100;

/**
 * How long a job looks at a firmware of 4 MiB after it has pulled it, up to the refusal: a process of its own for each
 * round, so that no code is warm, and the time that the job's report states. Prints medians.
 */
export async function run(): Promise<void> {
  const plain = buildEspApp({ chip: "esp32s3", size: SIZE });
  const keys = ["first", "second", "third"].map((name) => secureBootKey("rsa3072", name));
  const files = {
    "with a SHA-256": plain,
    "without": buildEspApp({ chip: "esp32s3", size: SIZE, hashAppended: false }),
    "with three Secure Boot signatures": signV2(plain, ...keys),
  };
  await using lab = await startLab();
  console.log(`Image check of ${SIZE / 1024 / 1024} MiB, medians of ${ROUNDS} jobs, wanted: ${WANTED_MS} ms`);
  for (const [name, firmware] of Object.entries(files)) {
    const image = buildFirmwareImage({ format: "oci", platforms: [{ architecture: "esp32s3", firmware }] });
    const reference = lab.registry.put(image, "bench/check", name.replaceAll(/\W/g, "-"));
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await timeOfRefusal(lab, reference));
    const median = times.toSorted((left, right) => left - right)[Math.floor(ROUNDS / 2)];
    console.log(`  ${name.padEnd(34)}${median} ms  (${times.join(", ")})`);
  }
}

/** Milliseconds of the check in a job that it ends. */
async function timeOfRefusal(lab: Lab, reference: string): Promise<number> {
  const { stdout, stderr } = await runProgram(["--output", "json", "--max-image-size", "1MiB"], {
    environment: { ...lab.environment, FIRMWARE: reference },
  });
  const { outcome, durations } = JSON.parse(stdout);
  if (outcome !== "image-refused") throw new Error(`Cannot measure: the job was not refused\n${stderr}`);
  return durations.check;
}
