import { Buffer } from "node:buffer";

/** What `deno compile` adds to its runtime part, as far as tests look at it. */
export interface CompiledFile {
  /** How the program is started: permissions, entry point, and what else was fixed when it was compiled. */
  readonly metadata: CompiledMetadata;
  /** All embedded files by their paths, with their content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The JSON at the head of the embedded section. */
export interface CompiledMetadata {
  /** `null` is none, `[]` is all, a list is only these. */
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
  /** Path of the main module. */
  readonly entrypoint_key: string;
  /** Modules run before it. */
  readonly preload_modules: readonly string[];
  /** Arguments put before the user's. */
  readonly argv: readonly string[];
  /** Options of the engine, Deno's own among them. */
  readonly v8_flags: readonly string[];
  /** Certificates that were given when it was compiled. */
  readonly ca_data: unknown;
  /** Hosts whose certificates are not checked. */
  readonly unsafely_ignore_certificate_errors: readonly string[] | null;
  /** Variables that were read from a file when it was compiled. */
  readonly env_vars_from_env_file: Readonly<Record<string, string>>;
  /** Key of the cache of compiled code, `null` without one. */
  readonly code_cache_key: number | null;
}

/** A directory or a file of the embedded file system; `o` is offset and length within the stored content. */
type Entry =
  | { readonly Dir: { readonly n: string; readonly e: readonly Entry[] } }
  | { readonly File: { readonly n: string; readonly o: readonly [number, number] } }
  | { readonly Symlink: { readonly n: string } };

/** The section's name in the executable, followed by the magic number it begins with. */
const HEAD = new TextEncoder().encode("d3n0l4ndd3n0l4nd");
const FILE_SYSTEM = new TextEncoder().encode('[{"Dir":{"n":');

/**
 * Reads the section that `deno compile` of Deno 2.9 embeds: magic number, length and JSON of the metadata, packages,
 * modules from the network (none), then length and JSON of the tree of files, then length and bytes of their contents.
 * Lengths are 64 bits, little-endian.
 */
export function readCompiledFile(executable: Uint8Array): CompiledFile {
  const view = new DataView(executable.buffer, executable.byteOffset, executable.byteLength);
  const length = (at: number): number => Number(view.getBigUint64(at, true));
  const json = (at: number): string =>
    new TextDecoder().decode(executable.subarray(at + 8, at + 8 + length(at)));

  const section = indexOf(executable, HEAD, 0) + HEAD.length;
  const metadata: CompiledMetadata = JSON.parse(json(section));
  const tree = indexOf(executable, FILE_SYSTEM, section + 8 + length(section)) - 8;
  const entries: readonly Entry[] = JSON.parse(json(tree));
  const content = tree + 8 + length(tree) + 8;
  const files = new Map<string, Uint8Array>();
  const walk = (list: readonly Entry[], parent: string): void => {
    for (const entry of list) {
      if ("Dir" in entry) walk(entry.Dir.e, `${parent}${entry.Dir.n}/`);
      else if ("File" in entry) {
        const [offset, size] = entry.File.o;
        files.set(
          `${parent}${entry.File.n}`,
          executable.subarray(content + offset, content + offset + size),
        );
      }
    }
  };
  walk(entries, "");
  return { metadata, files };
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(wanted, from);
  if (at < 0) {
    throw new Error("Cannot read the compiled program: it has no embedded section of the known form");
  }
  return at;
}
