/**
 * One attack or fault: a lab registry with an image, something wrong with it, a pull, and what must have come of it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { RegistrySettings } from "../../src/registry/registry_settings.ts";
import type { RegistryErrorCode } from "../../src/registry/registry_error.ts";
import { buildImage, buildIndex, type OciImage } from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { firstLayerOf } from "../builders/oci_spoil.ts";
import type { RecordedRequest } from "../lab/recorded_request.ts";
import { type LabRegistry, type RegistryOptions, startRegistry } from "../lab/registry.ts";
import { type BlobHost, startBlobHost } from "../lab/registry_blob_host.ts";
import { type FaultAction, type FaultRule, manifestRequests } from "../lab/registry_fault.ts";
import {
  codeOf,
  openTestRegistry,
  pullAll,
  type Pulled,
  type TestWorld,
  testWorld,
  WANTED,
} from "./registry_rig.ts";

/** Secrets of all cases; none of them may ever be told. */
export const ROBOT = { username: "robot", password: "hunter2-password" } as const;
const SECRETS = [
  ROBOT.password,
  btoa(`${ROBOT.username}:${ROBOT.password}`),
  "lab-signature",
  "identity-secret",
];

/** What stands in a case. */
export interface Bench {
  readonly registry: LabRegistry;
  /** Another origin, which must not see anything of the first one. */
  readonly elsewhere: BlobHost;
  readonly world: TestWorld;
  readonly image: OciImage;
  /** `HOST/iot/fw:v1`. */
  readonly name: string;
  /** Digest of the only layer, {@linkcode LAYER_SIZE} bytes. */
  readonly layer: string;
  /** Puts a fault in force at the registry. */
  fault(match: FaultRule["match"], action: FaultAction, limits?: Pick<FaultRule, "times" | "skip">): void;
}

/** One case of the table. */
export interface AttackCase {
  readonly name: string;
  readonly registry?: RegistryOptions;
  /** Blobs are redirected to {@linkcode Bench.elsewhere}. */
  readonly redirectsBlobs?: boolean;
  readonly image?: OciImage;
  readonly settings?: Partial<RegistrySettings> | ((bench: Bench) => Partial<RegistrySettings>);
  readonly arrange?: (bench: Bench) => void;
  /** `success` also means: every byte is that of the image. */
  readonly expected: RegistryErrorCode | "success";
  readonly check?: (bench: Bench, pulled: Pulled | undefined) => void;
}

/** Large enough to be sent in many pieces, small enough for a hundred cases. */
export const LAYER_SIZE = 300_000;

const LAYER = buildLayer(
  Uint8Array.from({ length: LAYER_SIZE }, (_, index) => (index * 31 + (index >> 8)) % 256),
  {
    format: "oci",
  },
);

/** The image of most cases: an index with two platforms. */
export const IMAGE: OciImage = buildIndex({
  format: "oci",
  entries: ["esp32", "esp32s3"].map((architecture) =>
    buildImage({ format: "oci", platform: { os: "custom", architecture }, layers: [LAYER] })
  ),
});

/** One image for the wanted platform, changed as told. */
export function imageWith(change: Partial<Parameters<typeof buildImage>[0]>): OciImage {
  return buildImage({ format: "oci", platform: WANTED, layers: [LAYER], ...change });
}

/** The wanted platform's manifest in {@linkcode IMAGE}. */
export const MANIFEST_DIGEST: string =
  IMAGE.manifests.find(({ descriptor }) => descriptor.platform?.architecture === WANTED.architecture)
    ?.descriptor.digest ?? "";

/** Matches the request for the manifest behind the index. */
export const childManifest: FaultRule["match"] = manifestRequests(MANIFEST_DIGEST);

/** Matches downloads of the layer. */
export function layerRequests({ path }: RecordedRequest): boolean {
  return path.endsWith(LAYER.descriptor.digest);
}

/** Matches downloads of configs. */
export function configRequests({ path }: RecordedRequest): boolean {
  return path.includes("/blobs/") && !path.endsWith(LAYER.descriptor.digest);
}

/** Declares one test per case, and gives the number of those that have passed so far. */
export function testAttacks(cases: readonly AttackCase[]): () => number {
  let passed = 0;
  for (const one of cases) {
    Deno.test(`RegistryClient: ${one.name}`, async () => {
      await runCase(one);
      passed++;
    });
  }
  return () => passed;
}

async function runCase(one: AttackCase): Promise<void> {
  await using elsewhere = await startBlobHost({ refusesAuthorization: true });
  await using registry = await startRegistry({
    ...one.registry,
    ...(one.redirectsBlobs ? { blobHost: elsewhere } : {}),
  });
  const image = one.image ?? IMAGE;
  const name = registry.put(image, "iot/fw", "v1");
  const world = testWorld();
  const layer = one.image === undefined
    ? firstLayerOf(image, WANTED.architecture).digest
    : LAYER.descriptor.digest;
  const bench: Bench = {
    registry,
    elsewhere,
    world,
    image,
    name,
    layer,
    fault: (match, action, limits = {}) => void registry.fault({ match, action, ...limits }),
  };
  one.arrange?.(bench);
  const settings = typeof one.settings === "function" ? one.settings(bench) : one.settings ?? {};
  const told: unknown[] = [];
  let pulled: Pulled | undefined;
  {
    using client = openTestRegistry(settings, world);
    const outcome = await codeOf(async () => {
      try {
        pulled = await pullAll(client, name);
      } catch (error) {
        told.push(error instanceof Error ? `${error.message} ${error.stack}` : error);
        throw error;
      }
    });
    assertEquals(outcome, one.expected, String(told[0]));
  }
  if (one.expected === "success") {
    const blobs = new Map(image.blobs.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
    assertEquals(
      pulled?.layers,
      pulled?.image.layers.map(({ digest }) => blobs.get(digest) ?? new Uint8Array()),
    );
  }
  const words = JSON.stringify([told, world.lines]);
  assertEquals(SECRETS.filter((secret) => words.includes(secret)), []);
  one.check?.(bench, pulled);
}

/** Requests a matcher picks. */
export function requestsOf(bench: Bench, match: (request: RecordedRequest) => boolean): RecordedRequest[] {
  return bench.registry.requests.filter(match);
}

/** How many requests asked for the layer. */
export function layerRequestCount(bench: Bench): number {
  return requestsOf(bench, ({ path }) => path.endsWith(bench.layer)).length;
}

/** Warnings that were told. */
export function warnings(bench: Bench): string[] {
  return bench.world.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
}
