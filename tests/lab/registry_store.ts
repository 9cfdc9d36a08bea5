/**
 * What the lab registry holds: blobs and manifests under their digests, and the tags that name manifests.
 *
 * @module
 */

import { digestOf } from "../builders/oci_content.ts";
import type { OciImage } from "../builders/oci_image.ts";

/** A manifest or index as it was pushed. */
export interface StoredManifest {
  /** The digest it is served under. */
  readonly digest: string;
  /** The Content-Type it is served with. */
  readonly mediaType: string;
  /** As pushed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** An entry of a referrers index (distribution-spec, "Listing Referrers"). */
export interface Referrer {
  /** Type of the referring manifest. */
  readonly mediaType: string;
  /** Digest of the referring manifest. */
  readonly digest: string;
  /** Bytes of the referring manifest. */
  readonly size: number;
  /** Its artifactType, else its config's media type. */
  readonly artifactType?: string;
  /** Its annotations, unchanged. */
  readonly annotations?: unknown;
}

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** One repository. */
export class Repository {
  /** Content by digest. */
  readonly blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Manifests and indexes by digest. */
  readonly manifests = new Map<string, StoredManifest>();
  /** Tag to digest. */
  readonly tags = new Map<string, string>();

  /** The manifest a tag or digest names. */
  manifest(reference: string): StoredManifest | undefined {
    return this.manifests.get(this.tags.get(reference) ?? reference);
  }

  /** Keeps everything under the digests the image states, true or not. */
  putImage(image: OciImage): void {
    for (const { descriptor, bytes } of image.blobs) this.blobs.set(descriptor.digest, bytes);
    for (const { descriptor: { digest, mediaType }, bytes } of image.manifests) {
      this.manifests.set(digest, { digest, mediaType, bytes });
    }
  }

  /** The manifests whose `subject` is `digest`. */
  referrers(digest: string): Referrer[] {
    return [...this.manifests.values()].flatMap((manifest) => {
      const document = parseManifest(manifest.bytes);
      if (document?.subject?.digest !== digest) return [];
      const artifactType = document.artifactType ?? document.config?.mediaType;
      return [{
        mediaType: manifest.mediaType,
        digest: manifest.digest,
        size: manifest.bytes.length,
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(document.annotations === undefined ? {} : { annotations: document.annotations }),
      }];
    });
  }

  /** Keeps the referrers of every subject under its fallback tag (distribution-spec, "Referrers Tag Schema"). */
  tagAllReferrers(): void {
    const subjects = [...this.manifests.values()].map(({ bytes }) => parseManifest(bytes)?.subject?.digest);
    for (const subject of new Set(subjects.filter((digest) => digest !== undefined))) {
      const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: this.referrers(subject) };
      const bytes = new TextEncoder().encode(JSON.stringify(index));
      const digest = digestOf(bytes);
      this.manifests.set(digest, { digest, mediaType: OCI_INDEX, bytes });
      this.tags.set(subject.replace(":", "-"), digest);
    }
  }
}

interface ManifestDocument {
  readonly subject?: { readonly digest?: string };
  readonly artifactType?: string;
  readonly config?: { readonly mediaType?: string };
  readonly annotations?: unknown;
}

/** Spoilt manifests are served too, and need not be JSON. */
function parseManifest(bytes: Uint8Array): ManifestDocument | undefined {
  try {
    return Object(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}
