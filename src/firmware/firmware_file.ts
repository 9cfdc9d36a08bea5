import type { World } from "../world.ts";
import { artifactLayers } from "./artifact_layers.ts";
import { shownPath } from "./firmware_path.ts";
import { FirmwareSpool } from "./firmware_spool.ts";
import { LayerSearch, type Located } from "./layer_search.ts";
import type { LayerSource } from "./layer_source.ts";

/** Which firmware of which layers. */
export interface FirmwareRequest {
  /** The image's layers, bottom first. */
  readonly layers: readonly LayerSource[];
  /** Exact path of the firmware in the image, or title of the artifact's layer. */
  readonly path?: string;
  /** Who named `path`. */
  readonly pathFrom?: "flag" | "label";
  /** An OCI artifact: a layer may be the firmware itself instead of an archive of files. */
  readonly isArtifact: boolean;
  /** Bytes a firmware, and a layer beside its framing, may have uncompressed. */
  readonly maxFirmwareSize: number;
  /** Entries and implied directories allowed in all layers together. */
  readonly maxEntries?: number;
}

/** How to extract. */
export interface ExtractOptions {
  /** Aborting it ends the extraction, and leaves nothing behind. */
  readonly signal: AbortSignal;
}

/** A firmware of which every byte has been verified. Disposing it removes the file. */
export interface FirmwareFile extends AsyncDisposable {
  /** A private temporary file, under a name of our own. */
  readonly path: string;
  /** Where it was found: path in the image, or title of the layer. */
  readonly pathInImage: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256, lower-case hex. */
  readonly sha256: string;
  /** Digest of the layer that holds it. */
  readonly layerDigest: string;
}

/**
 * Takes the one firmware out of an image's layers into a private temporary file.
 *
 * The file is handed out only after every layer that was used has been read to its end, so that its digest, its
 * size and its diffID are known to be right. Layers are fetched from the top down, and only as far as they can
 * change the answer. Throws {@linkcode FirmwareError}, what a layer's stream throws, or the signal's reason; then
 * nothing is left on the disk.
 */
export async function extractFirmware(
  request: FirmwareRequest,
  world: Pick<World, "files" | "log">,
  options: ExtractOptions,
): Promise<FirmwareFile> {
  options.signal.throwIfAborted();
  const spool = await FirmwareSpool.open(world.files, request.maxFirmwareSize);
  try {
    const { spooled, ...origin } = await locate(request, spool, options);
    world.log.debug("extracted the firmware", { path: shownPath(origin.pathInImage), bytes: spooled.size });
    return { ...spooled, ...origin, [Symbol.asyncDispose]: () => spool.remove() };
  } catch (error) {
    await spool.remove();
    options.signal.throwIfAborted();
    throw error;
  }
}

/** The layers that can hold the firmware, and how. */
function locate(request: FirmwareRequest, spool: FirmwareSpool, options: ExtractOptions): Promise<Located> {
  const search = new LayerSearch(request, spool, options);
  if (!request.isArtifact) return search.run(request.layers, "archive");
  const { layers, form } = artifactLayers(request.layers, request.path);
  return search.run(layers, form);
}
