import { assertEquals } from "@std/assert";
import { digestOf, type OciContent } from "../builders/oci_content.ts";
import type { OciImage } from "../builders/oci_image.ts";
import { flipByte, withContent } from "../builders/oci_spoil.ts";
import { startRegistry } from "../lab/registry.ts";
import { IMAGE } from "./attack_bench.ts";
import { codeOf, openTestRegistry, pullAll, testWorld } from "./registry_rig.ts";

/** The same image with sha512 in every descriptor: of index, manifests, configs and layers. */
function underSha512(image: OciImage): OciImage {
  const renamed = new Map<string, { readonly digest: string; readonly size: number }>();
  const rename = ({ descriptor, bytes }: OciContent): OciContent => {
    const { digest, size } = { digest: digestOf(bytes, "sha512"), size: bytes.length };
    renamed.set(descriptor.digest, { digest, size });
    return { descriptor: { ...descriptor, digest, size }, bytes };
  };
  const blobs = image.blobs.map(rename);
  // each of them is followed by what points to it
  const manifests = image.manifests.map(({ descriptor, bytes }) => {
    const text = JSON.stringify(
      JSON.parse(new TextDecoder().decode(bytes)),
      (_key, value: unknown) =>
        isDescriptor(value) && renamed.has(value.digest) ? { ...value, ...renamed.get(value.digest) } : value,
    );
    return rename({ descriptor, bytes: new TextEncoder().encode(text) });
  });
  return { descriptor: manifests.at(-1)?.descriptor ?? image.descriptor, manifests, blobs };
}

function isDescriptor(value: unknown): value is { readonly digest: string } {
  return typeof value === "object" && value !== null && "digest" in value && typeof value.digest === "string";
}

const LONG = underSha512(IMAGE);
const digests = [...LONG.manifests, ...LONG.blobs].map(({ descriptor }) => descriptor.digest);

Deno.test("RegistryClient: an image named by sha512 throughout is pulled, by tag, by digest and from a store", async () => {
  await using registry = await startRegistry();
  const byTag = registry.put(LONG, "iot/fw", "v1");
  const byDigest = byTag.replace(":v1", `@${LONG.descriptor.digest}`);
  const store = await Deno.makeTempDir({ prefix: "sha512-" });
  try {
    assertEquals(digests.every((digest) => /^sha512:[0-9a-f]{128}$/.test(digest)), true);
    for (const settings of [{}, { cache: store }, { cache: store }]) {
      for (const name of [byTag, byDigest]) {
        using client = openTestRegistry(settings, testWorld());
        const { image, layers } = await pullAll(client, name);
        assertEquals(image.index?.digest.startsWith(name === byTag ? "sha256:" : "sha512:"), true);
        assertEquals(digests.includes(image.manifest.digest), true);
        const blobs = new Map(LONG.blobs.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
        assertEquals(layers, image.layers.map(({ digest }) => blobs.get(digest) ?? new Uint8Array()));
      }
    }
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("RegistryClient: other bytes under a sha512 digest are refused, of every kind", async () => {
  await using registry = await startRegistry();
  const name = `${registry.host}/iot/fw@${LONG.descriptor.digest}`;
  const pull = async () => {
    using client = openTestRegistry({}, testWorld());
    return await codeOf(() => pullAll(client, name));
  };
  // those of the other platform are not asked for
  const asked = new Map<string, string>();
  for (const digest of digests) {
    registry.put(withContent(LONG, digest, flipByte(-3)), "iot/fw", "v1");
    asked.set(digest, await pull());
  }
  const layer = LONG.blobs.at(-1)?.descriptor.digest ?? "";
  assertEquals([asked.get(layer), asked.get(LONG.descriptor.digest)], [
    "content-mismatch",
    "content-mismatch",
  ]);
  // index, manifest, config, layer
  assertEquals([...asked.values()].filter((code) => code === "content-mismatch").length, 4);
  assertEquals([...asked.values()].filter((code) => code !== "content-mismatch"), ["success", "success"]);
});
