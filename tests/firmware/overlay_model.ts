/**
 * What layers make together, done the naive way: from the bottom up, in a tree of objects, by the letter of image-spec
 * layer.md. Shares no code with the overlay, so that one mistake cannot hide in both.
 *
 * @module
 */

import fc from "fast-check";
import {
  tarDevice,
  tarDirectory,
  type TarEntry,
  tarFile,
  tarHardLink,
  tarOpaque,
  tarSymlink,
  tarWhiteout,
} from "../builders/tar.ts";

/** One step of a layer. */
export type Step =
  | { readonly do: "file" | "directory" | "device"; readonly path: string }
  | { readonly do: "symlink" | "link"; readonly path: string; readonly target: string }
  | { readonly do: "remove" | "clear"; readonly path: string };

/** Layers, bottom first. */
export type Stack = readonly (readonly Step[])[];

interface Directory {
  readonly children: Map<string, ModelNode>;
}
type ModelNode =
  | Directory
  | { readonly content: string }
  | { readonly link: string }
  | "device"
  | "dead-link";

/** The content every `file` step writes: where it was written. */
export function contentOf(layer: number, index: number): string {
  return `layer ${layer} step ${index}`;
}

/** The steps as tar entries. */
export function tarEntries(steps: readonly Step[], layer: number): TarEntry[] {
  return steps.map((step, index) => {
    switch (step.do) {
      case "file":
        return tarFile(step.path, contentOf(layer, index));
      case "directory":
        return tarDirectory(step.path);
      case "device":
        return tarDevice(step.path);
      case "symlink":
        return tarSymlink(step.path, step.target);
      case "link":
        return tarHardLink(step.path, step.target);
      case "remove":
        return tarWhiteout(step.path);
      case "clear":
        return tarOpaque(step.path);
    }
  });
}

/** The tree that the layers make. */
export function buildModel(stack: Stack): Directory {
  const root: Directory = { children: new Map() };
  stack.forEach((steps, layer) => {
    // Marks act on the lower layers only, so they act first, wherever they stand.
    for (const step of steps) {
      const place = step.do === "remove" ? placeOf(root, step.path) : undefined;
      place?.directory.children.delete(place.name);
      const node = step.do === "clear" ? nodeAt(root, step.path) : undefined;
      if (isDirectory(node)) node.children.clear();
    }
    const own = new Map<string, string>();
    steps.forEach((step, index) => {
      if (step.do === "remove" || step.do === "clear") return;
      const { directory, name } = makePlace(root, step.path);
      const present = directory.children.get(name);
      const content = step.do === "file"
        ? contentOf(layer, index)
        : step.do === "link"
        ? own.get(step.target)
        : undefined;
      if (content === undefined) own.delete(step.path);
      else own.set(step.path, content);
      if (content !== undefined) directory.children.set(name, { content });
      else if (step.do === "link") directory.children.set(name, "dead-link");
      else if (step.do === "symlink") directory.children.set(name, { link: step.target });
      else if (step.do === "device") directory.children.set(name, "device");
      else if (!isDirectory(present)) directory.children.set(name, { children: new Map() });
    });
  });
  return root;
}

/** The content `path` leads to, or why there is none. */
export function lookUp(root: Directory, path: string, hops = 0): string | undefined {
  const trail: Directory[] = [root];
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  for (const [index, name] of names.entries()) {
    if (name === "..") {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const node = trail.at(-1)?.children.get(name);
    if (node === undefined || node === "device" || node === "dead-link") return undefined;
    if ("content" in node) return index === names.length - 1 ? node.content : undefined;
    if ("children" in node) {
      trail.push(node);
      continue;
    }
    if (hops >= 40) return undefined;
    const from = node.link.startsWith("/") ? [] : pathOfTrail(root, trail);
    return lookUp(root, [...from, node.link, ...names.slice(index + 1)].join("/"), hops + 1);
  }
  return undefined;
}

/** Paths of all regular files in a directory, the directory itself reached without links. */
export function filesIn(root: Directory, directory: string): string[] {
  const found: string[] = [];
  const walk = (node: ModelNode | undefined, path: string): void => {
    if (!isDirectory(node)) return;
    for (const [name, child] of node.children) {
      if (typeof child === "object" && "content" in child) found.push(`${path}/${name}`);
      walk(child, `${path}/${name}`);
    }
  };
  walk(nodeAt(root, directory), directory);
  return found.sort();
}

/** Random stacks of up to four layers over a small world of names, so that layers meet. */
export function stacks(): fc.Arbitrary<Stack> {
  const path = fc.array(fc.constantFrom("firmware", "a", "b", "app"), { minLength: 1, maxLength: 3 })
    .map((names) => names.join("/"));
  const target = fc.tuple(fc.constantFrom("", "/", "../", "./"), path).map((parts) => parts.join(""));
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("file" as const), path }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("directory" as const, "device" as const), path }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("symlink" as const), path, target }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("link" as const), path, target: path }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("remove" as const, "clear" as const), path }) },
  );
  return fc.array(fc.array(step, { maxLength: 6 }).map(withoutConflicts), { minLength: 1, maxLength: 4 });
}

/** Leaves out steps that use a path both as a directory and as something else, which no layer writer does. */
function withoutConflicts(steps: readonly Step[]): Step[] {
  const kinds = new Map<string, boolean>();
  return steps.filter((step) => {
    if (step.do === "remove" || step.do === "clear") return true;
    const names = step.path.split("/");
    const uses = names.map((_, index): [string, boolean] => [
      names.slice(0, index + 1).join("/"),
      index < names.length - 1 || step.do === "directory",
    ]);
    if (uses.some(([path, isDirectory]) => (kinds.get(path) ?? isDirectory) !== isDirectory)) return false;
    for (const [path, isDirectory] of uses) kinds.set(path, isDirectory);
    return true;
  });
}

function isDirectory(node: ModelNode | undefined): node is Directory {
  return typeof node === "object" && "children" in node;
}

function nodeAt(root: Directory, path: string): ModelNode | undefined {
  const place = placeOf(root, path);
  return place?.directory.children.get(place.name);
}

/** Where `path` stands, when its directories exist. */
function placeOf(root: Directory, path: string): { directory: Directory; name: string } | undefined {
  const names = path.split("/");
  const name = names.pop() ?? "";
  let directory = root;
  for (const part of names) {
    const child = directory.children.get(part);
    if (!isDirectory(child)) return undefined;
    directory = child;
  }
  return { directory, name };
}

/** The same, making directories, which replace whatever else is in their place. */
function makePlace(root: Directory, path: string): { directory: Directory; name: string } {
  const names = path.split("/");
  const name = names.pop() ?? "";
  let directory = root;
  for (const part of names) {
    let child = directory.children.get(part);
    if (!isDirectory(child)) {
      child = { children: new Map() };
      directory.children.set(part, child);
    }
    directory = child;
  }
  return { directory, name };
}

function pathOfTrail(root: Directory, trail: readonly Directory[]): string[] {
  let at = root;
  return trail.slice(1).map((directory) => {
    const name = [...at.children].find(([, child]) => child === directory)?.[0] ?? "";
    at = directory;
    return name;
  });
}
