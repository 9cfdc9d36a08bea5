/**
 * Ways to spoil an image. `edit...` functions are consistent lies: every digest is true of the bytes served and only
 * one statement is false. The others damage bytes that are already pointed to.
 *
 * @module
 */

import type { Descriptor, OciContent } from "./oci_content.ts";
import type { DocumentEdit, OciImage } from "./oci_image.ts";
import { concatBytes } from "./tar.ts";

/** A digest of nothing that exists. */
export const ABSENT_DIGEST = `sha256:${"0".repeat(63)}1`;

/** For `editConfig`: the first diffID is another one. */
export function editWrongDiffId(config: Record<string, unknown>): unknown {
  return { ...config, rootfs: { type: "layers", diff_ids: [ABSENT_DIGEST] } };
}

/** For `editManifest`: changes the first layer's descriptor, as in `editFirstLayer({ size: 1 })`. */
export function editFirstLayer(change: Partial<Descriptor>): DocumentEdit {
  return (manifest) => {
    const layers = Array.isArray(manifest["layers"]) ? manifest["layers"] : [];
    return { ...manifest, layers: [{ ...layers[0], ...change }, ...layers.slice(1)] };
  };
}

/** For `editManifest`: changes the config's descriptor. */
export function editConfigDescriptor(change: Partial<Descriptor>): DocumentEdit {
  return (manifest) => ({ ...manifest, config: { ...Object(manifest["config"]), ...change } });
}

/** For `editIndex`: changes the first entry's descriptor. */
export function editFirstEntry(change: Partial<Descriptor>): DocumentEdit {
  return (index) => {
    const entries = Array.isArray(index["manifests"]) ? index["manifests"] : [];
    return { ...index, manifests: [{ ...entries[0], ...change }, ...entries.slice(1)] };
  };
}

/** The image with other bytes under one digest, which then no longer match it. */
export function withContent(
  image: OciImage,
  digest: string,
  change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
): OciImage {
  const replace = (content: OciContent) =>
    content.descriptor.digest === digest ? { ...content, bytes: change(content.bytes) } : content;
  return { ...image, manifests: image.manifests.map(replace), blobs: image.blobs.map(replace) };
}

/** The image without the manifest or blob of this digest. */
export function withoutContent(image: OciImage, digest: string): OciImage {
  const isOther = (content: OciContent) => content.descriptor.digest !== digest;
  return { ...image, manifests: image.manifests.filter(isOther), blobs: image.blobs.filter(isOther) };
}

/** For {@linkcode withContent}: turns over every bit of one byte; a negative offset counts from the end. */
export function flipByte(offset: number): (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> {
  return (bytes) => {
    const at = offset < 0 ? bytes.length + offset : offset;
    return bytes.with(at, (bytes[at] ?? 0) ^ 0xff);
  };
}

/** For {@linkcode withContent}: keeps only the first `length` bytes. */
export function cutTo(length: number): (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> {
  return (bytes) => bytes.slice(0, length);
}

/** For {@linkcode withContent}: adds `count` zero bytes at the end. */
export function lengthenBy(count: number): (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> {
  return (bytes) => concatBytes([bytes, new Uint8Array(count)]);
}

/** The first layer's blob of the image for `architecture`, for tests that aim a fault at it. */
export function firstLayerOf(image: OciImage, architecture: string): Descriptor {
  const manifest = image.manifests.find(({ descriptor }) =>
    descriptor.platform?.architecture === architecture
  );
  const document: { layers?: Descriptor[] } = JSON.parse(
    new TextDecoder().decode(manifest?.bytes ?? new Uint8Array()),
  );
  const layer = document.layers?.[0];
  if (layer === undefined) throw new RangeError(`Cannot find a layer for '${architecture}'`);
  return layer;
}
