/**
 * Pushes an image into a registry over HTTP, as one would with `curl`.
 *
 * Format: OCI distribution-spec 1.1, "Pushing a blob monolithically" (POST then PUT), "Pushing Manifests".
 *
 * @module
 */

import type { OciContent } from "../builders/oci_content.ts";
import type { OciImage } from "../builders/oci_image.ts";

/** Where an image goes. */
export interface UploadTarget {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** Name of the repository. */
  readonly repository: string;
  /** Names the top manifest; without it the image has its digest only. */
  readonly tag?: string;
  /** Value of the Authorization header. */
  readonly authorization?: string;
}

/** Pushes all blobs, then all manifests. Throws when the registry refuses one. */
export async function uploadImage(image: OciImage, target: UploadTarget): Promise<void> {
  const authorization: Record<string, string> = target.authorization === undefined
    ? {}
    : { authorization: target.authorization };
  const repository = `${target.origin}/v2/${target.repository}`;
  for (const blob of image.blobs) {
    const begun = await send(`${repository}/blobs/uploads/`, { method: "POST", headers: authorization });
    const place = new URL(begun.headers.get("location") ?? "", target.origin);
    place.searchParams.set("digest", blob.descriptor.digest);
    const headers = { ...authorization, "content-type": "application/octet-stream" };
    await send(place.href, { method: "PUT", headers, body: blob.bytes });
  }
  for (const manifest of image.manifests) {
    const headers = { ...authorization, "content-type": manifest.descriptor.mediaType };
    for (const reference of referencesOf(manifest, image, target.tag)) {
      await send(`${repository}/manifests/${reference}`, { method: "PUT", headers, body: manifest.bytes });
    }
  }
}

function referencesOf(
  { descriptor: { digest } }: OciContent,
  image: OciImage,
  tag: string | undefined,
): string[] {
  return digest === image.descriptor.digest && tag !== undefined ? [digest, tag] : [digest];
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot upload to '${url}': ${response.status} ${text}`);
  return response;
}
