import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { networkFault } from "../../src/network_fault.ts";
import { buildPlatformImage, MEDIA_TYPES } from "../builders/oci_image.ts";
import { type LabRegistry, startRegistry } from "./registry.ts";
import {
  addHeader,
  answer,
  blobRequests,
  chunked,
  corrupt,
  drop,
  encodeGzip,
  type FaultAction,
  hugeBody,
  ignoreRange,
  lengthen,
  manifestRequests,
  redirect,
  reset,
  setHeaders,
  stall,
  trickle,
  truncate,
  warn,
} from "./registry_fault.ts";

const FIRMWARE = Uint8Array.from({ length: 9000 }, (_, index) => index % 249);
const IMAGE = buildPlatformImage({ architecture: "esp32", firmware: FIRMWARE, compression: "none" }, "oci");
const LAYER = IMAGE.blobs[1]?.bytes ?? new Uint8Array();
const DIGEST = IMAGE.blobs[1]?.descriptor.digest ?? "";

/** A registry whose only layer is befallen by the fault. */
async function faultyRegistry(action: FaultAction, times?: number): Promise<LabRegistry> {
  const registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  registry.fault({ match: blobRequests(DIGEST), action, ...(times === undefined ? {} : { times }) });
  return registry;
}

function fetchLayer(registry: LabRegistry, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${registry.host}/v2/app/blobs/${DIGEST}`, { redirect: "manual", ...init });
}

Deno.test("drop: without an answer, and after some bytes of the body", async () => {
  await using silent = await faultyRegistry(drop());
  const error = await assertRejects(() => fetchLayer(silent), TypeError);
  assertEquals(networkFault(error), "reset");
  assertEquals(silent.requests[0]?.ending, "cut");

  await using midway = await faultyRegistry(drop(1000));
  const response = await fetchLayer(midway);
  assertEquals(response.headers.get("content-length"), String(LAYER.length));
  await assertRejects(() => response.bytes(), TypeError);
  assertEquals([midway.requests[0]?.ending, midway.requests[0]?.bodyBytesSent], ["cut", 1000]);
});

Deno.test("reset: the client sees a TCP reset", async () => {
  await using registry = await faultyRegistry(reset());
  const error = await assertRejects(() => fetchLayer(registry), TypeError);
  const words = error.cause instanceof Error ? error.cause.message : error.message;
  assertStringIncludes(words.toLowerCase(), "reset");
});

Deno.test("times and skip: only the chosen matches are befallen", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  const fault = registry.fault({ match: blobRequests(), action: answer(503), skip: 1, times: 2 });
  const statuses: number[] = [];
  for (let round = 0; round < 5; round++) {
    const response = await fetchLayer(registry);
    await response.body?.cancel();
    statuses.push(response.status);
  }
  assertEquals(statuses, [200, 503, 503, 200, 200]);
  assertEquals(fault.hits, 2);
});

Deno.test("remove: the fault ends", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  registry.fault({ match: () => true, action: answer(500) }).remove();
  assertEquals((await (await fetchLayer(registry)).bytes()).length, LAYER.length);
});

for (const at of ["nothing", 500] as const) {
  Deno.test(`stall: silence until the client leaves (after ${at})`, async () => {
    await using registry = await faultyRegistry(stall(at));
    const leaving = new AbortController();
    const pull = fetchLayer(registry, { signal: leaving.signal }).then((response) => response.bytes());
    const failed = assertRejects(() => pull, DOMException);
    while (registry.requests[0]?.ending !== "cut") await new Promise((resolve) => setTimeout(resolve, 1));
    leaving.abort();
    await failed;
    assertEquals(registry.requests[0]?.bodyBytesSent, at === "nothing" ? 0 : at);
  });
}

Deno.test("stall: stopping the server ends it", async () => {
  const registry = await faultyRegistry(stall());
  const failed = assertRejects(() => fetchLayer(registry), TypeError);
  while (registry.requests[0]?.ending !== "cut") await new Promise((resolve) => setTimeout(resolve, 1));
  await registry[Symbol.asyncDispose]();
  await failed;
});

Deno.test("hugeBody: stopping the server ends one that the client does not read", async () => {
  const registry = await faultyRegistry(hugeBody(1 << 30));
  const response = await fetchLayer(registry);
  await registry[Symbol.asyncDispose]();
  await assertRejects(() => response.bytes(), TypeError);
  assertEquals(registry.requests[0]?.ending, "broken");
  assert((registry.requests[0]?.bodyBytesSent ?? 0) < 1 << 28);
});

Deno.test("hugeBody: a client that leaves ends it", async () => {
  await using registry = await faultyRegistry(hugeBody(1 << 30));
  const response = await fetchLayer(registry);
  await response.body?.cancel();
  while (registry.requests[0]?.ending === "open") await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(registry.requests[0]?.ending, "broken");
});

Deno.test("trickle: everything arrives, in pieces", async () => {
  await using registry = await faultyRegistry(trickle(2000, 1));
  let pieces = 0;
  let bytes = 0;
  for await (const piece of (await fetchLayer(registry)).body ?? []) {
    pieces++;
    bytes += piece.length;
  }
  assertEquals(bytes, LAYER.length);
  assert(pieces > 1);
});

Deno.test("trickle: stopping the server ends it", async () => {
  const registry = await faultyRegistry(trickle(1, 3_600_000));
  const response = await fetchLayer(registry);
  await registry[Symbol.asyncDispose]();
  await assertRejects(() => response.bytes(), TypeError);
});

Deno.test("truncate, lengthen, corrupt, chunked: bytes and lengths are as wrong as asked", async () => {
  const table: readonly (readonly [FaultAction, number, string | null])[] = [
    [truncate(100, "true"), 100, "100"],
    [lengthen(7, "true"), LAYER.length + 7, String(LAYER.length + 7)],
    // Bytes beyond the Content-Length are not the client's: it stops where it was told.
    [lengthen(7, "stale"), LAYER.length, String(LAYER.length)],
    [corrupt(600), LAYER.length, String(LAYER.length)],
    [chunked(), LAYER.length, null],
    [setHeaders({ "Content-Length": "10" }), 10, "10"],
  ];
  for (const [action, length, contentLength] of table) {
    await using registry = await faultyRegistry(action);
    const response = await fetchLayer(registry);
    assertEquals(response.headers.get("content-length"), contentLength);
    assertEquals((await response.bytes()).length, length);
  }
  await using registry = await faultyRegistry(truncate(100, "stale"));
  const response = await fetchLayer(registry);
  await assertRejects(() => response.bytes(), TypeError);
});

Deno.test("corrupt: one byte differs", async () => {
  await using registry = await faultyRegistry(corrupt(-1));
  const bytes = await (await fetchLayer(registry)).bytes();
  assertEquals(bytes.subarray(0, -1), LAYER.subarray(0, -1));
  assertEquals(bytes.at(-1), (LAYER.at(-1) ?? 0) ^ 0xff);
});

Deno.test("ignoreRange: a Range is answered with 200 and everything", async () => {
  await using registry = await faultyRegistry(ignoreRange());
  const response = await fetchLayer(registry, { headers: { range: "bytes=100-" } });
  assertEquals([response.status, response.headers.get("content-range")], [200, null]);
  assertEquals((await response.bytes()).length, LAYER.length);
});

Deno.test("setHeaders, addHeader, warn: headers lie, repeat and warn", async () => {
  await using registry = await startRegistry();
  registry.put(IMAGE, "app", "v1");
  const match = manifestRequests("v1");
  registry.fault({
    match,
    action: setHeaders({ "docker-content-digest": "sha256:0", "Content-Type": "text/plain" }),
  });
  registry.fault({ match, action: addHeader("WWW-Authenticate", "Basic") });
  registry.fault({ match, action: addHeader("WWW-Authenticate", 'Bearer realm="x"') });
  registry.fault({ match, action: warn("soon gone") });
  const accept = MEDIA_TYPES.oci.manifest;
  const response = await fetch(`http://${registry.host}/v2/app/manifests/v1`, { headers: { accept } });
  await response.body?.cancel();
  assertEquals(response.headers.get("docker-content-digest"), "sha256:0");
  assertEquals(response.headers.get("content-type"), "text/plain");
  assertEquals(response.headers.get("www-authenticate"), 'Basic, Bearer realm="x"');
  assertEquals(response.headers.get("warning"), '299 - "soon gone"');
});

Deno.test("answer, redirect: any status, header and place", async () => {
  await using registry = await faultyRegistry(answer(429, { "Retry-After": "1735689600" }, "slow down"), 1);
  const limited = await fetchLayer(registry);
  assertEquals([limited.status, limited.headers.get("retry-after"), await limited.text()], [
    429,
    "1735689600",
    "slow down",
  ]);
  registry.fault({
    match: blobRequests(),
    action: redirect(({ path }) => `http://example.invalid${path}`, 302),
  });
  const redirected = await fetchLayer(registry);
  await redirected.body?.cancel();
  assertEquals(redirected.status, 302);
  assertEquals(redirected.headers.get("location"), `http://example.invalid/v2/app/blobs/${DIGEST}`);
});

Deno.test("encodeGzip: the transport coding is there even for clients that ask for none", async () => {
  await using registry = await faultyRegistry(encodeGzip());
  const response = await fetchLayer(registry, { headers: { "accept-encoding": "identity" } });
  assertEquals(response.headers.get("content-encoding"), "gzip");
  assertEquals(new Uint8Array(gunzipSync(await response.bytes())), new Uint8Array(LAYER));
});
