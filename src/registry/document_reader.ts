import { type ContentStore } from "./content_store.ts";
import type { Descriptor } from "./descriptor.ts";
import { algorithmOf, type Digest, digestOf, isDigest } from "./digest.ts";
import { blobUrl, manifestUrl } from "./endpoints.ts";
import { DOCUMENT_LIMIT, type Index, type Manifest, parseDocument } from "./manifest.ts";
import { ACCEPT_DOCUMENTS, essence } from "./media_types.ts";
import { documentName, type ImageReference } from "./reference.ts";
import type { RegistryConnection } from "./registry_connection.ts";
import { RegistryError } from "./registry_error.ts";
import type { Log } from "../world.ts";

/** A manifest or index as it was sent, and as it was read. */
export interface ReadDocument {
  /** Verified against the digest that was asked for, if one was. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Computed from the bytes. */
  readonly digest: Digest;
  /** The bytes, read. */
  readonly document: Index | Manifest;
}

/** Reads small content: manifests, indexes, configs. Every byte of it is verified. */
export class DocumentReader {
  readonly #connection: RegistryConnection;
  readonly #store: ContentStore | undefined;
  readonly #log: Log;

  /** Reads nothing yet. */
  constructor(connection: RegistryConnection, store: ContentStore | undefined, log: Log) {
    this.#connection = connection;
    this.#store = store;
    this.#log = log;
  }

  /** The document a reference names, by its digest if it has one. */
  async named(reference: ImageReference, signal: AbortSignal): Promise<ReadDocument> {
    const name = documentName(reference);
    const { digest } = reference;
    const stored = digest === undefined ? undefined : await this.#store?.readSmall(digest, DOCUMENT_LIMIT);
    if (stored !== undefined && digest !== undefined) {
      return { bytes: stored, digest, document: parseDocument(stored, { announced: undefined, name }) };
    }
    const read = await this.#connection.get(reference, {
      urlOf: (source) => manifestUrl(source, name),
      headers: { accept: ACCEPT_DOCUMENTS },
      limit: DOCUMENT_LIMIT,
      read: ({ bytes, headers }): ReadDocument => {
        const found = digestOf(bytes, digest === undefined ? "sha256" : algorithmOf(digest));
        if (digest !== undefined && found !== digest) {
          throw mismatch(digest, `the registry sent a document with the digest '${found}'`);
        }
        this.#compareHint(found, headers.get("docker-content-digest"));
        const announced = essence(headers.get("content-type"));
        return { bytes, digest: found, document: parseDocument(bytes, { announced, name }) };
      },
      signal,
    });
    await this.#store?.keep(read.digest, read.bytes);
    return read;
  }

  /** The document a descriptor points to. */
  async pointed(
    reference: ImageReference,
    descriptor: Descriptor,
    signal: AbortSignal,
  ): Promise<ReadDocument> {
    const { digest, mediaType } = descriptor;
    demandSmall(descriptor);
    const inline = inlineContent(descriptor, DOCUMENT_LIMIT);
    const { registry, repository } = reference;
    const { bytes } = inline === undefined
      ? await this.named({ registry, repository, digest }, signal)
      : { bytes: inline };
    if (bytes.length !== descriptor.size) {
      throw mismatch(digest, `it is ${bytes.length} bytes long, wanted ${descriptor.size}`);
    }
    return { bytes, digest, document: parseDocument(bytes, { announced: mediaType, name: digest }) };
  }

  /** A small blob, such as a config. */
  async blob(
    reference: ImageReference,
    descriptor: Descriptor,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { digest, size } = descriptor;
    demandSmall(descriptor);
    const known = inlineContent(descriptor, DOCUMENT_LIMIT) ??
      await this.#store?.readSmall(digest, DOCUMENT_LIMIT);
    if (known !== undefined) return known;
    const bytes = await this.#connection.get(reference, {
      urlOf: (source) => blobUrl(source, digest),
      limit: size,
      read: (answer) => checkedContent(answer.bytes, descriptor),
      signal,
    });
    await this.#store?.keep(digest, bytes);
    return bytes;
  }

  /** Registries get this header wrong too often to fail for it; the bytes decide. */
  #compareHint(found: Digest, hint: string | null): void {
    if (hint === null || hint === found || (isDigest(hint) && algorithmOf(hint) !== algorithmOf(found))) {
      return;
    }
    this.#log.warn(`The registry's Docker-Content-Digest is not that of the document, which is '${found}'`);
  }
}

/** Nothing is asked for what would not be read to its end. */
function demandSmall({ digest, size }: Descriptor): void {
  if (size <= DOCUMENT_LIMIT) return;
  throw new RegistryError(
    "limit",
    `Cannot read '${digest}': it is ${size} bytes long, at most ${DOCUMENT_LIMIT}`,
  );
}

/** A descriptor's own `data`, verified; `undefined` when there is none (image-spec descriptor.md, "Embedded Content"). */
export function inlineContent(descriptor: Descriptor, limit: number): Uint8Array<ArrayBuffer> | undefined {
  if (descriptor.data === undefined) return undefined;
  if (descriptor.size > limit) {
    throw new RegistryError("limit", `Cannot read '${descriptor.digest}': too long`);
  }
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(descriptor.data);
  } catch {
    throw mismatch(descriptor.digest, "its inline data is not base64");
  }
  return checkedContent(bytes, descriptor);
}

function checkedContent(
  bytes: Uint8Array<ArrayBuffer>,
  { digest, size }: Descriptor,
): Uint8Array<ArrayBuffer> {
  if (bytes.length !== size) throw mismatch(digest, `it is ${bytes.length} bytes long, wanted ${size}`);
  const found = digestOf(bytes, algorithmOf(digest));
  if (found !== digest) throw mismatch(digest, `its content has the digest '${found}'`);
  return bytes;
}

function mismatch(digest: Digest, found: string): RegistryError {
  return new RegistryError("content-mismatch", `Cannot use '${digest}': ${found}`);
}
