import type { Log } from "../world.ts";
import { type Descriptor, formatPlatform, type Platform } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { demandPin } from "./digest_pin.ts";
import type { DocumentReader, ReadDocument } from "./document_reader.ts";
import { artifactConfig, type ImageConfig, isImageConfig, parseImageConfig } from "./image_config.ts";
import { type FoundManifest, searchIndex } from "./image_search.ts";
import type { Manifest } from "./manifest.ts";
import { platformMissing, samePlatform, wrongPlatform } from "./platform_choice.ts";
import { formatReference, type ImageReference } from "./reference.ts";

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

/** Which image is wanted. */
export interface ImageWish {
  /** What it must be made for. */
  readonly platform: Platform;
  /** The digest that the named document, or the manifest chosen from it, must have. */
  readonly expectDigest?: Digest | undefined;
  /** Ends the work; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/** Finds the image of one platform behind references. */
export class ImageResolver {
  readonly #documents: DocumentReader;
  readonly #log: Log;

  /** Reads nothing yet. */
  constructor(documents: DocumentReader, log: Log) {
    this.#documents = documents;
    this.#log = log;
  }

  /** Index, manifest, config: each verified, then judged against the wish. */
  async resolve(reference: ImageReference, wish: ImageWish): Promise<ResolvedImage> {
    const top = await this.#documents.named(reference, wish.signal);
    const { descriptor, manifest, bytes } = top.document.kind === "index"
      ? await this.#findInIndex(reference, top, wish)
      : { descriptor: descriptorOf(top), manifest: top.document, bytes: top.bytes };
    demandPin(reference, [top, { digest: descriptor.digest, bytes }], wish.expectDigest);
    const config = await this.configOf(reference, manifest, wish.signal);
    const isIndex = top.document.kind === "index";
    this.#checkPlatform(formatReference(reference), { config, wanted: wish.platform, isIndex });
    const artifactType = artifactTypeOf(manifest);
    return {
      reference,
      ...(isIndex ? { index: descriptorOf(top) } : {}),
      manifest: descriptor,
      platform: wish.platform,
      config,
      layers: manifest.layers,
      annotations: manifest.annotations,
      ...(artifactType === undefined ? {} : { artifactType }),
    };
  }

  /** The config of a manifest; that of an artifact says nothing and is not fetched. */
  async configOf(reference: ImageReference, manifest: Manifest, signal: AbortSignal): Promise<ImageConfig> {
    if (!isImageConfig(manifest.config)) return artifactConfig(manifest.config);
    return parseImageConfig(await this.#documents.blob(reference, manifest.config, signal), manifest);
  }

  async #findInIndex(reference: ImageReference, top: ReadDocument, wish: ImageWish): Promise<FoundManifest> {
    const { platform, signal } = wish;
    const { found, seen } = await searchIndex(top, {
      wanted: platform,
      read: (descriptor) => this.#documents.pointed(reference, descriptor, signal),
      platformOf: async (manifest) =>
        isImageConfig(manifest.config) ? await this.configOf(reference, manifest, signal) : undefined,
      log: this.#log,
    });
    if (found === undefined) throw platformMissing(formatReference(reference), platform, seen);
    return found;
  }

  /** An index says what its images are for; what a single image is for, only its config says. */
  #checkPlatform(
    name: string,
    { config, wanted, isIndex }: {
      readonly config: ImageConfig;
      readonly wanted: Platform;
      readonly isIndex: boolean;
    },
  ): void {
    if (config.kind === "artifact") {
      if (isIndex) return;
      this.#log.warn(
        `'${name}' is an artifact that names no platform, taking it for '${formatPlatform(wanted)}'`,
      );
    } else if (!samePlatform(config, wanted)) {
      if (!isIndex) throw wrongPlatform(name, wanted, config);
      this.#log.warn(
        `The index of '${name}' calls the image '${formatPlatform(wanted)}', the image's config '${
          formatPlatform(config)
        }'`,
      );
    }
  }
}

/** What points to a document that was read. */
export function descriptorOf({ bytes, digest, document }: ReadDocument): Descriptor {
  return { mediaType: document.mediaType, digest, size: bytes.length, annotations: document.annotations };
}

/** What kind of artifact a manifest is; by its config's type where it does not say so (image-spec 1.0 artifacts). */
export function artifactTypeOf({ artifactType, config }: Manifest): string | undefined {
  return artifactType ?? (isImageConfig(config) ? undefined : config.mediaType);
}
