/**
 * The job against the real docker-registry with htpasswd, filled by skopeo from an OCI layout.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { buildEspApp } from "../builders/esp_image.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { writeOciLayout } from "../builders/oci_layout.ts";
import { available, startDockerRegistry } from "../lab/docker_registry.ts";
import { type Lab, startLab } from "../lab/lab_world.ts";
import { runProgram } from "../lab/program.ts";
import { copyLayout, skopeoAvailable } from "../lab/registry_skopeo.ts";
import {
  assertFailed,
  assertUndisturbed,
  assertUpdated,
  finalLineOf,
  reportOf,
  runLabJob,
} from "./lab_job.ts";

const USER = { user: "robot", password: "real-registry-password" };

/** A docker-registry that holds the lab's firmware for three platforms, written by skopeo. */
interface RealRegistry extends AsyncDisposable {
  /** `HOST/REPOSITORY:TAG`. */
  readonly reference: string;
  /** DOCKER_CONFIG with a user who may pull. */
  readonly credentials: Readonly<Record<string, string>>;
}

async function startFilled(lab: Lab, toDocker: boolean): Promise<RealRegistry> {
  await using started = new AsyncDisposableStack();
  const registry = started.use(await startDockerRegistry({ kind: "htpasswd", ...USER }));
  const directory = await Deno.makeTempDir({ prefix: "layout-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  const others = (["esp32s2", "esp32"] as const).map((chip) => ({
    architecture: chip,
    firmware: buildEspApp({ chip, version: "1.1.0", size: 20_000 }),
  }));
  const platforms = [{ architecture: "esp32s3", firmware: lab.firmware }, ...others];
  await writeOciLayout(buildFirmwareImage({ format: "oci", platforms }), directory, "1.1.0");
  const reference = `${registry.host}/team/thermo:1.1.0`;
  const credentials = `${USER.user}:${USER.password}`;
  await copyLayout({ directory, tag: "1.1.0", destination: reference, credentials, toDocker });
  const config = { auths: { [registry.host]: { auth: btoa(credentials) } } };
  await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify(config));
  const owned = started.move();
  return {
    reference,
    credentials: { DOCKER_CONFIG: directory },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Whether the real programs are here; where they are not, says so, which under `CI=true` is an error. */
async function areInstalled(): Promise<boolean> {
  const registry = await available();
  return await skopeoAvailable() && registry;
}

for (const format of ["OCI", "Docker"] as const) {
  Deno.test(`flashjob: an image of ${format} media types in docker-registry with htpasswd, by skopeo, reaches the device`, async () => {
    if (!await areInstalled()) return;
    await using lab = await startLab();
    await using registry = await startFilled(lab, format === "Docker");
    const run = await runLabJob(lab, {
      args: ["--output", "json"],
      environment: { FIRMWARE: registry.reference, ...registry.credentials },
    });
    assertEquals(run.code, 0, run.stderr);
    assertUpdated(lab);
    const report = reportOf(run);
    assertEquals(report.outcome, "updated");
    assertEquals(report.reference, registry.reference);
    assertEquals(report.image?.platform, "custom/esp32s3");
    assertStringIncludes(finalLineOf(run), "OK updated");
    assertEquals((run.stdout + run.stderr).includes(USER.password), false);
  });
}

Deno.test("flashjob: docker-registry with htpasswd refuses a job without credentials, before the device is asked", async () => {
  if (!await areInstalled()) return;
  await using lab = await startLab();
  await using registry = await startFilled(lab, false);
  const args = ["--output", "json"];
  const run = await runLabJob(lab, { args, environment: { FIRMWARE: registry.reference } });
  assertFailed(run, { outcome: "registry-auth", cause: /401/ });
  const absent = registry.reference.replace("thermo:1.1.0", "thermo:9");
  const other = await runLabJob(lab, { args, environment: { FIRMWARE: absent, ...registry.credentials } });
  assertFailed(other, { outcome: "not-found", cause: /404/ });
  assertUndisturbed(lab);
});

Deno.test("flashjob pull: the file is what skopeo put into docker-registry, by tag and by digest", async () => {
  if (!await areInstalled()) return;
  await using lab = await startLab();
  await using registry = await startFilled(lab, false);
  const output = `${lab.directory}/thermo.bin`;
  const pull = async (reference: string): Promise<{ manifestDigest: string; indexDigest: string }> => {
    const run = await runProgram(
      ["pull", reference, "--device", "esp32-s3", "--output", output, "--output", "json"],
      { environment: registry.credentials },
    );
    assertEquals(run.code, 0, run.stderr);
    assertEquals(await Deno.readFile(output), new Uint8Array(lab.firmware));
    return JSON.parse(run.stdout);
  };
  const byTag = await pull(registry.reference);
  const repository = registry.reference.replace(":1.1.0", "");
  const byDigest = await pull(`${repository}@${byTag.indexDigest}`);
  assertEquals(byDigest.manifestDigest, byTag.manifestDigest);
});
