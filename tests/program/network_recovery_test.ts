/**
 * A bad network and a busy registry cost time and no job: what can pass ends in a verified file and exit code 0.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { buildEspApp } from "../builders/esp_image.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { firstLayerOf } from "../builders/oci_spoil.ts";
import { startLab } from "../lab/lab_world.ts";
import { runProgram } from "../lab/program.ts";
import { type LabRegistry, type RegistryAuth, startRegistry } from "../lab/registry.ts";
import {
  answer,
  blobRequests,
  drop,
  type FaultAction,
  manifestRequests,
  reset,
  trickle,
} from "../lab/registry_fault.ts";
import { bodyBytes } from "../lab/registry_reply.ts";
import { assertUpdated, reportOf, runLabJob } from "./lab_job.ts";

const firmware = buildEspApp({ chip: "esp32s3", version: "1.1.0", size: 400_000 });
const image = buildFirmwareImage({ format: "oci", platforms: [{ architecture: "esp32s3", firmware }] });
const layer = firstLayerOf(image, "esp32s3");
const isLayer = blobRequests(layer.digest);
const TOKENS: RegistryAuth = { kind: "token" };

/** Ten places in what is left of a layer, as fractions. */
const TEN_POINTS = fc.sample(fc.double({ min: 0, max: 0.5, noNaN: true }), { numRuns: 10, seed: 20_260_203 });

interface Recovery {
  readonly name: string;
  readonly auth?: RegistryAuth;
  readonly trouble: (registry: LabRegistry) => void;
  /** What the registry must have seen for the trouble to have been one. */
  readonly seen: (registry: LabRegistry) => void;
}

const recoveries: readonly Recovery[] = [
  {
    name: "a token that ends while the layer comes",
    auth: { kind: "token", tokens: { lifetimeSeconds: 1 } },
    trouble: (registry) => {
      // The line breaks after 1.3 s: what was granted at the start is no longer worth anything.
      registry.fault({ match: isLayer, action: trickle(20_000, 100), times: 1 });
      registry.fault({ match: isLayer, action: drop(300_000), times: 1 });
    },
    seen: (registry) => {
      assert((registry.issuer?.issued.length ?? 0) >= 2, "one token was enough");
      assertEquals(layerRequests(registry).at(-1)?.headers.get("range"), "bytes=300000-");
    },
  },
  {
    name: "a token that the registry revokes while the layer comes",
    auth: TOKENS,
    trouble: (registry) => {
      registry.fault({
        match: isLayer,
        action: (reply, request) => {
          registry.issuer?.revoke();
          return reset(100_000)(reply, request);
        },
        times: 1,
      });
    },
    seen: (registry) => {
      assertEquals(registry.issuer?.issued.length, 2);
      assertEquals(layerRequests(registry).map(({ status }) => status).slice(-2), [401, 206]);
    },
  },
  {
    name: "a layer that is cut at ten places",
    trouble: (registry) => {
      const points = TEN_POINTS.values();
      const cut: FaultAction = (reply, request) => {
        const { value: point = 0 } = points.next();
        const at = 1 + Math.floor(point * (bodyBytes(reply).length - 2));
        return at % 2 === 0 ? drop(at)(reply, request) : reset(at)(reply, request);
      };
      registry.fault({ match: isLayer, action: cut, times: TEN_POINTS.length });
    },
    seen: (registry) => {
      const requests = layerRequests(registry);
      assertEquals(requests.filter(({ ending }) => ending === "cut").length, TEN_POINTS.length);
      // It went on where it broke, and never began anew.
      assertEquals(requests.slice(1).filter(({ status }) => status !== 206), []);
    },
  },
  {
    name: "a layer that is cut before its first byte and before its last",
    trouble: (registry) => {
      registry.fault({ match: isLayer, action: drop(), times: 1 });
      registry.fault({ match: isLayer, action: drop(layer.size - 1), times: 1, skip: 1 });
    },
    seen: (registry) =>
      assertEquals(layerRequests(registry).map((request) => request.headers.get("range")), [
        null,
        null,
        `bytes=${layer.size - 1}-`,
      ]),
  },
  {
    name: "429 with Retry-After in seconds for the index and in a date for the layer",
    trouble: (registry) => {
      const date = new Date(Date.now() + 1000).toUTCString();
      registry.fault({ match: manifestRequests(), action: answer(429, { "Retry-After": "1" }), times: 1 });
      registry.fault({ match: isLayer, action: answer(429, { "Retry-After": date }), times: 1 });
    },
    seen: (registry) => {
      assertEquals(registry.requests.filter(({ status }) => status === 429).length, 2);
    },
  },
  {
    name: "503 from the registry and from the token server",
    auth: TOKENS,
    trouble: (registry) => {
      registry.tokenServer?.fault({ match: () => true, action: answer(503), times: 1 });
      registry.fault({ match: isLayer, action: answer(503), times: 1 });
    },
    seen: (registry) => {
      assertEquals(registry.tokenServer?.requests.map(({ status }) => status), [503, 200]);
      assertEquals(layerRequests(registry).map(({ status }) => status), [503, 200]);
    },
  },
];

for (const { name, auth, trouble, seen } of recoveries) {
  Deno.test(`flashjob pull: ${name} costs no job`, async () => {
    await using registry = await startRegistry(auth === undefined ? {} : { auth });
    const reference = registry.put(image, "team/thermo", "1");
    trouble(registry);
    const directory = await Deno.makeTempDir({ prefix: "recovery-" });
    try {
      const output = `${directory}/app.bin`;
      const run = await runProgram(["pull", reference, "--device", "esp32s3", "--output", output]);
      assertEquals(run.code, 0, run.stdout + run.stderr);
      assertEquals(await Deno.readFile(output), new Uint8Array(firmware));
      assertEquals((await Array.fromAsync(Deno.readDir(directory))).length, 1);
      seen(registry);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("flashjob: a job whose registry fails in every way that passes still updates the device", async () => {
  await using lab = await startLab();
  const { registry } = lab;
  registry.tokenServer?.fault({ match: () => true, action: answer(429, { "Retry-After": "0" }), times: 1 });
  registry.fault({ match: manifestRequests(), action: reset(), times: 1 });
  registry.fault({
    match: (request, reply) => blobRequests()(request) && bodyBytes(reply).length > 10_000,
    action: (reply, request) => {
      registry.issuer?.revoke();
      return drop(50_000)(reply, request);
    },
    times: 1,
  });
  const run = await runLabJob(lab, { args: ["--output", "json"] });
  assertEquals(run.code, 0, run.stdout + run.stderr);
  assertEquals(reportOf(run).outcome, "updated");
  assertUpdated(lab);
});

function layerRequests(registry: LabRegistry): LabRegistry["requests"] {
  return registry.requests.filter(isLayer);
}
