/**
 * The proxies of the environment, as the real program meets them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { type Lab, startLab } from "../lab/lab_world.ts";
import { type LabRegistry, startRegistry } from "../lab/registry.ts";
import { startNamedProxy } from "../registry/named_proxy.ts";
import { assertFailed, assertUpdated, reportOf, runLabJob } from "./lab_job.ts";

/** A name that only the proxy knows: nobody can have it (RFC 6761, 6.4). */
const NAME = "registry.invalid";

/** What the operator sets, with a registry that is reached by {@linkcode NAME}. */
const NAMED = { FIRMWARE: `${NAME}/team/thermo:1.1.0`, PLAIN_HTTP: NAME };

/** An open registry with the lab's firmware. */
async function startPublicRegistry({ firmware }: Lab): Promise<LabRegistry> {
  const registry = await startRegistry();
  const platforms = [{ architecture: "esp32s3", firmware }];
  registry.put(buildFirmwareImage({ format: "oci", platforms }), "team/thermo", "1.1.0");
  return registry;
}

Deno.test("flashjob flash: HTTP_PROXY leads to the registry, and to nothing else of the job", async () => {
  await using lab = await startLab();
  await using registry = await startPublicRegistry(lab);
  // it knows the way to the device and to the attestation server, too: only direct connections leave no trace
  await using proxy = startNamedProxy({ [NAME]: registry.host, "127.0.0.1": lab.device.endpoint });
  const run = await runLabJob(lab, {
    args: ["--output", "json"],
    environment: { ...NAMED, HTTP_PROXY: proxy.url, NO_PROXY: "other.invalid" },
  });
  assertEquals(reportOf(run).outcome, "updated", run.stderr);
  assertUpdated(lab);
  assertEquals(new Set(proxy.asked), new Set([NAME]));
});

Deno.test("flashjob flash: NO_PROXY spares the registry it names", async () => {
  await using lab = await startLab();
  await using registry = await startPublicRegistry(lab);
  await using proxy = startNamedProxy({ [NAME]: registry.host });
  const run = await runLabJob(lab, {
    args: ["--output", "json"],
    environment: { ...NAMED, HTTP_PROXY: proxy.url, NO_PROXY: `other.example,${NAME}` },
  });
  // Without the proxy nobody knows the name.
  assertFailed(run, { outcome: "registry-unreachable", cause: new RegExp(NAME) });
  assertEquals([proxy.asked, registry.requests], [[], []]);
});
