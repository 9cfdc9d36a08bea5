import { FirmwareError } from "./firmware_error.ts";
import { imagePath, parentPath, shownPath } from "./firmware_path.ts";
import type { LayerEntry } from "./layer_entries.ts";

/** Marks its directory opaque (image-spec layer.md, "Opaque Whiteout"). */
const OPAQUE_MARK = ".wh..wh..opq";

/** `.wh.name` removes `name` (image-spec layer.md, "Whiteouts"). */
const WHITEOUT_PREFIX = ".wh.";

/** Book-keeping of the aufs driver (`.wh..wh.plnk`, `.wh..wh.aufs`); no files of the image. */
const AUFS_PREFIX = ".wh..wh.";

/** Which entry of which layer is a file's content. */
export interface FileLocation {
  /** Position of the layer, 0 is the bottom. */
  readonly layer: number;
  /** Position of the entry in its layer. */
  readonly entry: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * What stands at a path. A `dead-link` is a hard link to something that is no file before it in its own layer. A
 * `conflict` is a path that one layer uses both as a directory and as something else: each extractor
 * makes something different of it, so none of it is believed.
 */
export type LayerNode =
  | { readonly kind: "file"; readonly location: FileLocation }
  | { readonly kind: "directory" | "special" | "conflict" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "dead-link"; readonly target: string };

/** How many entries and implied directories an image may still have. Shared by its layers. */
export interface EntryBudget {
  /** Counts down to 0. */
  left: number;
}

/** What one layer adds and removes, by image path. */
export class LayerTree {
  /** What the layer holds, with the directories that its paths imply. */
  readonly nodes = new Map<string, LayerNode>();
  /** Paths that the layer removes from the layers below it. */
  readonly whiteouts = new Set<string>();
  /** Directories of which nothing in the layers below remains. */
  readonly opaque = new Set<string>();
  readonly #layer: number;
  readonly #budget: EntryBudget;

  /** An empty layer at position `layer`, 0 is the bottom. */
  constructor(layer: number, budget: EntryBudget) {
    this.#layer = layer;
    this.#budget = budget;
  }

  /**
   * Takes the next entry of the layer; later ones replace earlier ones of the same path. Gives the image path, or
   * `undefined` for marks. Throws {@linkcode FirmwareError} `corrupt-archive` or `limit`.
   */
  add(entry: LayerEntry): string | undefined {
    this.#spend();
    const path = imagePath(entry.name);
    if (path === undefined) throw unsafeName(entry.name);
    if (path === "") return undefined;
    const directory = parentPath(path);
    const name = path.slice(directory === "" ? 0 : directory.length + 1);
    if (name === OPAQUE_MARK) {
      this.opaque.add(directory);
    } else if (name.startsWith(AUFS_PREFIX)) {
      return undefined;
    } else if (name.startsWith(WHITEOUT_PREFIX)) {
      const removed = imagePath(`${directory}/${name.slice(WHITEOUT_PREFIX.length)}`);
      if (removed === undefined || removed === directory) throw unsafeName(entry.name);
      this.whiteouts.add(removed);
    } else {
      this.#put(path, this.#node(entry));
      return path;
    }
    return undefined;
  }

  #node(entry: LayerEntry): LayerNode {
    switch (entry.type) {
      case "file":
        return { kind: "file", location: { layer: this.#layer, entry: entry.index, size: entry.size } };
      case "symlink":
        return { kind: "symlink", target: entry.linkTarget };
      case "link": {
        // A hard link is the content its target has at this point of the archive.
        const target = this.nodes.get(imagePath(entry.linkTarget) ?? "");
        return target?.kind === "file" ? target : { kind: "dead-link", target: entry.linkTarget };
      }
      case "directory":
      case "special":
        return { kind: entry.type };
    }
  }

  #put(path: string, node: LayerNode): void {
    const present = this.nodes.get(path);
    const agree = present === undefined || (present.kind === "directory") === (node.kind === "directory");
    this.nodes.set(path, agree && present?.kind !== "conflict" ? node : { kind: "conflict" });
    for (let above = parentPath(path); above !== ""; above = parentPath(above)) {
      const kind = this.nodes.get(above)?.kind;
      if (kind === "directory") return;
      if (kind !== undefined) {
        this.nodes.set(above, { kind: "conflict" });
        return;
      }
      this.#spend();
      this.nodes.set(above, { kind: "directory" });
    }
  }

  #spend(): void {
    if (--this.#budget.left < 0) {
      throw new FirmwareError(
        "limit",
        "Cannot read the image's layers: more files and directories than allowed, expected a firmware image",
      );
    }
  }
}

function unsafeName(name: string): FirmwareError {
  return new FirmwareError(
    "corrupt-archive",
    `Cannot read the layer's tar archive: entry '${shownPath(name)}', expected a path inside the image`,
  );
}
