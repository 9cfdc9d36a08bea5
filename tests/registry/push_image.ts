/**
 * Pushes an image of our builder over HTTP, as any client does (distribution-spec, "Pushing").
 *
 * @module
 */

import type { OciImage } from "../builders/oci_image.ts";

/** Where an image goes. */
export interface PushTarget {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** The Authorization header of every request, if one is needed. */
  readonly authorization?: string;
}

/** Blobs first, then manifests from the bottom up, the tag last. */
export async function pushImage(image: OciImage, target: PushTarget): Promise<void> {
  const base = `http://${target.host}/v2/${target.repository}`;
  const headers: Record<string, string> = target.authorization ? { authorization: target.authorization } : {};
  const blobs = new Map(image.blobs.map((blob) => [blob.descriptor.digest, blob]));
  for (const { descriptor, bytes } of blobs.values()) {
    const opened = await fetch(`${base}/blobs/uploads/`, { method: "POST", headers });
    await opened.body?.cancel();
    const location = new URL(opened.headers.get("location") ?? "", base);
    location.searchParams.set("digest", descriptor.digest);
    const put = {
      method: "PUT",
      headers: { ...headers, "content-type": "application/octet-stream" },
      body: bytes,
    };
    await expectCreated(await fetch(location, put), descriptor.digest);
  }
  for (const { descriptor, bytes } of image.manifests) {
    const put = { method: "PUT", headers: { ...headers, "content-type": descriptor.mediaType }, body: bytes };
    await expectCreated(await fetch(`${base}/manifests/${descriptor.digest}`, put), descriptor.digest);
    if (descriptor.digest !== image.descriptor.digest) continue;
    await expectCreated(await fetch(`${base}/manifests/${target.tag}`, put), target.tag);
  }
}

async function expectCreated(response: Response, what: string): Promise<void> {
  const text = await response.text();
  if (response.status !== 201) {
    throw new Error(`Cannot push '${what}': the registry answered ${response.status} ${text}`);
  }
}
