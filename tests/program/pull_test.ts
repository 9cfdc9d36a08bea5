/**
 * `flashjob pull` as a program: its file, its JSON, its failures.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { OUTCOMES } from "../../src/job/job_outcome.ts";
import { flipByte, withContent } from "../builders/oci_spoil.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { firstLayerOf } from "../builders/oci_spoil.ts";
import { startLab } from "../lab/lab_world.ts";
import { type ProgramRun, runProgram } from "../lab/program.ts";
import { blobRequests, stall, trickle } from "../lab/registry_fault.ts";

Deno.test("flashjob pull --output json: one object beside the file, with the digests of both", async () => {
  await using lab = await startLab();
  const output = `${lab.directory}/thermo.bin`;
  const run = await pull(lab.environment, lab.reference, output);
  assertEquals(run.code, 0, run.stderr);
  const found = oneObject(run);
  const image = lab.registry.repository("team/thermo");
  assertEquals(found, {
    outcome: "pulled",
    code: 0,
    output,
    indexDigest: image.tags.get("1.1.0"),
    manifestDigest: found["manifestDigest"],
    layerDigest: found["layerDigest"],
    path: "firmware/app.bin",
    size: lab.firmware.length,
    sha256: new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(lab.firmware))).toHex(),
  });
  assertEquals(image.manifests.has(String(found["manifestDigest"])), true);
  assertEquals(image.blobs.has(String(found["layerDigest"])), true);
  assertEquals(await Deno.readFile(output), new Uint8Array(lab.firmware));
});

Deno.test("flashjob pull: text output is one line, and an older file is replaced as a whole", async () => {
  await using lab = await startLab();
  const output = `${lab.directory}/thermo.bin`;
  await Deno.writeTextFile(output, "older");
  const args = ["pull", lab.reference, "--device", "ESP32-S3", "--output", output];
  const run = await runProgram(args, { environment: lab.environment });
  assertEquals(run.code, 0, run.stderr);
  assertEquals(run.stdout.trimEnd().split("\n").length, 1);
  assertStringIncludes(run.stdout, `-> ${output} [${lab.firmware.length} bytes, sha256 `);
  assertEquals(await Deno.readFile(output), new Uint8Array(lab.firmware));
});

Deno.test("flashjob pull: a new file is as open as any other, a replaced one as it was, and the cache private", async () => {
  await using lab = await startLab();
  const [fresh, older, usual] = ["fresh.bin", "older.bin", "usual"].map((name) => `${lab.directory}/${name}`);
  assert(fresh !== undefined && older !== undefined && usual !== undefined);
  await Deno.writeTextFile(usual, "");
  await Deno.writeTextFile(older, "older");
  await Deno.chmod(older, 0o664);
  const environment = { ...lab.environment, FLASHJOB_CACHE: `${lab.directory}/cache` };
  for (const output of [fresh, older]) {
    assertEquals((await pull(environment, lab.reference, output)).code, 0);
  }
  const modeOf = async (path: string): Promise<number> => ((await Deno.stat(path)).mode ?? 0) & 0o777;
  assertEquals(await modeOf(fresh), await modeOf(usual));
  assertEquals(await modeOf(older), 0o664);
  const kept = await filesBelow(`${lab.directory}/cache`);
  assert(kept.length > 0, "nothing was kept");
  for (const path of kept) assertEquals((await modeOf(path)) & 0o077, 0, path);
});

Deno.test("flashjob pull: what fails leaves the older file, nothing beside it, and one object on stdout", async () => {
  await using lab = await startLab();
  const output = `${lab.directory}/out/thermo.bin`;
  await Deno.mkdir(`${lab.directory}/out`);
  await Deno.writeTextFile(output, "older");
  const platforms = [{ architecture: "esp32s3", firmware: lab.firmware }];
  const image = buildFirmwareImage({ format: "oci", platforms });
  const { digest } = firstLayerOf(image, "esp32s3");
  const spoilt = lab.registry.put(withContent(image, digest, flipByte(5000)), "team/spoilt", "1");

  const failures = [
    { reference: spoilt, outcome: "content-mismatch" },
    { reference: lab.reference.replace("1.1.0", "9"), outcome: "not-found" },
  ] as const;
  for (const { reference, outcome } of failures) {
    const run = await pull(lab.environment, reference, output);
    assertEquals(run.code, OUTCOMES[outcome].exit, run.stderr);
    const found = oneObject(run);
    assertEquals([found["outcome"], found["code"], found["remedy"]], [
      outcome,
      run.code,
      OUTCOMES[outcome].remedy,
    ]);
    assertStringIncludes(
      run.stderr.trimEnd().split("\n").at(-1) ?? "",
      `FAILED ${outcome} (exit ${run.code}): `,
    );
  }
  assertEquals(await Deno.readTextFile(output), "older");
  assertEquals((await Array.fromAsync(Deno.readDir(`${lab.directory}/out`))).map(({ name }) => name), [
    "thermo.bin",
  ]);
});

Deno.test("flashjob pull: faults of its configuration are one object on stdout too", async () => {
  const run = await runProgram(["pull", "127.0.0.1:1/x:1", "--output", "json"]);
  assertEquals(run.code, OUTCOMES.configuration.exit);
  const found = oneObject(run);
  assertEquals([found["outcome"], found["code"]], ["configuration", 2]);
  assertStringIncludes(String(found["message"]), "--device");
  assertStringIncludes(String(found["message"]), "--output FILE");
});

Deno.test("flashjob pull: an output that cannot be is told before a registry is asked", async () => {
  await using lab = await startLab();
  const pipe = `${lab.directory}/pipe`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const loop = `${lab.directory}/loop`;
  await Deno.symlink("loop", loop);
  const places = [
    [`${lab.directory}/absent/thermo.bin`, `'${lab.directory}/absent' does not exist`],
    [lab.directory, "it is a directory"],
    [pipe, "it is a device or a pipe"],
    // cannot even be looked at, as below a directory of another user
    [`${loop}/thermo.bin`, "Too many levels of symbolic links"],
    [`${lab.directory}/${"x".repeat(256)}`, "File name too long"],
  ] as const;
  for (const [output, cause] of places) {
    const run = await pull(lab.environment, lab.reference, output);
    assertEquals(run.code, OUTCOMES["local-io"].exit, run.stderr);
    const found = oneObject(run);
    assertEquals(found["outcome"], "local-io");
    assertStringIncludes(String(found["message"]), `Cannot write '${output}': ${cause}`);
  }
  assertEquals(lab.registry.requests, []);
  assertEquals((await Deno.lstat(pipe)).isFifo, true);
});

Deno.test("flashjob pull: SIGTERM leaves nothing beside the output", async () => {
  await using lab = await startLab();
  const directory = `${lab.directory}/out`;
  await Deno.mkdir(directory);
  lab.registry.fault({ match: blobRequests(), action: stall() });
  let watch: ReturnType<typeof setInterval> | undefined;
  const args = ["pull", lab.reference, "--device", "esp32s3", "--output", `${directory}/thermo.bin`];
  const run = await runProgram(args, {
    environment: lab.environment,
    onStart: (child) => {
      watch = setInterval(() => {
        if (!lab.registry.requests.some(({ path }) => path.includes("/blobs/"))) return;
        clearInterval(watch);
        child.kill("SIGTERM");
      }, 20);
    },
  });
  clearInterval(watch);
  assertEquals(run.code, OUTCOMES.terminated.exit, run.stderr);
  assertEquals(await Array.fromAsync(Deno.readDir(directory)), []);
});

Deno.test("flashjob pull and inspect: a registry that goes on without an end ends with the deadline", async () => {
  await using lab = await startLab();
  // each piece is progress enough for the idle time
  lab.registry.fault({ match: blobRequests(), action: trickle(64, 100) });
  const output = `${lab.directory}/out/thermo.bin`;
  await Deno.mkdir(`${lab.directory}/out`);
  const commands = [["pull", lab.reference, "--output", output], ["inspect", lab.reference]];
  const runs = await Promise.all(commands.map((command) => {
    const args = [...command, "--device", "esp32s3", "--timeout", "1s"];
    return runProgram(args, { environment: lab.environment });
  }));
  for (const run of runs) assertEquals(run.code, OUTCOMES.deadline.exit, run.stderr);
  assertEquals(await Array.fromAsync(Deno.readDir(`${lab.directory}/out`)), []);
});

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  const found = entries.map(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${directory}/${name}`) : [`${directory}/${name}`]
  );
  return (await Promise.all(found)).flat();
}

async function pull(
  environment: Readonly<Record<string, string>>,
  reference: string,
  output: string,
): Promise<ProgramRun> {
  const args = ["pull", reference, "--device", "esp32s3", "--output", output, "--output", "json"];
  return await runProgram(args, { environment });
}

function oneObject(run: ProgramRun): Record<string, unknown> {
  assertEquals(run.stdout.trimEnd().split("\n").length, 1, run.stdout + run.stderr);
  return JSON.parse(run.stdout);
}
