import { FirmwareError } from "./firmware_error.ts";
import { FIRMWARE_DIRECTORY, imagePath, isBelow, shownPath } from "./firmware_path.ts";
import type { LayerOverlay } from "./layer_overlay.ts";
import type { FileLocation } from "./layer_tree.ts";

/** Paths named in one message. */
const MAX_LISTED = 10;

/** Which file is asked for. */
export interface WantedFirmware {
  /** Exact path inside the image; without it, the only regular file under `/firmware/`. */
  readonly path?: string;
  /** Who named the path. */
  readonly pathFrom?: "flag" | "label";
}

/** The answer, or `below`: the layers seen so far do not decide it. */
export type FirmwareChoice =
  | { readonly kind: "file"; readonly path: string; readonly location: FileLocation }
  | { readonly kind: "below" };

/** Can a file with this image path be the firmware asked for, as far as its name tells? */
export function mayBeFirmware(path: string, wanted: WantedFirmware): boolean {
  return wanted.path === undefined ? isBelow(path, FIRMWARE_DIRECTORY) : path === imagePath(wanted.path);
}

/**
 * Decides which file of the tree is the firmware: the one at the path named, else the only regular file under
 * `/firmware/`. Throws {@linkcode FirmwareError} `none-found`, `several-found`, `unsupported-link` or `corrupt-archive`
 * when layers further down could not change that.
 */
export function chooseFirmware(overlay: LayerOverlay, wanted: WantedFirmware): FirmwareChoice {
  const choice = wanted.path === undefined ? chooseOnly(overlay) : chooseNamed(overlay, wanted.path, wanted);
  if (choice.kind === "file" && choice.location.size === 0) {
    throw new FirmwareError(
      "none-found",
      `Cannot use '${
        shownPath(choice.path)
      }' as firmware: the file in the image is empty, expected a firmware`,
    );
  }
  return choice;
}

function chooseNamed(overlay: LayerOverlay, named: string, wanted: WantedFirmware): FirmwareChoice {
  const path = imagePath(named);
  const found = path === undefined ? { kind: "absent" as const } : overlay.find(path);
  const subject = `Cannot take '${shownPath(named)}' (${
    wanted.pathFrom === "label" ? "named by the image's label" : "named by --firmware-path"
  }) from the image`;
  switch (found.kind) {
    case "file":
    case "below":
      return found;
    case "absent":
      throw new FirmwareError("none-found", `${subject}: it is not there; ${inventory(overlay)}`);
    case "directory":
    case "special":
      throw new FirmwareError(
        "none-found",
        `${subject}: it is a ${found.kind === "directory" ? "directory" : "device"}; ${inventory(overlay)}`,
      );
    case "conflict":
      throw conflict(found.path);
    case "dead-link":
      throw deadLink(found.path, found.target);
    case "link-loop":
      throw new FirmwareError("unsupported-link", `${subject}: its symbolic links lead in circles`);
  }
}

function chooseOnly(overlay: LayerOverlay): FirmwareChoice {
  const directory = overlay.find(FIRMWARE_DIRECTORY);
  if (directory.kind === "below") return directory;
  if (directory.kind === "conflict") throw conflict(directory.path);
  if (directory.kind !== "directory") {
    throw new FirmwareError(
      "none-found",
      `Cannot find the firmware: the image has no directory '/${FIRMWARE_DIRECTORY}'; ${inventory(overlay)}`,
    );
  }
  if (overlay.isOpenBelow(directory.path)) return { kind: "below" };
  const files: { readonly path: string; readonly location: FileLocation }[] = [];
  for (const { path, node } of overlay.listBelow(directory.path)) {
    if (node.kind === "conflict") throw conflict(path);
    if (node.kind === "dead-link") throw deadLink(path, node.target);
    if (node.kind === "file") files.push({ path, location: node.location });
  }
  const [first, second] = files;
  if (first === undefined) {
    throw new FirmwareError(
      "none-found",
      `Cannot find the firmware: no regular file under '/${FIRMWARE_DIRECTORY}/'; ${inventory(overlay)}`,
    );
  }
  if (second === undefined) return { kind: "file", ...first };
  throw new FirmwareError(
    "several-found",
    `Cannot tell which file is the firmware: ${listed(files.map((file) => file.path))} are there; ` +
      "name one with --firmware-path",
  );
}

function conflict(path: string): FirmwareError {
  return new FirmwareError(
    "corrupt-archive",
    `Cannot read the image: one layer has '${shownPath(path)}' both as a directory and as something else`,
  );
}

function deadLink(path: string, target: string): FirmwareError {
  return new FirmwareError(
    "unsupported-link",
    `Cannot use '${shownPath(path)}' as firmware: it is a hard link to '${shownPath(target)}', ` +
      "which is no file before it in its own layer",
  );
}

/** What the image does hold, and what to do with it. */
function inventory(overlay: LayerOverlay): string {
  const paths = overlay.listBelow("").map(({ path, node }) =>
    node.kind === "symlink" ? `${path} -> ${node.target}` : path
  );
  return paths.length === 0
    ? "no layer looked at holds a file"
    : `found ${listed(paths)}; name the firmware with --firmware-path`;
}

/** Names for a message, at most {@linkcode MAX_LISTED}, the rest counted. */
export function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, MAX_LISTED).map((path) => `'${shownPath(path)}'`).join(", ");
  return paths.length > MAX_LISTED ? `${shown} and ${paths.length - MAX_LISTED} more` : shown;
}
