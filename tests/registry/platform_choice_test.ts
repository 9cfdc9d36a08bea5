import { assertEquals, assertRejects } from "@std/assert";
import type { Descriptor, Platform } from "../../src/registry/descriptor.ts";
import { digestOf } from "../../src/registry/digest.ts";
import type { ReadDocument } from "../../src/registry/document_reader.ts";
import { searchIndex } from "../../src/registry/image_search.ts";
import { samePlatform } from "../../src/registry/platform_choice.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { MEDIA_TYPES } from "../builders/oci_image.ts";
import { testWorld, WANTED } from "./registry_rig.ts";

/** A document tree without bytes: a leaf is a manifest, named by its config's platform. */
type Node = {
  readonly name: string;
  readonly entries?: readonly Entry[];
  readonly configPlatform?: Platform;
};
type Entry = {
  readonly node: Node;
  readonly platform?: Platform;
  readonly annotations?: Record<string, string>;
};

const nameDigest = (name: string) => digestOf(new TextEncoder().encode(name));

function descriptorOf({ node, platform, annotations = {} }: Entry): Descriptor {
  const mediaType = node.entries ? MEDIA_TYPES.oci.index : MEDIA_TYPES.oci.manifest;
  return {
    mediaType,
    digest: nameDigest(node.name),
    size: 1,
    annotations,
    ...(platform ? { platform } : {}),
  };
}

function documentOf(node: Node): ReadDocument {
  const digest = nameDigest(node.name);
  const shared = { annotations: {}, bytes: new Uint8Array() };
  if (node.entries) {
    const entries = node.entries.map(descriptorOf);
    return {
      ...shared,
      digest,
      document: { kind: "index", mediaType: MEDIA_TYPES.oci.index, entries, annotations: {} },
    };
  }
  const config = { mediaType: MEDIA_TYPES.oci.config, digest, size: 1, annotations: {} };
  return {
    ...shared,
    digest,
    document: { kind: "manifest", mediaType: MEDIA_TYPES.oci.manifest, config, layers: [], annotations: {} },
  };
}

async function search(top: Node, reads: string[] = []) {
  const nodes = new Map<string, Node>();
  const collect = (node: Node): void => {
    if (nodes.has(nameDigest(node.name))) return;
    nodes.set(nameDigest(node.name), node);
    for (const { node: inner } of node.entries ?? []) collect(inner);
  };
  collect(top);
  const world = testWorld();
  const nodeOf = (digest: string): Node => nodes.get(digest) ?? { name: "?" };
  const { found, seen } = await searchIndex(documentOf(top), {
    wanted: WANTED,
    read: (descriptor) => {
      reads.push(nodeOf(descriptor.digest).name);
      return Promise.resolve(documentOf(nodeOf(descriptor.digest)));
    },
    platformOf: (manifest) => Promise.resolve(nodeOf(manifest.config.digest).configPlatform),
    log: world.log,
  });
  return {
    found: found && nodeOf(found.descriptor.digest).name,
    seen: seen.map(({ os, architecture }) => `${os}/${architecture}`),
    warnings: world.lines.filter(({ level }) => level === "warn").length,
  };
}

const platform = (architecture: string, os = "custom"): Platform => ({ os, architecture });
const leaf = (name: string, architecture?: string): Entry => ({
  node: { name },
  ...(architecture ? { platform: platform(architecture) } : {}),
});

Deno.test("searchIndex: first match, in the order of the document, others warned of", async () => {
  assertEquals(
    await search({ name: "i", entries: [leaf("a", "esp32"), leaf("b", "esp32s3"), leaf("c", "esp32s3")] }),
    {
      found: "b",
      seen: ["custom/esp32"],
      warnings: 1,
    },
  );
});

Deno.test("searchIndex: the same image twice is no ambiguity", async () => {
  const result = await search({ name: "i", entries: [leaf("b", "esp32s3"), leaf("b", "esp32s3")] });
  assertEquals([result.found, result.warnings], ["b", 0]);
});

Deno.test("searchIndex: attestations are no images, by platform or by annotation", async () => {
  const entries: Entry[] = [
    { node: { name: "att" }, platform: platform("unknown", "unknown") },
    { ...leaf("att2", "esp32s3"), annotations: { "vnd.docker.reference.type": "attestation-manifest" } },
    leaf("b", "ESP32S3"),
  ];
  assertEquals((await search({ name: "i", entries })).found, "b");
});

Deno.test("searchIndex: entries without a platform are looked into only when nothing else fits", async () => {
  const unnamed: Entry = { node: { name: "u", configPlatform: platform("esp32s3") } };
  const other: Entry = { node: { name: "o", configPlatform: platform("esp32") } };
  const silent: Entry = { node: { name: "s" } };
  const reads: string[] = [];
  assertEquals((await search({ name: "i", entries: [unnamed, leaf("b", "esp32s3")] }, reads)).found, "b");
  assertEquals(reads, ["b"]);
  assertEquals((await search({ name: "i", entries: [silent, other, unnamed] })).found, "u");
  assertEquals(await search({ name: "i", entries: [silent, other] }), {
    found: undefined,
    seen: ["custom/esp32"],
    warnings: 0,
  });
});

Deno.test("searchIndex: indexes inside indexes, in order, without those for other platforms", async () => {
  const inner = (name: string, ...entries: Entry[]): Entry => ({ node: { name, entries } });
  const reads: string[] = [];
  const result = await search({
    name: "top",
    entries: [
      { ...inner("other", leaf("x", "esp32s3")), platform: platform("esp32") },
      inner("one", leaf("a", "esp32"), inner("two", leaf("b", "esp32s3"))),
    ],
  }, reads);
  assertEquals([result.found, reads], ["b", ["one", "two", "b"]]);
});

Deno.test("searchIndex: too deep, too many, and in circles", async () => {
  const nest = (depth: number): Node =>
    depth === 0 ? { name: "leaf" } : {
      name: `d${depth}`,
      entries: [{ node: nest(depth - 1), ...(depth === 1 ? { platform: platform("esp32s3") } : {}) }],
    };
  assertEquals((await search(nest(3))).found, "leaf");
  const codeOf = async (node: Node) => (await assertRejects(() => search(node), RegistryError)).code;
  assertEquals(await codeOf(nest(4)), "limit");
  const many = Array.from(
    { length: 65 },
    (_, index): Entry => ({ node: { name: `n${index}`, entries: [] } }),
  );
  assertEquals(await codeOf({ name: "many", entries: many }), "limit");
  const entries: Entry[] = [];
  const circle: Node = { name: "circle", entries };
  entries.push({ node: circle });
  assertEquals(await codeOf(circle), "invalid-document");
});

Deno.test("searchIndex: an index announced as an image is refused", async () => {
  const entries: Entry[] = [];
  const liar: Node = { name: "liar", entries };
  const top = documentOf({ name: "top", entries: [] });
  const lie: Descriptor = {
    ...descriptorOf({ node: liar, platform: WANTED }),
    mediaType: MEDIA_TYPES.oci.manifest,
  };
  const document = {
    kind: "index" as const,
    mediaType: MEDIA_TYPES.oci.index,
    entries: [lie],
    annotations: {},
  };
  const error = await assertRejects(() =>
    searchIndex({ ...top, document }, {
      wanted: WANTED,
      read: () => Promise.resolve(documentOf(liar)),
      platformOf: () => Promise.resolve(undefined),
      log: testWorld().log,
    }), RegistryError);
  assertEquals(error.code, "invalid-document");
});

Deno.test("samePlatform: case does not count, variant and version only if asked for", () => {
  const found: Platform = { os: "Custom", architecture: "ESP32S3", variant: "r8", osVersion: "5.1" };
  const table: readonly (readonly [Platform, boolean])[] = [
    [WANTED, true],
    [{ ...WANTED, variant: "R8" }, true],
    [{ ...WANTED, variant: "r2" }, false],
    [{ ...WANTED, osVersion: "5.1" }, true],
    [{ ...WANTED, osVersion: "5.2" }, false],
    [{ os: "linux", architecture: "esp32s3" }, false],
    [{ os: "custom", architecture: "esp32" }, false],
  ];
  for (const [wanted, expected] of table) assertEquals(samePlatform(found, wanted), expected);
});
