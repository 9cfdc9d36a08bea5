import { assertEquals, assertStringIncludes } from "@std/assert";
import { startDevice } from "./lab/device.ts";
import { startLab } from "./lab/lab_world.ts";
import { assertUpdated, reportOf, runLabJob } from "./program/lab_job.ts";

const JSON_OUTPUT = ["--output", "json"];

Deno.test("confirmUpdate: a device that returns at another address is found there with --confirm-host", async () => {
  // Slow enough that its absence is seen, however busy the machine is.
  await using lab = await startLab({
    timings: 1 / 8,
    behaviour: { afterRestart: { hostname: "127.0.0.2" } },
  });
  const there = lab.device.endpoint.replace("127.0.0.1", "127.0.0.2");
  const run = await runLabJob(lab, { args: [...JSON_OUTPUT, "--confirm-host", there] });
  assertEquals([run.code, reportOf(run).outcome], [0, "updated"], run.stdout + run.stderr);
  assertEquals(reportOf(run).confirmation, { verdict: "confirmed-same", restarted: true });
  assertUpdated(lab);
});

Deno.test("confirmUpdate: a device that stood at --confirm-host all the time proves nothing, whatever it runs", async () => {
  await using lab = await startLab({ behaviour: { rejectsImage: true } });
  await using other = await startDevice({ version: "1.1.0" });
  const run = await runLabJob(lab, { args: [...JSON_OUTPUT, "--confirm-host", other.endpoint] });
  assertEquals(lab.device.running.version, "1.0.0");
  assertEquals([run.code, reportOf(run).outcome], [30, "image-rejected"], run.stdout + run.stderr);
});

Deno.test("confirmUpdate: a rejected image is not proven by the version that the device had before", async () => {
  await using lab = await startLab({ from: "1.1.0", behaviour: { rejectsImage: true } });
  const run = await runLabJob(lab, { args: JSON_OUTPUT });
  assertEquals([run.code, reportOf(run).outcome], [30, "image-rejected"], run.stdout + run.stderr);
});

Deno.test("confirmUpdate: a device that was only out of reach has not restarted, and its version proves nothing", async () => {
  // Slow enough that its absence is seen, however busy the machine is.
  await using lab = await startLab({
    timings: 1 / 8,
    from: "1.1.0",
    behaviour: { rejectsImage: true, awayFor: 12_000 },
  });
  const run = await runLabJob(lab, { args: JSON_OUTPUT });
  assertEquals([run.code, reportOf(run).outcome], [30, "image-rejected"], run.stdout + run.stderr);
  assertStringIncludes(run.stderr, "The device is gone");
  assertStringIncludes(run.stderr, "The device was up while it was silent");
});
