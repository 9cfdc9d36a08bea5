import type { World } from "../world.ts";
import { BlobSource } from "./blob_source.ts";
import { type ByteSource, sourceOfBytes, streamOf } from "./byte_source.ts";
import { ContentStore } from "./content_store.ts";
import { type Descriptor, formatPlatform, type Platform } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { DocumentReader, inlineContent, type ReadDocument } from "./document_reader.ts";
import { blobUrl } from "./endpoints.ts";
import { artifactConfig, type ImageConfig, isImageConfig, parseImageConfig } from "./image_config.ts";
import { searchIndex } from "./image_search.ts";
import { DOCUMENT_LIMIT, type Manifest } from "./manifest.ts";
import { platformMissing, samePlatform, wrongPlatform } from "./platform_choice.ts";
import { formatReference, type ImageReference } from "./reference.ts";
import { RegistryConnection } from "./registry_connection.ts";
import { RegistryError } from "./registry_error.ts";
import type { RegistrySettings } from "./registry_settings.ts";
import { verifiedSource } from "./verified_source.ts";

/** One image of one platform, every document of which has been verified. */
export interface ResolvedImage {
  /** As it was asked for. */
  readonly reference: ImageReference;
  /** The index the reference named; missing when it named the manifest itself. */
  readonly index?: Descriptor;
  /** The manifest of the platform. */
  readonly manifest: Descriptor;
  /** What was asked for. */
  readonly platform: Platform;
  /** What the config says. */
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  /** Of the manifest. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What kind of artifact it is, if it is no image. */
  readonly artifactType?: string;
}

/** What bounds a request. */
export interface RequestOptions {
  /** Ends the work; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/** What bounds {@linkcode RegistryClient.resolveImage}. */
export interface ResolveOptions extends RequestOptions {
  /** The digest that the named document, or the manifest chosen from it, must have. */
  readonly expectDigest?: Digest;
}

/** What bounds {@linkcode RegistryClient.openBlob}. */
export interface BlobRequestOptions extends RequestOptions {
  /** Told the number of bytes so far. */
  readonly onProgress?: (bytes: number) => void;
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

/** Pulls from registries that speak distribution-spec 1.1. */
export class RegistryClient implements Disposable {
  readonly #world: World;
  readonly #connection: RegistryConnection;
  readonly #store: ContentStore | undefined;
  readonly #documents: DocumentReader;

  /** Use {@linkcode openRegistry}. */
  constructor(settings: RegistrySettings, world: World) {
    this.#world = world;
    this.#connection = new RegistryConnection(settings, world);
    this.#store = settings.cache === undefined ? undefined : new ContentStore(settings.cache, world);
    this.#documents = new DocumentReader(this.#connection, this.#store, world.log);
  }

  /** Finds the image of a platform behind a reference: index, manifest, config. Rejects with {@linkcode RegistryError}. */
  async resolveImage(
    reference: ImageReference,
    platform: Platform,
    options: ResolveOptions,
  ): Promise<ResolvedImage> {
    const { signal, expectDigest } = options;
    const top = await this.#documents.named(reference, signal);
    const isIndex = top.document.kind === "index";
    const found = top.document.kind === "index"
      ? await this.#findInIndex(reference, top, { platform, signal })
      : { descriptor: descriptorOf(top), manifest: top.document };
    if (expectDigest !== undefined && ![top.digest, found.descriptor.digest].includes(expectDigest)) {
      throw new RegistryError(
        "pin-mismatch",
        `Cannot use '${formatReference(reference)}': it is '${top.digest}', expected '${expectDigest}'`,
      );
    }
    const config = await this.#readConfig(reference, found.manifest, signal);
    this.#checkPlatform(formatReference(reference), { config, platform, isIndex });
    const { layers, annotations, artifactType } = found.manifest;
    return {
      reference,
      ...(isIndex ? { index: descriptorOf(top) } : {}),
      manifest: found.descriptor,
      platform,
      config,
      layers,
      annotations,
      ...(artifactType === undefined ? {} : { artifactType }),
    };
  }

  /** A blob that is verified as it is read: the stream ends well only if every byte was right. */
  openBlob(
    reference: ImageReference,
    descriptor: Descriptor,
    options: BlobRequestOptions,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    let source: Promise<ByteSource> | undefined;
    return streamOf({
      read: async () => await (await (source ??= this.#blobSource(reference, descriptor, options))).read(),
      close: async () => await (await source)?.close(),
    });
  }

  /** The document a reference names, as it is. */
  async fetchManifest(reference: ImageReference, options: RequestOptions): Promise<RawManifest> {
    const { bytes, digest, document } = await this.#documents.named(reference, options.signal);
    return { bytes, digest, mediaType: document.mediaType };
  }

  /** Ends all connections. */
  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  async #findInIndex(
    reference: ImageReference,
    top: ReadDocument,
    { platform, signal }: { readonly platform: Platform; readonly signal: AbortSignal },
  ): Promise<{ readonly descriptor: Descriptor; readonly manifest: Manifest }> {
    const { found, seen } = await searchIndex(top, {
      wanted: platform,
      read: (descriptor) => this.#documents.pointed(reference, descriptor, signal),
      platformOf: async (manifest) =>
        isImageConfig(manifest.config) ? await this.#readConfig(reference, manifest, signal) : undefined,
      isWanted: (other) => samePlatform(other, platform),
      log: this.#world.log,
    });
    if (found === undefined) throw platformMissing(formatReference(reference), platform, seen);
    return found;
  }

  async #readConfig(
    reference: ImageReference,
    manifest: Manifest,
    signal: AbortSignal,
  ): Promise<ImageConfig> {
    if (!isImageConfig(manifest.config)) return artifactConfig(manifest.config);
    return parseImageConfig(await this.#documents.blob(reference, manifest.config, signal), manifest);
  }

  /** An index says what its images are for; a single image only its config does. */
  #checkPlatform(
    name: string,
    { config, platform, isIndex }: {
      readonly config: ImageConfig;
      readonly platform: Platform;
      readonly isIndex: boolean;
    },
  ): void {
    const { log } = this.#world;
    if (config.os === "" && config.architecture === "" && config.diffIds.length === 0) {
      if (!isIndex) {
        log.warn(
          `'${name}' is an artifact that names no platform, taking it for '${formatPlatform(platform)}'`,
        );
      }
    } else if (!samePlatform(config, platform)) {
      if (!isIndex) throw wrongPlatform(name, platform, config);
      log.warn(`The index calls it '${formatPlatform(platform)}', its config '${formatPlatform(config)}'`);
    }
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
    const places = this.#connection.placesOf(reference, (source) => blobUrl(source, descriptor.digest));
    const { exchange, idleTimeout } = this.#connection;
    const pulled = new BlobSource(
      descriptor,
      { places, exchange, idleTimeout, signal: options.signal },
      this.#world,
    );
    const verified = verifiedSource(pulled, descriptor, options);
    return this.#store?.keeping(verified, descriptor.digest) ?? verified;
  }
}

function descriptorOf({ bytes, digest, document }: ReadDocument): Descriptor {
  return { mediaType: document.mediaType, digest, size: bytes.length, annotations: document.annotations };
}
