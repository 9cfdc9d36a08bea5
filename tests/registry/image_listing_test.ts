import { assertEquals } from "@std/assert";
import { parseDigest } from "../../src/registry/digest.ts";
import { parseReference } from "../../src/registry/reference.ts";
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

Deno.test("RegistryClient.listPlatforms: an entry that nobody could read meets no pin", async () => {
  await using registry = await startRegistry();
  const reference = parseReference(registry.put(INDEX, "iot/fw", "v1"));
  registry.repository("iot/fw").manifests.delete(SECOND);
  using client = openTestRegistry({}, testWorld());
  const pinned = { signal: NEVER, expectDigest: parseDigest(SECOND) };
  assertEquals(await codeOf(() => client.listPlatforms(reference, pinned)), "pin-mismatch");
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
