/** What a manifest says of a blob. */
export interface BlobDescriptor {
  /** `sha256:<hex>` */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** As stated; it decides nothing by itself. */
  readonly mediaType: string;
}

/** A manifest that refers to another, as the referrers list shows it. */
export interface Referrer extends BlobDescriptor {
  /** What the manifest says it is. */
  readonly artifactType?: string;
  /** Of the manifest, as the list repeats them. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** A manifest whose bytes have the digest. */
export interface FetchedManifest {
  /** The document, exactly as stored. */
  readonly bytes: Uint8Array;
  /** `sha256:<hex>` of the bytes. */
  readonly digest: string;
  /** As the registry sent it. */
  readonly mediaType: string;
}

/**
 * The image's repository, as far as signatures need it. All that comes from it has been compared with its digest.
 * A document that is not what it should be is a `SignatureError` `bad-bundle`, and the search goes on; all other errors
 * (no connection, no access) pass through this room unchanged.
 */
export interface SignatureSource {
  /** The manifest of a tag (`sha256-<hex>.sig`) or digest; `undefined` when there is none. */
  manifest(reference: string, signal: AbortSignal): Promise<FetchedManifest | undefined>;
  /** A whole blob of at most `limit` bytes; one that is absent is as bad as one that cannot be read. */
  blob(descriptor: BlobDescriptor, limit: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Manifests that name `digest` as their subject; empty where the registry knows none. */
  referrers(digest: string, signal: AbortSignal): Promise<readonly Referrer[]>;
}
