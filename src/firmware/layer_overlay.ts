import { ancestors, isBelow, parentPath, pathComponents } from "./firmware_path.ts";
import type { FileLocation, LayerNode, LayerTree } from "./layer_tree.ts";

/** Symbolic links followed on the way to one file: Linux's own limit (ELOOP). */
const MAX_LINKS = 40;

/** What a path leads to, links followed. `below`: only a layer further down can tell. */
export type Found =
  | { readonly kind: "file"; readonly path: string; readonly location: FileLocation }
  | { readonly kind: "directory" | "special" | "conflict" | "link-loop"; readonly path: string }
  | { readonly kind: "dead-link"; readonly path: string; readonly target: string }
  | { readonly kind: "absent" }
  | { readonly kind: "below" };

/** A visible file, link or device. */
export interface Listed {
  /** Image path. */
  readonly path: string;
  /** What it is. */
  readonly node: LayerNode;
}

/**
 * The file tree that layers make together (image-spec layer.md), put together from the top down so that lower layers
 * need not be fetched once the answer is certain. Nothing of it exists on a disk.
 */
export class LayerOverlay {
  /** Visible nodes, and `absent` where a whiteout is. */
  readonly #nodes = new Map<string, LayerNode | { readonly kind: "absent" }>();
  /** Directories below which nothing of a lower layer shows. */
  readonly #barriers = new Set<string>();
  #complete = false;

  /** Slides the next lower layer under those added before. */
  addBelow(layer: LayerTree): void {
    const barriers = [...layer.opaque, ...layer.whiteouts];
    for (const [path, node] of layer.nodes) {
      if (this.#shows(path)) this.#nodes.set(path, node);
      // Even where a directory of an upper layer replaced it, it had replaced what lower layers had there.
      else if (node.kind !== "directory") barriers.push(path);
    }
    // Marks hide what is in lower layers only, wherever in their own layer they stand: so they come last.
    for (const path of barriers) this.#barriers.add(path);
    for (const path of layer.whiteouts) if (this.#shows(path)) this.#nodes.set(path, { kind: "absent" });
  }

  /** No lower layer follows: what has not been found is absent. */
  complete(): void {
    this.#complete = true;
  }

  /** Can an entry of a layer not yet added show at `path`? */
  isOpen(path: string): boolean {
    return !this.#complete && this.#shows(path);
  }

  /** Can a layer not yet added show anything below `directory`? */
  isOpenBelow(directory: string): boolean {
    return !this.#complete && !this.#barriers.has(directory) && !this.#isHidden(directory);
  }

  /** Follows `path` through symbolic links, absolute and relative, never above the image's root. */
  find(path: string): Found {
    const rest = pathComponents(path).reverse();
    let at = "";
    let links = 0;
    for (let component = rest.pop(); component !== undefined; component = rest.pop()) {
      if (component === "..") {
        at = parentPath(at);
        continue;
      }
      const next = at === "" ? component : `${at}/${component}`;
      const node = this.#nodes.get(next);
      if (node === undefined) return this.isOpen(next) ? { kind: "below" } : { kind: "absent" };
      switch (node.kind) {
        case "directory":
          at = next;
          break;
        case "symlink":
          if (++links > MAX_LINKS) return { kind: "link-loop", path: next };
          if (node.target.startsWith("/")) at = "";
          rest.push(...node.target.split("/").filter((part) => part !== "" && part !== ".").reverse());
          break;
        case "absent":
          return { kind: "absent" };
        case "conflict":
          return { kind: "conflict", path: next };
        default:
          // More components after something that is no directory lead nowhere.
          return rest.length > 0 ? { kind: "absent" } : { ...node, path: next };
      }
    }
    return { kind: "directory", path: at };
  }

  /** Everything visible below `directory` that is no directory itself, by path. */
  listBelow(directory: string): Listed[] {
    const listed: Listed[] = [];
    for (const [path, node] of this.#nodes) {
      if (node.kind !== "directory" && node.kind !== "absent" && isBelow(path, directory)) {
        listed.push({ path, node });
      }
    }
    return listed.sort((left, right) => left.path < right.path ? -1 : 1);
  }

  #shows(path: string): boolean {
    return !this.#nodes.has(path) && !this.#isHidden(path);
  }

  /** Does something above `path` in the tree keep lower layers from showing there? */
  #isHidden(path: string): boolean {
    for (const directory of ancestors(path)) {
      if (this.#barriers.has(directory)) return true;
      const node = this.#nodes.get(directory);
      if (node !== undefined && node.kind !== "directory") return true;
    }
    return false;
  }
}
