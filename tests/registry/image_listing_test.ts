import { assertEquals, assertRejects } from "@std/assert";
import { parseDigest } from "../../src/registry/digest.ts";
import { parseReference } from "../../src/registry/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { buildIndex } from "../builders/oci_image.ts";
import { flipByte } from "../builders/oci_spoil.ts";
import { startRegistry } from "../lab/registry.ts";
import { answer, changeBody, manifestRequests } from "../lab/registry_fault.ts";
import { imageWith } from "./attack_bench.ts";
import { codeOf, NEVER, openTestRegistry, testWorld } from "./registry_rig.ts";

const CHIPS = ["esp32", "esp32s2", "esp32s3"];
const INDEX = buildIndex({
  format: "oci",
  entries: CHIPS.map((architecture) => imageWith({ platform: { os: "custom", architecture } })),
});
const SECOND = INDEX.manifests[1]?.descriptor.digest ?? "";

Deno.test("RegistryClient.listPlatforms: an entry that is missing or no document is listed as its index names it", async () => {
  const other = imageWith({ editManifest: () => ({ schemaVersion: 2, config: 7 }) });
  const withOther = buildIndex({
    format: "oci",
    entries: [imageWith({ platform: { os: "custom", architecture: "esp32" } }), other],
  });
  for (const [image, missing, count] of [[INDEX, SECOND, 3], [withOther, undefined, 2]] as const) {
    await using registry = await startRegistry();
    const name = registry.put(image, "iot/fw", "v1");
    if (missing !== undefined) registry.repository("iot/fw").manifests.delete(missing);
    const world = testWorld();
    using client = openTestRegistry({}, world);
    const { entries } = await client.listPlatforms(parseReference(name), { signal: NEVER });
    assertEquals(entries.length, count);
    const wanted = image.manifests[1]?.descriptor;
    assertEquals(entries.filter(({ kind }) => kind !== "image"), [{
      kind: "unreadable",
      platform: { os: "custom", architecture: wanted?.platform?.architecture ?? "" },
      digest: parseDigest(wanted?.digest ?? ""),
      mediaType: wanted?.mediaType ?? "",
      size: wanted?.size ?? 0,
      annotations: {},
      layers: [],
    }]);
    const told = world.lines.filter(({ level }) => level === "warn");
    assertEquals(told.map(({ message }) => message.includes(wanted?.digest ?? "")), [true]);
  }
});

Deno.test("RegistryClient.listPlatforms: a pinned entry that cannot be read ends the listing with its own fault", async () => {
  await using registry = await startRegistry();
  const reference = parseReference(registry.put(INDEX, "iot/fw", "v1"));
  const other = registry.put(
    imageWith({ platform: { os: "custom", architecture: "esp32c6" } }),
    "iot/other",
    "v1",
  );
  registry.repository("iot/fw").manifests.delete(SECOND);
  using client = openTestRegistry({}, testWorld());
  const list = (digest: string) => () =>
    client.listPlatforms(reference, { signal: NEVER, expectDigest: parseDigest(digest) });
  const error = await assertRejects(list(SECOND), RegistryError, SECOND);
  assertEquals([error.code, error.message.includes("--expect-digest")], ["not-found", false]);
  // what the index does not name is still another image
  const { digest } = await client.fetchManifest(parseReference(other), { signal: NEVER });
  assertEquals(await codeOf(list(digest)), "pin-mismatch");
});

Deno.test("RegistryClient.listPlatforms: an entry that says it is larger than any document is listed and not asked for", async () => {
  await using registry = await startRegistry();
  const size = 17 * 1024 * 1024;
  const other = imageWith({ platform: { os: "custom", architecture: "esp32c6" } });
  const huge = { ...other, descriptor: { ...other.descriptor, size } };
  const small = imageWith({ platform: { os: "custom", architecture: "esp32" } });
  const index = buildIndex({ format: "oci", entries: [huge, small] });
  const name = registry.put(index, "iot/fw", "v1");
  using client = openTestRegistry({}, testWorld());
  const { entries } = await client.listPlatforms(parseReference(name), { signal: NEVER });
  assertEquals(entries.map((entry) => [entry.kind, entry.size]), [
    ["unreadable", size],
    ["image", small.descriptor.size],
  ]);
  assertEquals(registry.requests.length, 2);
});

Deno.test("RegistryClient.listPlatforms: false bytes, a refusal and a server that fails end the listing", async () => {
  const faults = [
    [changeBody(flipByte(5)), "content-mismatch"],
    [answer(403), "auth-refused"],
    [answer(500), "registry-failure"],
  ] as const;
  for (const [action, expected] of faults) {
    await using registry = await startRegistry();
    const reference = parseReference(registry.put(INDEX, "iot/fw", "v1"));
    registry.fault({ match: manifestRequests(SECOND), action });
    using client = openTestRegistry({}, testWorld());
    assertEquals(await codeOf(() => client.listPlatforms(reference, { signal: NEVER })), expected);
  }
});
