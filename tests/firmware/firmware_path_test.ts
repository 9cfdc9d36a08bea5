import { assert, assertEquals } from "@std/assert";
import { ancestors, imagePath, isBelow, parentPath, shownPath } from "../../src/firmware/firmware_path.ts";

const SPELLINGS: readonly (readonly [name: string, path: string | undefined])[] = [
  ["firmware/app.bin", "firmware/app.bin"],
  ["./firmware/app.bin", "firmware/app.bin"],
  ["/firmware/app.bin", "firmware/app.bin"],
  ["firmware//app.bin/", "firmware/app.bin"],
  ["firmware/./app.bin", "firmware/app.bin"],
  ["./", ""],
  ["/", ""],
  ["", ""],
  ["..", undefined],
  ["../app.bin", undefined],
  ["firmware/../app.bin", undefined],
  ["firmware/..", undefined],
  ["firmware/..app", "firmware/..app"],
  ["firmware/app.bin\0.txt", undefined],
  ["a/".repeat(128), "a/".repeat(128).slice(0, -1)],
  ["a/".repeat(129), undefined],
  ["a".repeat(4096), "a".repeat(4096)],
  ["a".repeat(4097), undefined],
];

Deno.test("imagePath: one spelling for each path, none for an unsafe name", () => {
  for (const [name, path] of SPELLINGS) assertEquals(imagePath(name), path, name.slice(0, 40));
});

Deno.test("isBelow: compares components, not characters", () => {
  assert(isBelow("firmware/app.bin", "firmware"));
  assert(isBelow("firmware/a/b", "firmware"));
  assert(isBelow("x", ""));
  assert(!isBelow("firmware", "firmware"));
  assert(!isBelow("firmware-old/app.bin", "firmware"));
  assert(!isBelow("etc/firmware", "firmware"));
  assert(!isBelow("", ""));
});

Deno.test("ancestors: every directory above, from the root", () => {
  assertEquals([...ancestors("a/bc/d")], ["", "a", "a/bc"]);
  assertEquals([...ancestors("a")], [""]);
  assertEquals([...ancestors("")], []);
});

Deno.test("parentPath: the directory, and the root for what stands in it", () => {
  assertEquals([parentPath("a/b/c"), parentPath("a"), parentPath("")], ["a/b", "", ""]);
});

Deno.test("shownPath: neutralises what could rewrite a terminal line", () => {
  assertEquals(shownPath("a\x1b[2Jb\nc\u202ed"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d");
  assertEquals(shownPath("firmware/größe.bin"), "firmware/größe.bin");
  assertEquals(shownPath("x".repeat(500)), `${"x".repeat(120)}...`);
});
