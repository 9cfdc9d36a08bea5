/**
 * What `flashjob inspect` found, as `--output json` prints it (docs/schemas/inspect.schema.json).
 *
 * @module
 */

/** The result of one look. */
export interface InspectReport {
  /** Tells it from a failure to look. */
  readonly outcome: "inspected";
  /** The exit code: it could be looked at, whatever was found. */
  readonly code: 0;
  /** What the reference offers; absent for a local file. */
  readonly image?: ListedImage;
  /** The firmware file: the local one, or that of the device's platform. */
  readonly firmware?: InspectedFile;
  /** What the signature policy says of the image; absent for a local file. */
  readonly signature?: SignatureFacts;
}

/** What a reference offers. */
export interface ListedImage {
  /** As it was asked for, in full. */
  readonly reference: string;
  /** Of the document it names. */
  readonly mediaType: string;
  /** Of the document it names. */
  readonly digest: string;
  /** Of the document it names, in bytes. */
  readonly size: number;
  /** Of the document it names. */
  readonly annotations: Readonly<Record<string, string>>;
  /** In the order of the index; one for a single image. */
  readonly entries: readonly ListedDocument[];
}

/** One document that a reference offers. */
export interface ListedDocument {
  /**
   * `attestation`: a statement about another entry; `index`: entries of its own, which are not listed; `unreadable`:
   * missing in the registry or no document we know, and only what its entry says of it is told.
   */
  readonly kind: "image" | "artifact" | "attestation" | "index" | "unreadable";
  /** The reference that names this document and can name no other. */
  readonly name: string;
  /** `os/architecture[/variant]`, when it says. */
  readonly platform?: string;
  /** What kind of artifact it is. */
  readonly artifactType?: string;
  /** Of its manifest. */
  readonly digest: string;
  /** Of its manifest. */
  readonly mediaType: string;
  /** Of its manifest, in bytes. */
  readonly size: number;
  /** Of all its layers together, in bytes; 0 for what cannot be read. */
  readonly contentSize: number;
  /** Of its entry and its manifest. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Bottom first; empty for an index, and for what cannot be read. */
  readonly layers: readonly ListedLayer[];
}

/** One layer. */
export interface ListedLayer {
  /** Of its bytes as they are stored. */
  readonly digest: string;
  /** As it is announced. */
  readonly mediaType: string;
  /** Bytes, as stored. */
  readonly size: number;
  /** Of its descriptor. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** A firmware file and the verdict over it. */
export interface InspectedFile {
  /** Local path, or path inside the image. */
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Where it was found; absent for a local file. */
  readonly foundIn?: {
    /** `os/architecture`. */
    readonly platform: string;
    /** Of the platform. */
    readonly manifestDigest: string;
    /** The layer that holds the file. */
    readonly layerDigest: string;
  };
  /** What the file is (docs/schemas/image.schema.json). */
  readonly file: Readonly<Record<string, unknown>>;
  /** What the image check says of it. */
  readonly verdict: FirmwareVerdict;
}

/** What `flashjob flash` would say of a file before it sends it. */
export interface FirmwareVerdict {
  /** `refused`: nothing would be sent. */
  readonly state: "accepted" | "refused";
  /** The device it was judged for; absent when none was named. */
  readonly device?: string;
  /** Why it would not be sent; the first one gives the exit code. */
  readonly refusals: readonly (Finding & { readonly exit: number })[];
  /** Reasons that `--force-image` overrides. */
  readonly overridden: readonly Finding[];
  /** What may be wrong with it. */
  readonly warnings: readonly Finding[];
}

/** One thing found. */
export interface Finding {
  /** Which. */
  readonly code: string;
  /** One sentence. */
  readonly message: string;
}

/** How the image's signature was judged. */
export interface SignatureFacts {
  /** `not-checked`: no policy asks; `off`: the policy says so; `refused`: a job would end here. */
  readonly state: "verified" | "unsigned" | "not-checked" | "off" | "refused";
  /** Why it is refused. */
  readonly code?: string;
  /** One sentence. */
  readonly message: string;
}
