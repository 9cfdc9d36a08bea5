import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Found, LayerOverlay } from "../../src/firmware/layer_overlay.ts";
import { LayerTree } from "../../src/firmware/layer_tree.ts";
import type { LayerEntry } from "../../src/firmware/layer_entries.ts";
import {
  buildModel,
  contentOf,
  filesIn,
  lookUp,
  type Stack,
  stacks,
  type Step,
  tarEntries,
} from "./overlay_model.ts";

const TYPES = { "0": "file", "1": "link", "2": "symlink", "3": "special", "5": "directory" } as const;

function treeOf(steps: readonly Step[], layer: number): LayerTree {
  const tree = new LayerTree(layer, { left: 1000 });
  tarEntries(steps, layer).forEach((entry, index) => {
    const type: LayerEntry["type"] = TYPES[(entry.type ?? "0") as keyof typeof TYPES];
    tree.add({
      index,
      name: entry.name,
      type,
      size: entry.content?.length ?? 0,
      linkTarget: entry.linkName ?? "",
    });
  });
  return tree;
}

/** Layers bottom first, as in a manifest. */
function overlayOf(stack: Stack): LayerOverlay {
  const overlay = new LayerOverlay();
  for (const [layer, steps] of [...stack.entries()].reverse()) overlay.addBelow(treeOf(steps, layer));
  overlay.complete();
  return overlay;
}

function contentAt(found: Found): string | undefined {
  return found.kind === "file" ? contentOf(found.location.layer, found.location.entry) : undefined;
}

const file = (path: string): Step => ({ do: "file", path });
const directory = (path: string): Step => ({ do: "directory", path });
const remove = (path: string): Step => ({ do: "remove", path });
const clear = (path: string): Step => ({ do: "clear", path });
const symlink = (path: string, target: string): Step => ({ do: "symlink", path, target });
const link = (path: string, target: string): Step => ({ do: "link", path, target });

/** Stack, path, and what it leads to: layer and step of the content, or the reason why not. */
const CASES: readonly (readonly [
  name: string,
  stack: Stack,
  path: string,
  leadsTo: [number, number] | Found["kind"],
])[] = [
  ["an upper file wins", [[file("a")], [file("a")]], "a", [1, 0]],
  ["a later entry of a layer wins", [[file("a"), file("a")]], "a", [0, 1]],
  ["a whiteout removes", [[file("d/a"), file("d/b")], [remove("d/a")]], "d/a", "absent"],
  ["a whiteout leaves the neighbours", [[file("d/a"), file("d/b")], [remove("d/a")]], "d/b", [0, 1]],
  ["a whiteout of a directory removes what is in it", [[file("d/a")], [remove("d")]], "d/a", "absent"],
  ["a whiteout acts not on its own layer, before", [[], [remove("a"), file("a")]], "a", [1, 1]],
  ["a whiteout acts not on its own layer, after", [[], [file("a"), remove("a")]], "a", [1, 0]],
  [
    "a whiteout acts on the lower layer, after its own",
    [[file("d/x")], [file("d/y"), remove("d")]],
    "d/x",
    "absent",
  ],
  ["a whiteout acts two layers down", [[file("a")], [file("b")], [remove("a")]], "a", "absent"],
  ["a whiteout acts not on layers above", [[file("a")], [remove("a")], [file("a")]], "a", [2, 0]],
  ["an opaque directory hides what is below", [[file("d/a")], [clear("d")]], "d/a", "absent"],
  ["an opaque directory keeps its own, mark first", [[file("d/a")], [clear("d"), file("d/b")]], "d/b", [
    1,
    1,
  ]],
  ["an opaque directory keeps its own, mark last", [[file("d/a")], [file("d/b"), clear("d")]], "d/b", [
    1,
    0,
  ]],
  ["an opaque directory hides, mark last", [[file("d/a")], [file("d/b"), clear("d")]], "d/a", "absent"],
  ["an opaque root hides all", [[file("a")], [clear(""), file("b")]], "a", "absent"],
  ["a file replaces a directory", [[file("d/a")], [file("d")]], "d", [1, 0]],
  ["a file hides what the directory held", [[file("d/a")], [file("d")]], "d/a", "absent"],
  ["a directory replaces a file", [[file("d")], [directory("d")]], "d", "directory"],
  ["file over directory under directory", [[file("d/a")], [file("d")], [directory("d")]], "d/a", "absent"],
  ["directories of two layers merge", [[file("d/a")], [directory("d"), file("d/b")]], "d/a", [0, 0]],
  [
    "an implied directory replaces a link",
    [[symlink("d", "e"), file("e/a")], [file("d/b")]],
    "d/a",
    "absent",
  ],
  ["a relative link", [[file("x/a"), symlink("d/l", "../x/a")]], "d/l", [0, 0]],
  ["an absolute link", [[file("x/a"), symlink("d/l", "/x/a")]], "d/l", [0, 0]],
  ["a link in the way", [[file("x/a"), symlink("d", "x")]], "d/a", [0, 0]],
  ["a link above the root stays in it", [[file("a"), symlink("d/l", "../../../a")]], "d/l", [0, 0]],
  [
    "`..` after a link is the parent of its target",
    [[file("x/b"), directory("x/y"), symlink("l", "x/y"), symlink("m", "l/../b")]],
    "m",
    [0, 0],
  ],
  ["a link to a lower layer", [[file("a")], [symlink("l", "a")]], "l", [0, 0]],
  ["a link to an upper layer", [[symlink("l", "a"), file("a")], [file("a")]], "l", [1, 0]],
  ["a link to what was removed", [[file("a"), symlink("l", "a")], [remove("a")]], "l", "absent"],
  ["a link to itself", [[symlink("l", "l")]], "l", "link-loop"],
  ["links in a circle", [[symlink("l", "m/x"), symlink("m", "l")]], "l", "link-loop"],
  ["a hard link", [[file("a"), link("l", "a")]], "l", [0, 0]],
  ["a hard link keeps what its target was", [[file("a"), link("l", "a"), file("a")]], "l", [0, 0]],
  ["a hard link to a hard link", [[file("a"), link("l", "a"), link("m", "l")]], "m", [0, 0]],
  ["a hard link outlives its target", [[file("a"), link("l", "a")], [remove("a")]], "l", [0, 0]],
  ["a hard link to a later entry", [[link("l", "a"), file("a")]], "l", "dead-link"],
  ["a hard link to a lower layer", [[file("a")], [link("l", "a")]], "l", "dead-link"],
  ["a hard link out of the image", [[link("l", "../a")]], "l", "dead-link"],
  ["a hard link to a directory", [[directory("d"), link("l", "d")]], "l", "dead-link"],
  ["a device", [[{ do: "device", path: "a" }]], "a", "special"],
  ["something below a file", [[file("a")]], "a/b", "absent"],
  ["a file used as a directory by its own layer", [[file("a"), file("a/b")]], "a/b", "conflict"],
  ["a directory used as a file by its own layer", [[file("a/b"), file("a")]], "a", "conflict"],
  ["a link used as a directory by its own layer", [[symlink("a", "/x"), file("a/b")]], "a/b", "conflict"],
  ["a conflict that an upper layer replaces", [[file("a"), file("a/b")], [file("a")]], "a", [1, 0]],
];

for (const [name, stack, path, leadsTo] of CASES) {
  Deno.test(`LayerOverlay: ${name}`, () => {
    const found = overlayOf(stack).find(path);
    if (typeof leadsTo === "string") assertEquals(found.kind, leadsTo);
    else assertEquals(contentAt(found), contentOf(...leadsTo));
  });
}

Deno.test("LayerOverlay: agrees with the naive model on every path of random stacks", () => {
  const paths = ["firmware", "a", "b", "app"].flatMap((one) => [
    one,
    ...["firmware", "a", "b", "app"].flatMap((
      two,
    ) => [`${one}/${two}`, `${one}/${two}/app`, `${one}/${two}/a`]),
  ]);
  fc.assert(
    fc.property(stacks(), (stack) => {
      const overlay = overlayOf(stack);
      const model = buildModel(stack);
      for (const path of paths) assertEquals(contentAt(overlay.find(path)), lookUp(model, path), path);
      const files = overlay.listBelow("firmware").filter(({ node }) => node.kind === "file");
      assertEquals(files.map(({ path }) => path), filesIn(model, "firmware"));
    }),
    { seed: 7, numRuns: 3000 },
  );
});

Deno.test("LayerOverlay: says what a lower layer can still change, and is never wrong when it says it cannot", () => {
  fc.assert(
    fc.property(
      stacks(),
      fc.constantFrom("a", "a/b", "firmware/app", "firmware/a/app", "b/app"),
      (stack, path) => {
        const overlay = new LayerOverlay();
        let certain: Found | undefined;
        for (const [layer, steps] of [...stack.entries()].reverse()) {
          overlay.addBelow(treeOf(steps, layer));
          const found = overlay.find(path);
          if (certain === undefined && found.kind !== "below") certain = found;
          else if (certain !== undefined && certain.kind !== "directory") assertEquals(found, certain);
        }
        overlay.complete();
        assertEquals(overlay.find(path).kind === "below", false);
        if (certain !== undefined && certain.kind !== "directory") assertEquals(overlay.find(path), certain);
      },
    ),
    { seed: 8, numRuns: 1000 },
  );
});
