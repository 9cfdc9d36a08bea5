import type { FirmwareFile } from "./firmware/firmware_file.ts";
import { extractFirmware } from "./firmware/firmware_file.ts";
import type { LayerSource } from "./firmware/layer_source.ts";
import type { PullSettings } from "./job/pull_config.ts";
import type { Descriptor } from "./registry/descriptor.ts";
import { formatReference, type ImageReference } from "./registry/reference.ts";
import type { ResolvedImage } from "./registry/image_resolver.ts";
import type { RegistryClient } from "./registry/registry_client.ts";
import type { World } from "./world.ts";

/** The image label that names the firmware file. */
const PATH_LABEL = "com.urunc.iot.path";
/** The layer annotation that names the file of an artifact. */
const TITLE_ANNOTATION = "org.opencontainers.image.title";

/** What a pull needs. */
export interface PullOptions {
  /** Ends the pull; its reason is passed on. */
  readonly signal: AbortSignal;
  /** Told bytes of the layer that is being fetched. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What is to be pulled. */
export interface WantedImage {
  /** The image. */
  readonly reference: ImageReference;
  /** How to get it, and for which chip. */
  readonly settings: PullSettings;
  /** Told what the caller should know besides; the log alone when absent. */
  readonly warn?: (message: string) => void;
}

/** Reference -> index -> manifest of the wanted platform. The registry room verifies each step. */
export async function resolveFirmwareImage(
  pull: WantedImage,
  registry: RegistryClient,
  world: World,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const { reference, settings } = pull;
  const log = world.log.room("registry");
  if (reference.digest === undefined && settings.expectDigest === undefined) {
    const warn = pull.warn ?? ((message) => log.warn(message));
    warn(
      `The tag of '${formatReference(reference)}' can be moved to another image at any time; ` +
        "pin it with @sha256:... or --expect-digest",
    );
  }
  const platform = { os: settings.platformOs, architecture: settings.device };
  const pin = settings.expectDigest === undefined ? {} : { expectDigest: settings.expectDigest };
  const image = await registry.resolveImage(reference, platform, { signal, ...pin });
  log.info(`Found ${formatReference(reference)}`, {
    platform: `${platform.os}/${platform.architecture}`,
    index: image.index?.digest,
    manifest: image.manifest.digest,
  });
  return image;
}

/** Layers -> one verified private temporary file, which is removed when it is disposed. */
export async function fetchFirmwareFile(
  image: ResolvedImage,
  settings: PullSettings,
  registry: RegistryClient,
  world: World,
  options: PullOptions,
): Promise<FirmwareFile> {
  const label = image.config.labels[PATH_LABEL];
  const path = settings.firmwarePath ?? label;
  const file = await extractFirmware(
    {
      layers: image.layers.map((layer, index) =>
        layerSource(image, layer, { diffId: image.config.diffIds[index], registry, options })
      ),
      ...(path === undefined
        ? {}
        : { path, pathFrom: settings.firmwarePath === undefined ? "label" : "flag" }),
      isArtifact: image.artifactType !== undefined,
      maxFirmwareSize: settings.maxFirmwareSize,
    },
    world,
    { signal: options.signal },
  );
  world.log.room("firmware").info(`Extracted ${file.pathInImage}`, {
    bytes: file.size,
    sha256: file.sha256,
    layer: file.layerDigest,
  });
  return file;
}

function layerSource(
  image: ResolvedImage,
  layer: Descriptor,
  from: {
    readonly diffId: string | undefined;
    readonly registry: RegistryClient;
    readonly options: PullOptions;
  },
): LayerSource {
  const title = layer.annotations[TITLE_ANNOTATION];
  const { onProgress } = from.options;
  return {
    digest: layer.digest,
    size: layer.size,
    mediaType: layer.mediaType,
    ...(title === undefined ? {} : { title }),
    ...(from.diffId === undefined ? {} : { diffId: from.diffId }),
    open: (signal) =>
      from.registry.openBlob(image.reference, layer, {
        signal,
        ...(onProgress === undefined ? {} : { onProgress: (done: number) => onProgress(done, layer.size) }),
      }),
  };
}
