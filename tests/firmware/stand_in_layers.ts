/**
 * Layers and a world to extract them in: layers that verify themselves at their end as the registry room's do, and
 * a temporary directory whose remains can be counted.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { FirmwareError } from "../../src/firmware/firmware_error.ts";
import type { FirmwareRequest } from "../../src/firmware/firmware_file.ts";
import { extractFirmware } from "../../src/firmware/firmware_file.ts";
import type { LayerSource } from "../../src/firmware/layer_source.ts";
import { denoWorld } from "../../src/deno_world.ts";
import type { Files, Log, World } from "../../src/world.ts";
import { digestOf } from "../builders/oci_content.ts";
import { buildLayer, type Compression } from "../builders/oci_layer.ts";
import { tarArchive, type TarEntry } from "../builders/tar.ts";

/** A layer that counts what is done with it. */
export interface CountedLayer extends LayerSource {
  /** Times it was opened. */
  readonly opened: () => number;
  /** Times it was read to its verified end. */
  readonly finished: () => number;
}

/** What the registry room would throw. */
export class BrokenBlob extends Error {}

/** How to make a {@linkcode CountedLayer}. */
export interface CountedLayerOptions {
  readonly compression?: Compression;
  /** Bytes per chunk; 64 KiB when absent. */
  readonly chunkSize?: number;
  readonly title?: string;
  readonly mediaType?: string;
  /** In place of the right one; `null` for none. */
  readonly diffId?: string | null;
  /** Spoils the bytes after the digest was made. */
  readonly spoil?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

/** A layer of tar entries. */
export function tarLayer(entries: readonly TarEntry[], options: CountedLayerOptions = {}): CountedLayer {
  return bytesLayer(tarArchive(entries), { compression: "gzip", ...options });
}

/** A layer of any bytes. */
export function bytesLayer(
  content: Uint8Array<ArrayBuffer>,
  options: CountedLayerOptions = {},
): CountedLayer {
  const built = buildLayer(content, { format: "oci", compression: options.compression ?? "none" });
  const blob = built.bytes;
  const diffId = options.diffId === null ? undefined : options.diffId ?? built.diffId;
  const served = options.spoil ? options.spoil(blob.slice()) : blob;
  let opened = 0;
  let finished = 0;
  return {
    digest: digestOf(blob),
    size: blob.length,
    mediaType: options.mediaType ?? built.descriptor.mediaType,
    ...(options.title === undefined ? {} : { title: options.title }),
    ...(diffId === undefined ? {} : { diffId }),
    opened: () => opened,
    finished: () => finished,
    open() {
      opened++;
      let at = 0;
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (at < served.length) {
            const end = Math.min(served.length, at + (options.chunkSize ?? 65_536));
            controller.enqueue(served.slice(at, end));
            at = end;
          } else if (digestOf(served) === digestOf(blob)) {
            finished++;
            controller.close();
          } else {
            controller.error(new BrokenBlob("wrong digest"));
          }
        },
      }, { highWaterMark: 0 });
    },
  };
}

/** A firmware as it was while it existed. */
export interface Extracted {
  readonly content: Uint8Array;
  readonly pathInImage: string;
  readonly size: number;
  readonly sha256: string;
  readonly layerDigest: string;
  /** Permission bits of the temporary file. */
  readonly mode: number;
}

const quiet: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  room: () => quiet,
};

/** A place of its own for temporary files. */
export async function temporaryWorld(): Promise<
  { readonly world: World; readonly parent: string; [Symbol.asyncDispose](): Promise<void> }
> {
  const parent = await Deno.makeTempDir({ prefix: "firmware-test-" });
  const real = denoWorld(quiet);
  const files: Files = { ...real.files, makeTempDirectory: () => Deno.makeTempDir({ dir: parent }) };
  return {
    world: { ...real, files },
    parent,
    [Symbol.asyncDispose]: () => Deno.remove(parent, { recursive: true }),
  };
}

/** Names left in a directory. */
export async function remains(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map((entry) => entry.name);
}

/** What to extract; a request with the usual rest. */
export type Wanted = Partial<FirmwareRequest> & Pick<FirmwareRequest, "layers">;

/** Extracts, reads the file and disposes of it; fails when anything is left on the disk, whatever happened. */
export async function extract(
  wanted: Wanted,
  signal: AbortSignal = new AbortController().signal,
): Promise<Extracted> {
  await using place = await temporaryWorld();
  const request = { isArtifact: false, maxFirmwareSize: 8 * 1024 * 1024, ...wanted };
  const [outcome] = await Promise.allSettled([readExtracted(request, { world: place.world, signal })]);
  assertEquals(await remains(place.parent), [], "left behind");
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}

async function readExtracted(
  request: FirmwareRequest,
  { world, signal }: { readonly world: World; readonly signal: AbortSignal },
): Promise<Extracted> {
  await using file = await extractFirmware(request, world, { signal });
  const { path, pathInImage, size, sha256, layerDigest } = file;
  const mode = ((await Deno.stat(path)).mode ?? 0) & 0o777;
  return { content: await Deno.readFile(path), pathInImage, size, sha256, layerDigest, mode };
}

/** The code of the {@linkcode FirmwareError} an extraction ends with; any other end is a failure of the test. */
export async function refusal(wanted: Wanted): Promise<{ readonly code: string; readonly message: string }> {
  const { code, message } = await assertRejects(() => extract(wanted), FirmwareError);
  return { code, message };
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Bytes as text. */
export function text(content: Uint8Array): string {
  return new TextDecoder().decode(content);
}
