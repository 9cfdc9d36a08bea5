/**
 * Images on disk as an OCI image layout, which `skopeo copy --all oci:DIRECTORY:TAG ...` reads. Tools take only OCI
 * media types from it; `skopeo copy --format v2s2` makes a Docker image of them.
 *
 * Format: OCI image-spec 1.1 image-layout.md.
 *
 * @module
 */

import type { OciImage } from "./oci_image.ts";

/** Writes the image to `directory`, which must exist, as the only one there, under `tag`. */
export async function writeOciLayout(image: OciImage, directory: string, tag: string): Promise<void> {
  for (const { descriptor, bytes } of [...image.blobs, ...image.manifests]) {
    const [algorithm = "", hex = ""] = descriptor.digest.split(":");
    await Deno.mkdir(`${directory}/blobs/${algorithm}`, { recursive: true });
    await Deno.writeFile(`${directory}/blobs/${algorithm}/${hex}`, bytes);
  }
  const annotations = { "org.opencontainers.image.ref.name": tag };
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ ...image.descriptor, annotations }],
  };
  await Deno.writeTextFile(`${directory}/index.json`, JSON.stringify(index));
  await Deno.writeTextFile(`${directory}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}
