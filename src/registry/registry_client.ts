import type { World } from "../world.ts";
import { type BlobPlace, BlobSource } from "./blob_source.ts";
import { type ByteSource, sourceOfBytes, streamOf } from "./byte_source.ts";
import { ContentStore } from "./content_store.ts";
import type { Descriptor, Platform } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { DocumentReader, inlineContent } from "./document_reader.ts";
import { blobUrl } from "./endpoints.ts";
import { foreignUrls } from "./foreign_layer.ts";
import { heldSource } from "./held_source.ts";
import { type ImageListing, listImage } from "./image_listing.ts";
import { ImageResolver, type ResolvedImage } from "./image_resolver.ts";
import { DOCUMENT_LIMIT } from "./manifest.ts";
import { formatReference, type ImageReference } from "./reference.ts";
import { findReferrers } from "./referrers.ts";
import { RegistryConnection } from "./registry_connection.ts";
import { RegistryError } from "./registry_error.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { verifiedSource } from "./verified_source.ts";

export type { ImageListing, ResolvedImage };

/** What bounds a request. */
export interface RequestOptions {
  /** Ends the work; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/** What bounds {@linkcode RegistryClient.resolveImage} and {@linkcode RegistryClient.listPlatforms}. */
export interface ResolveOptions extends RequestOptions {
  /** The digest that the named document, or one that it offers, must have. */
  readonly expectDigest?: Digest | undefined;
}

/** What bounds {@linkcode RegistryClient.openBlob}. */
export interface BlobRequestOptions extends RequestOptions {
  /** Told the number of bytes so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** What bounds {@linkcode RegistryClient.listReferrers}. */
export interface ReferrersRequestOptions extends RequestOptions {
  /** Only referrers of this type; all when absent. */
  readonly artifactType?: string;
}

/** A manifest or index as the registry has it. */
export interface RawManifest {
  /** Verified. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Computed from the bytes. */
  readonly digest: Digest;
  /** As the document calls itself, or was announced. */
  readonly mediaType: string;
}

/** Opens a client for all registries; nothing is asked before a method is called. */
export function openRegistry(settings: RegistrySettings, world: World): RegistryClient {
  return new RegistryClient(settings, { ...world, log: world.log.room("registry") });
}

/** Pulls from registries that speak distribution-spec 1.1. Every failure is a {@linkcode RegistryError}. */
export class RegistryClient implements Disposable {
  readonly #world: World;
  readonly #connection: RegistryConnection;
  readonly #store: ContentStore | undefined;
  readonly #documents: DocumentReader;
  readonly #resolver: ImageResolver;

  /** Use {@linkcode openRegistry}. */
  constructor(settings: RegistrySettings, world: World) {
    this.#world = world;
    this.#connection = new RegistryConnection(settings, world);
    this.#store = settings.cache === undefined ? undefined : new ContentStore(settings.cache, world);
    this.#documents = new DocumentReader(this.#connection, this.#store, world.log);
    this.#resolver = new ImageResolver(this.#documents, world.log);
  }

  /** Finds the image of a platform behind a reference: index, manifest, config. */
  async resolveImage(
    reference: ImageReference,
    platform: Platform,
    options: ResolveOptions,
  ): Promise<ResolvedImage> {
    return await this.#resolver.resolve(reference, { platform, ...options });
  }

  /** What a reference offers, for people. */
  async listPlatforms(reference: ImageReference, options: ResolveOptions): Promise<ImageListing> {
    const readers = { documents: this.#documents, resolver: this.#resolver, log: this.#world.log };
    return await listImage(reference, readers, options);
  }

  /** The document a reference names, as it is. */
  async fetchManifest(reference: ImageReference, options: RequestOptions): Promise<RawManifest> {
    const { bytes, digest, document } = await this.#documents.named(reference, options.signal);
    return { bytes, digest, mediaType: document.mediaType };
  }

  /** The documents that say something about the one a reference names by digest. */
  async listReferrers(reference: ImageReference, options: ReferrersRequestOptions): Promise<Descriptor[]> {
    if (reference.digest === undefined) {
      throw new RegistryError(
        "bad-reference",
        `Cannot list referrers of '${formatReference(reference)}': wanted a reference with a digest`,
      );
    }
    const readers = { connection: this.#connection, documents: this.#documents };
    return await findReferrers(reference, reference.digest, { ...readers, ...options });
  }

  /** A blob that is verified as it is read: the stream ends well only if every byte was right. */
  openBlob(
    reference: ImageReference,
    descriptor: Descriptor,
    options: BlobRequestOptions,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    const over = new AbortController();
    const bounds = { ...options, signal: AbortSignal.any([options.signal, over.signal]) };
    let opened: Promise<ByteSource> | undefined;
    return streamOf({
      read: async () => await (await (opened ??= this.#blobSource(reference, descriptor, bounds))).read(),
      close: async () => {
        over.abort();
        // what could not be opened has nothing to close
        await (await opened?.catch(() => undefined))?.close();
      },
    });
  }

  /** Ends all connections. */
  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  async #blobSource(
    reference: ImageReference,
    descriptor: Descriptor,
    options: BlobRequestOptions,
  ): Promise<ByteSource> {
    const inline = inlineContent(descriptor, DOCUMENT_LIMIT);
    if (inline !== undefined) return verifiedSource(sourceOfBytes(inline), descriptor, options);
    const stored = await this.#store?.open(descriptor, options);
    if (stored !== undefined) return stored;
    const held = await this.#fromMirrors(reference, descriptor, options);
    if (held !== undefined) return held;
    const places = this.#placesOf(reference, descriptor).filter(({ isMirror }) => !isMirror);
    const verified = this.#pulled(places, descriptor, options);
    return this.#store?.keeping(verified, descriptor.digest) ?? verified;
  }

  /** A mirror is another's word: its bytes are held until they are verified, for the registry can give better ones. */
  async #fromMirrors(
    reference: ImageReference,
    descriptor: Descriptor,
    options: BlobRequestOptions,
  ): Promise<ByteSource | undefined> {
    const places = this.#placesOf(reference, descriptor);
    if (!places.some(({ isMirror }) => isMirror)) return undefined;
    try {
      const pull = (): ByteSource => this.#pulled(places, descriptor, options);
      return await heldSource(pull, descriptor, { store: this.#store, world: this.#world });
    } catch (failure) {
      if (!(failure instanceof RegistryError) || failure.code !== "content-mismatch") throw failure;
      this.#world.log.warn(`${failure.message}, asking the registry itself`);
      for (const place of places) this.#connection.left(place, failure);
      return undefined;
    }
  }

  #placesOf(reference: ImageReference, descriptor: Descriptor): BlobPlace[] {
    const held = this.#connection.placesOf(reference, (source) => blobUrl(source, descriptor.digest));
    const foreign = held.slice(-1).flatMap(({ url: namedBy }) =>
      foreignUrls(descriptor, namedBy).map((url) => ({ url, session: undefined, namedBy }))
    );
    return [...held, ...foreign];
  }

  #pulled(places: readonly BlobPlace[], descriptor: Descriptor, options: BlobRequestOptions): ByteSource {
    const { exchange, idleTimeout } = this.#connection;
    const pulled = new BlobSource(descriptor, {
      places,
      exchange,
      idleTimeout,
      onLeft: (place, failure) => this.#connection.left(place, failure),
      signal: options.signal,
    }, this.#world);
    return verifiedSource(pulled, descriptor, options);
  }
}
