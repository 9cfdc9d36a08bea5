import { listed } from "./firmware_choice.ts";
import { FirmwareError } from "./firmware_error.ts";
import { imagePath, shownPath } from "./firmware_path.ts";
import type { LayerSource } from "./layer_source.ts";

/** `ustar` in a tar header (POSIX ustar, GNU and PAX alike): offset and value. */
const TAR_MAGIC_OFFSET = 257;
const TAR_MAGIC = [0x75, 0x73, 0x74, 0x61, 0x72];

/** Bytes that decide {@linkcode looksLikeTar}. */
export const TAR_SIGN_LENGTH: number = TAR_MAGIC_OFFSET + TAR_MAGIC.length;

/** Does content that begins so come from a tar writer? */
export function looksLikeTar(start: Uint8Array): boolean {
  return TAR_MAGIC.every((byte, index) => start[TAR_MAGIC_OFFSET + index] === byte);
}

/**
 * What a layer's content is: an `archive` of files, one `file`, or whichever of the two it shows itself to be.
 */
export type LayerForm = "archive" | "file" | "either";

/**
 * Which layers of an OCI artifact can hold the firmware: the one whose title is `path`, else the only one there is,
 * else the only one that is no archive by its media type, else the archives, unpacked like an image's layers.
 *
 * Throws {@linkcode FirmwareError} `none-found` or `several-found`.
 */
export function artifactLayers(
  layers: readonly LayerSource[],
  path?: string,
): { readonly layers: readonly LayerSource[]; readonly form: LayerForm } {
  const titled = layers.filter((layer) =>
    path !== undefined && layer.title !== undefined && isSame(layer.title, path)
  );
  if (titled.length > 1) throw several(titled);
  if (titled.length === 1) return { layers: titled, form: "file" };
  if (layers.length === 1) return { layers, form: "either" };

  const archives = layers.filter((layer) => /\btar\b/.test(layer.mediaType));
  if (path !== undefined && archives.length === 0) throw missing(path, layers);
  const files = path === undefined ? layers.filter((layer) => !archives.includes(layer)) : [];
  if (files.length > 1) throw several(files);
  return files.length === 1 ? { layers: files, form: "either" } : { layers: archives, form: "archive" };
}

/**
 * Throws {@linkcode FirmwareError} `none-found` for a layer that is itself a file, where `path` asks for one of another
 * title: a single layer is only opened in the hope of an archive that holds the path.
 */
export function demandTitle(layer: LayerSource, path: string | undefined): void {
  if (path !== undefined && layer.title !== undefined && !isSame(layer.title, path)) {
    throw missing(path, [layer]);
  }
}

function missing(path: string, layers: readonly LayerSource[]): FirmwareError {
  return new FirmwareError(
    "none-found",
    `Cannot take '${shownPath(path)}' from the artifact: it has no layer of that title, found ${
      listed(layers.map(nameOf))
    }`,
  );
}

function several(layers: readonly LayerSource[]): FirmwareError {
  return new FirmwareError(
    "several-found",
    `Cannot tell which file of the artifact is the firmware: ${listed(layers.map(nameOf))} are there; ` +
      "name one with --firmware-path",
  );
}

function nameOf(layer: LayerSource): string {
  return layer.title ?? layer.digest;
}

function isSame(title: string, path: string): boolean {
  if (title === path) return true;
  // Names that could be anywhere (`../app.bin`) have no image path: that is nothing two of them have in common.
  const wanted = imagePath(path);
  return wanted !== undefined && imagePath(title) === wanted;
}
