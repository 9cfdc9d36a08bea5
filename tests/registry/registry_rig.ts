/**
 * What the registry tests share: a world on real sockets whose time runs fast, a log that is kept, and a pull of
 * everything an image has.
 *
 * @module
 */

import type { Descriptor } from "../../src/registry/descriptor.ts";
import { parseReference } from "../../src/registry/reference.ts";
import type { ResolvedImage } from "../../src/registry/image_resolver.ts";
import { openRegistry, type RegistryClient } from "../../src/registry/registry_client.ts";
import { RegistryError, type RegistryErrorCode } from "../../src/registry/registry_error.ts";
import type { RegistrySettings } from "../../src/registry/registry_settings.ts";
import { denoWorld, systemClock } from "../../src/deno_world.ts";
import type { Clock, Log, World } from "../../src/world.ts";

/** One line of the kept log. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

/** A world with its log. */
export interface TestWorld extends World {
  readonly lines: LogLine[];
}

/** How much faster than real the tests' time runs, so that back-offs cost milliseconds. */
const HASTE = 100;

/** The real world but for time and log; `changes` replaces more of it. */
export function testWorld(changes: Partial<World> = {}): TestWorld {
  const lines: LogLine[] = [];
  const log: Log = {
    debug: (message) => void lines.push({ level: "debug", message }),
    info: (message) => void lines.push({ level: "info", message }),
    warn: (message) => void lines.push({ level: "warn", message }),
    error: (message) => void lines.push({ level: "error", message }),
    room: () => log,
  };
  return { ...denoWorld(log), clock: hastyClock(), ...changes, lines };
}

/** Time that runs {@linkcode HASTE} times as fast, for waiting and for telling alike. */
function hastyClock(): Clock {
  const start = Date.now();
  const origin = performance.now();
  return {
    now: () => Math.round(start + (performance.now() - origin) * HASTE),
    sleep: (milliseconds, signal) => systemClock.sleep(milliseconds / HASTE, signal),
  };
}

/** A signal that is never aborted. */
export const NEVER: AbortSignal = new AbortController().signal;

/** The platform most tests pull. */
export const WANTED = { os: "custom", architecture: "esp32s3" } as const;

/** A client of the given world, with no settings but those named. */
export function openTestRegistry(settings: Partial<RegistrySettings>, world: World): RegistryClient {
  return openRegistry(
    { plainHttp: [], environment: {}, mirrors: [], idleTimeout: 500_000, ...settings },
    world,
  );
}

/** All bytes of a blob; rejects as its stream does. */
export async function readBlob(
  client: RegistryClient,
  text: string,
  descriptor: Descriptor,
  signal: AbortSignal = NEVER,
): Promise<Uint8Array<ArrayBuffer>> {
  return await new Response(client.openBlob(parseReference(text), descriptor, { signal })).bytes();
}

/** An image with the content of its layers. */
export interface Pulled {
  readonly image: ResolvedImage;
  readonly layers: readonly Uint8Array[];
}

/** Pulls an image with all its layers. */
export async function pullAll(client: RegistryClient, text: string): Promise<Pulled> {
  const image = await client.resolveImage(parseReference(text), WANTED, { signal: NEVER });
  const layers: Uint8Array[] = [];
  for (const layer of image.layers) layers.push(await readBlob(client, text, layer));
  return { image, layers };
}

/** The code of the registry error an action ends with, or what it ended with instead. */
export async function codeOf(action: () => Promise<unknown>): Promise<RegistryErrorCode | "success"> {
  try {
    await action();
    return "success";
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
}
