/** Where a firmware is looked for when nobody names its path. */
export const FIRMWARE_DIRECTORY = "firmware";

/** PATH_MAX of Linux: no file system could hold a longer one. */
const MAX_PATH_LENGTH = 4096;

/** Four times the depth of deep real trees (some 30); every level costs a node in the overlay. */
const MAX_PATH_DEPTH = 128;

/** Longest path shown in a message, in characters. */
const MAX_SHOWN = 120;

/**
 * The one spelling of a path inside an image: components joined by `/`, nothing before the first, `""` for the root.
 *
 * Tar names come as `./a`, `/a`, `a/` and `a//b`. A name with `..`, with a NUL, longer or deeper than a file system
 * allows gives `undefined`: no honest writer makes one, and guessing what it means could pick another file.
 */
export function imagePath(name: string): string | undefined {
  if (name.length > MAX_PATH_LENGTH || name.includes("\0")) return undefined;
  const components = name.split("/").filter((component) => component !== "" && component !== ".");
  if (components.includes("..") || components.length > MAX_PATH_DEPTH) return undefined;
  return components.join("/");
}

/** The components of an image path; none for the root. */
export function pathComponents(path: string): string[] {
  return path === "" ? [] : path.split("/");
}

/** The directory that holds `path`; the root holds itself. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Every directory above `path`, the root `""` first: `a/b/c` gives `""`, `a`, `a/b`. */
export function* ancestors(path: string): Generator<string> {
  if (path === "") return;
  yield "";
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    yield path.slice(0, slash);
  }
}

/** Is `path` strictly below `directory`? Compared by component: `firmware-old/x` is not below `firmware`. */
export function isBelow(path: string, directory: string): boolean {
  return directory === "" ? path !== "" : path.startsWith(`${directory}/`);
}

/** The path for a log line or a message: control and direction characters escaped, long ones cut with `...`. */
export function shownPath(path: string): string {
  const safe = path.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}...` : safe;
}
