import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { unpackTar } from "modern-tar";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { type Descriptor, digestOf } from "./oci_content.ts";
import { buildArtifact } from "./oci_artifact.ts";
import {
  buildFirmwareImage,
  buildIndex,
  buildPlatformImage,
  MEDIA_TYPES,
  type OciImage,
} from "./oci_image.ts";
import { buildLayer } from "./oci_layer.ts";
import {
  ABSENT_DIGEST,
  cutTo,
  editFirstLayer,
  editWrongDiffId,
  firstLayerOf,
  flipByte,
  withContent,
} from "./oci_spoil.ts";

const FIRMWARE = Uint8Array.from({ length: 3000 }, (_, index) => index % 251);

interface Document {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly rootfs?: { readonly diff_ids: readonly string[] };
}

/** Walks from the top and checks every digest and size; returns how many descriptors were followed. */
function countTrueDescriptors(image: OciImage, descriptor: Descriptor = image.descriptor): number {
  const content = [...image.manifests, ...image.blobs].find((one) =>
    one.descriptor.digest === descriptor.digest
  );
  assert(content, `${descriptor.digest} is there`);
  assertEquals(digestOf(content.bytes), descriptor.digest);
  assertEquals(content.bytes.length, descriptor.size);
  if (!/manifest|index/.test(descriptor.mediaType)) return 1;
  const document: Document = JSON.parse(new TextDecoder().decode(content.bytes));
  const next = [
    ...document.manifests ?? [],
    ...document.layers ?? [],
    ...document.config ? [document.config] : [],
  ];
  return next.reduce((sum, child) => sum + countTrueDescriptors(image, child), 1);
}

for (const format of ["docker", "oci"] as const) {
  Deno.test(`buildFirmwareImage: every digest and size of a ${format} image is true`, () => {
    const platforms = ["esp32", "esp32s3", "esp32c6"].map((architecture) => ({
      architecture,
      firmware: FIRMWARE,
    }));
    const image = buildFirmwareImage({ format, platforms, attestations: format === "oci" });
    assertEquals(image.descriptor.mediaType, MEDIA_TYPES[format].index);
    assertEquals(countTrueDescriptors(image), 1 + 3 * 3 + (format === "oci" ? 3 * 3 : 0));
  });
}

for (const compression of ["none", "gzip", "multi-gzip", "zstd"] as const) {
  Deno.test(`buildPlatformImage: the layer holds the firmware and matches its diffID (${compression})`, async () => {
    const image = buildPlatformImage({ architecture: "esp32", firmware: FIRMWARE, compression }, "oci");
    const layer = image.blobs[1]?.bytes ?? new Uint8Array();
    const tar = compression === "none"
      ? layer
      : compression === "zstd"
      ? zstdDecompressSync(layer)
      : gunzipSync(layer);
    const config: Document = JSON.parse(new TextDecoder().decode(image.blobs[0]?.bytes));
    assertEquals(config.rootfs?.diff_ids, [digestOf(tar)]);
    const entries = await unpackTar(new Uint8Array(tar));
    assertEquals(entries.map((entry) => entry.header.name), ["firmware/", "firmware/app.bin"]);
    assertEquals(new Uint8Array(entries[1]?.data ?? []), FIRMWARE);
  });
}

Deno.test("compress: multi-gzip writes three members, so that a one-member reader sees a third", () => {
  const { bytes } = buildLayer(FIRMWARE, { format: "oci", compression: "multi-gzip" });
  const magics = bytes.reduce(
    (count, byte, at) => count + Number(byte === 0x1f && bytes[at + 1] === 0x8b),
    0,
  );
  assert(magics >= 3);
});

Deno.test("buildIndex: an index inside an index is reachable", () => {
  const inner = buildFirmwareImage({
    format: "oci",
    platforms: [{ architecture: "esp32", firmware: FIRMWARE }],
  });
  assertEquals(countTrueDescriptors(buildIndex({ format: "oci", entries: [inner] })), 5);
});

Deno.test("buildArtifact: the blob is the file itself, with its title", () => {
  const artifact = buildArtifact({
    artifactType: "application/vnd.example.firmware",
    files: [{ title: "app.bin", bytes: FIRMWARE }],
  });
  assertEquals(countTrueDescriptors(artifact), 3);
  assertEquals(artifact.blobs[1]?.bytes, FIRMWARE);
  assertEquals(artifact.blobs[1]?.descriptor.annotations, { "org.opencontainers.image.title": "app.bin" });
});

Deno.test("edit hooks: one statement is false and every digest is still true", () => {
  const platform = { architecture: "esp32", firmware: FIRMWARE };
  const honest = buildFirmwareImage({ format: "oci", platforms: [platform] });
  const wrongDiff = buildFirmwareImage({
    format: "oci",
    platforms: [{ ...platform, editConfig: editWrongDiffId }],
  });
  assertEquals(countTrueDescriptors(wrongDiff), 4);
  assertNotEquals(wrongDiff.descriptor.digest, honest.descriptor.digest);
  const wrongSize = buildFirmwareImage({
    format: "oci",
    platforms: [{ ...platform, editManifest: editFirstLayer({ size: 7, digest: ABSENT_DIGEST }) }],
  });
  assertEquals(firstLayerOf(wrongSize, "esp32").size, 7);
});

Deno.test("withContent: the bytes change under an unchanged digest", () => {
  const image = buildFirmwareImage({
    format: "docker",
    platforms: [{ architecture: "esp32", firmware: FIRMWARE }],
  });
  const { digest, size } = firstLayerOf(image, "esp32");
  const bytesOf = (spoilt: OciImage) => spoilt.blobs.find((blob) => blob.descriptor.digest === digest)?.bytes;
  const flipped = bytesOf(withContent(image, digest, flipByte(-1)));
  assertEquals(flipped?.length, size);
  assertNotEquals(digestOf(flipped ?? new Uint8Array()), digest);
  assertEquals(bytesOf(withContent(image, digest, cutTo(5)))?.length, 5);
  assertEquals(digestOf(bytesOf(image) ?? new Uint8Array()), digest);
});
