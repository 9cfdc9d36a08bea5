/**
 * What the endings with exit code 0 claim, and what the device runs then.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildImage, buildIndex } from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { tarArchive, tarFile } from "../builders/tar.ts";
import { startLab } from "../lab/lab_world.ts";
import {
  assertFailed,
  assertNotUpdated,
  assertUndisturbed,
  assertUpdated,
  reportOf,
  runLabJob,
  SEEN,
} from "./lab_job.ts";

const JSON_OUTPUT = ["--output", "json"];

Deno.test("flashjob --skip-if-current: a device that runs the image's version is left alone", async () => {
  await using lab = await startLab({ behaviour: { alreadyUpdated: true } });
  const run = await runLabJob(lab, { args: [...JSON_OUTPUT, "--skip-if-current"] });
  assertEquals(run.code, 0, run.stderr);
  const report = reportOf(run);
  assertEquals(report.outcome, "already-current");
  assertEquals(report.message, "The device already runs version 1.1.0");
  assertEquals(report.transfer, undefined);
  assertUndisturbed(lab);
  assertUpdated(lab);
});

Deno.test("flashjob --skip-if-current: a device with another version is updated", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab, { args: JSON_OUTPUT, environment: { SKIP_IF_CURRENT: "1" } });
  assertEquals(reportOf(run).outcome, "updated");
  assertUpdated(lab);
});

Deno.test("flashjob: VERSION alone never makes a device current, whatever it says", async () => {
  await using lab = await startLab();
  // Under plain Akri the variable is the device's current version.
  const run = await runLabJob(lab, {
    args: [...JSON_OUTPUT, "--skip-if-current"],
    environment: { VERSION: "1.0.0" },
  });
  const report = reportOf(run);
  assertEquals(report.outcome, "updated", run.stdout);
  assert(report.warnings.some((warning) => warning.includes("VERSION")), run.stdout);
  assertUpdated(lab);
});

Deno.test("flashjob: the same version is sent again and counts by the restart that was seen", async () => {
  await using lab = await startLab({ timings: SEEN, from: "1.1.0" });
  const run = await runLabJob(lab, { args: JSON_OUTPUT });
  assertEquals(run.code, 0, run.stdout + run.stderr);
  const report = reportOf(run);
  assertEquals(report.outcome, "updated");
  assertEquals(report.confirmation, { verdict: "confirmed-same", restarted: true });
  assertUpdated(lab);
});

Deno.test("flashjob: a device that cannot tell its version is only claimed to have taken the image", async () => {
  await using lab = await startLab({ timings: SEEN, behaviour: { info: "absent" } });
  const run = await runLabJob(lab, { args: [...JSON_OUTPUT, "--confirm-timeout", "4s"] });
  assertEquals(run.code, 0, run.stdout + run.stderr);
  const report = reportOf(run);
  assertEquals(report.outcome, "updated-unconfirmed");
  assertEquals(report.transfer?.receipt, true);
  assert(report.warnings.some((warning) => warning.startsWith("NOT CONFIRMED")), run.stdout);
  assertUpdated(lab);
});

Deno.test("flashjob --confirm off: a receipt is needed and is all that is claimed", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab, { args: [...JSON_OUTPUT, "--confirm", "off"] });
  assertEquals(run.code, 0, run.stdout + run.stderr);
  const report = reportOf(run);
  assertEquals(report.outcome, "sent");
  assertEquals(report.confirmation, undefined);
  await lab.device.until("restarted");
  assertUpdated(lab);
});

Deno.test("flashjob --confirm-host: a device that returns elsewhere is found where it was said to be", async () => {
  await using lab = await startLab({ behaviour: { afterRestart: { hostname: "127.0.0.2" } } });
  const lost = await runLabJob(lab, { args: [...JSON_OUTPUT, "--confirm-timeout", "2s"] });
  assertFailed(lost, { outcome: "device-lost", cause: /did not come back/ });

  await using again = await startLab({ behaviour: { afterRestart: { hostname: "127.0.0.2" } } });
  const host = again.device.endpoint.replace("127.0.0.1", "127.0.0.2");
  const found = await runLabJob(again, { args: [...JSON_OUTPUT, "--confirm-host", host] });
  assertEquals(reportOf(found).outcome, "updated", found.stdout);
  assertUpdated(again);
});

Deno.test("flashjob --firmware-path: decides among several files, and names none that is not there", async () => {
  await using lab = await startLab();
  const tar = tarArchive([
    tarFile("firmware/bootloader.bin", "not this one"),
    tarFile("firmware/thermo.bin", lab.firmware),
  ]);
  const platform = { os: "custom", architecture: "esp32s3" };
  const layers = [buildLayer(tar, { format: "oci", compression: "zstd" })];
  const image = buildIndex({ format: "oci", entries: [buildImage({ format: "oci", platform, layers })] });
  const environment = { FIRMWARE: lab.registry.put(image, "team/two", "1.1.0") };
  const absent = await runLabJob(lab, {
    args: [...JSON_OUTPUT, "--firmware-path", "/firmware/other.bin"],
    environment,
  });
  assertFailed(absent, { outcome: "unusable-image", cause: /other\.bin/ });
  assertUndisturbed(lab);
  assertNotUpdated(lab);
  const run = await runLabJob(lab, {
    args: [...JSON_OUTPUT, "--firmware-path", "/firmware/thermo.bin"],
    environment,
  });
  assertEquals(reportOf(run).file?.path, "firmware/thermo.bin", run.stdout);
  assertEquals(run.code, 0, run.stderr);
  assertUpdated(lab);
});

Deno.test("flashjob: two jobs with one cache pull the layer once, and a spoilt entry is pulled again", async () => {
  await using lab = await startLab();
  const cache = `${lab.directory}/cache`;
  const dry = ["--dry-run", ...JSON_OUTPUT, "--cache", cache];
  const layers = (): number =>
    lab.registry.requests.filter(({ path, bodyBytesSent }) =>
      path.includes("/blobs/") && bodyBytesSent > 10_000
    )
      .length;
  const first = reportOf(await runLabJob(lab, { args: dry }));
  assertEquals([first.outcome, layers()], ["dry-run", 1]);
  const second = reportOf(await runLabJob(lab, { args: dry }));
  assertEquals([second.outcome, layers()], ["dry-run", 1]);
  assertEquals(second.file, first.file);

  const entry = await findFile(cache, first.image?.layerDigest?.replace("sha256:", "") ?? "");
  const bytes = await Deno.readFile(entry);
  bytes[1000] = (bytes[1000] ?? 0) ^ 0xff;
  await Deno.chmod(entry, 0o600);
  await Deno.writeFile(entry, bytes);
  const third = await runLabJob(lab, { args: [...JSON_OUTPUT, "--cache", cache] });
  assertEquals(reportOf(third).outcome, "updated", third.stdout);
  assertEquals(layers(), 2);
  assertUpdated(lab);
});

Deno.test("flashjob --termination-log: the reason of a failure outlives the log, and no file is made", async () => {
  await using lab = await startLab({ behaviour: { update: 500 } });
  const path = `${lab.directory}/termination-log`;
  await runLabJob(lab, { args: ["--termination-log", path] });
  assertEquals(await Deno.stat(path).then(() => true, () => false), false);
  await Deno.writeTextFile(path, "");
  const run = await runLabJob(lab, { args: ["--termination-log", path] });
  const text = await Deno.readTextFile(path);
  assert(text.length <= 4096);
  const message = JSON.parse(text);
  assertEquals([message.outcome, message.code], ["update-refused", run.code]);
});

/** The file below `directory` whose path ends in these digits. */
async function findFile(directory: string, digits: string): Promise<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) {
      const found = await findFile(path, digits).catch(() => undefined);
      if (found !== undefined) return found;
    } else if (path.replaceAll("/", "").endsWith(digits)) return path;
  }
  throw new Error(`Cannot find '${digits}' in '${directory}'`);
}

Deno.test("flashjob --verify-identity require: a device that is given by name is known by the address it answers from", async () => {
  await using lab = await startLab({ behaviour: { onboard: "absent" } });
  const run = await runLabJob(lab, {
    args: [...JSON_OUTPUT, "--verify-identity", "require"],
    environment: { HOST_ENDPOINT: lab.device.endpoint.replace("127.0.0.1", "localhost") },
  });
  assertEquals(run.code, 0, run.stdout + run.stderr);
  assertStringIncludes(run.stderr, "known by address");
  assertUpdated(lab);
});
