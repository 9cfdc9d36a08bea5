/**
 * What every registry and the client must agree on, whoever wrote the registry. The images are of our own builder;
 * `contract_writers_test.ts` adds those of other writers.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseDigest } from "../../src/registry/digest.ts";
import { parseReference } from "../../src/registry/reference.ts";
import type { RegistryClient } from "../../src/registry/registry_client.ts";
import { RegistryError, type RegistryErrorCode } from "../../src/registry/registry_error.ts";
import type { RegistrySettings } from "../../src/registry/registry_settings.ts";
import { buildArtifact } from "../builders/oci_artifact.ts";
import { digestOf, jsonContent } from "../builders/oci_content.ts";
import {
  buildFirmwareImage,
  buildImage,
  buildIndex,
  MEDIA_TYPES,
  type OciImage,
} from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { ABSENT_DIGEST } from "../builders/oci_spoil.ts";
import { codeOf, NEVER, openTestRegistry, pullAll, readBlob, testWorld, WANTED } from "./registry_rig.ts";

/** A registry under contract. */
export interface ContractTarget {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Settings that let the client in; none for an open registry. */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Puts an image there by some other way than the client. */
  push(image: OciImage, repository: string, tag: string): Promise<void>;
}

/** One clause of the contract. */
export interface ContractCase {
  readonly name: string;
  /** Only where access is guarded. */
  readonly guardedOnly?: boolean;
  run(target: ContractTarget): Promise<void>;
}

const FIRMWARE = Uint8Array.from({ length: 20_000 }, (_, index) => (index * 7) % 256);
const OTHERS = ["esp32", "esp32s3", "esp32s2"].map((architecture) => ({ architecture, firmware: FIRMWARE }));
const OTHER_DIGEST = parseDigest(ABSENT_DIGEST);

function opaqueLayer(seed: number, length = 5000) {
  return buildLayer(Uint8Array.from({ length }, (_, index) => (index * seed) % 256), { format: "oci" });
}

function singleImage(architecture = "esp32s3"): OciImage {
  return buildImage({ format: "oci", platform: { os: "custom", architecture }, layers: [opaqueLayer(3)] });
}

async function withClient<Result>(
  target: ContractTarget,
  use: (client: RegistryClient) => Promise<Result>,
  settings: Partial<RegistrySettings> = {},
): Promise<Result> {
  const { credentials } = target;
  using client = openTestRegistry({ ...(credentials ? { credentials } : {}), ...settings }, testWorld());
  return await use(client);
}

/** Pushes, pulls, and compares each layer with what was pushed. */
async function roundTrip(target: ContractTarget, image: OciImage, repository: string): Promise<void> {
  await target.push(image, repository, "v1");
  const name = `${target.host}/${repository}:v1`;
  const pulled = await withClient(target, (client) => pullAll(client, name));
  const blobs = new Map(image.blobs.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  assertEquals(
    pulled.layers,
    pulled.image.layers.map((layer) => blobs.get(layer.digest) ?? new Uint8Array()),
  );
  assertEquals(pulled.layers.length > 0, true);
}

async function expectCode(
  target: ContractTarget,
  reference: string,
  code: RegistryErrorCode,
  settings: Partial<RegistrySettings> = {},
): Promise<void> {
  const found = await withClient(target, (client) => codeOf(() => pullAll(client, reference)), settings);
  assertEquals(found, code);
}

/** The contract. */
export const CONTRACT: readonly ContractCase[] = [
  {
    name: "an OCI index",
    run: (target) =>
      roundTrip(target, buildFirmwareImage({ format: "oci", platforms: OTHERS }), "c/oci-index"),
  },
  {
    name: "a Docker manifest list",
    run: (target) =>
      roundTrip(target, buildFirmwareImage({ format: "docker", platforms: OTHERS }), "c/docker-list"),
  },
  { name: "a single manifest", run: (target) => roundTrip(target, singleImage(), "c/single") },
  {
    name: "several layers in several encodings",
    run: (target) => {
      const layers = (["none", "gzip", "multi-gzip", "zstd"] as const).map((compression, index) =>
        buildLayer(Uint8Array.from({ length: 30_000 }, (_, at) => (at * (index + 3)) % 256), {
          format: "oci",
          compression,
        })
      );
      return roundTrip(target, buildImage({ format: "oci", platform: WANTED, layers }), "c/layers");
    },
  },
  {
    name: "a layer of 3 MiB",
    run: (target) =>
      roundTrip(
        target,
        buildImage({ format: "oci", platform: WANTED, layers: [opaqueLayer(11, 3 << 20)] }),
        "c/big",
      ),
  },
  {
    name: "an index with attestations",
    run: (target) =>
      roundTrip(
        target,
        buildFirmwareImage({ format: "oci", platforms: OTHERS, attestations: true }),
        "c/attested",
      ),
  },
  {
    name: "an index inside an index",
    run: (target) => {
      const inner = buildIndex({ format: "oci", entries: [singleImage("esp32"), singleImage()] });
      return roundTrip(target, buildIndex({ format: "oci", entries: [inner] }), "c/nested");
    },
  },
  {
    name: "a platform asked for in other letters",
    async run(target) {
      await target.push(buildFirmwareImage({ format: "oci", platforms: OTHERS }), "c/case", "v1");
      const image = await withClient(
        target,
        (client) =>
          client.resolveImage(parseReference(`${target.host}/c/case:v1`), {
            os: "Custom",
            architecture: "ESP32S3",
          }, {
            signal: NEVER,
          }),
      );
      assertEquals(image.config.architecture, "esp32s3");
    },
  },
  {
    name: "an artifact whose file is a layer",
    async run(target) {
      const artifact = buildArtifact({
        artifactType: "application/vnd.example.firmware",
        files: [{ title: "app.bin", bytes: FIRMWARE }],
      });
      await target.push(artifact, "c/artifact", "v1");
      const { image, layers } = await withClient(
        target,
        (client) => pullAll(client, `${target.host}/c/artifact:v1`),
      );
      assertEquals(image.artifactType, "application/vnd.example.firmware");
      assertEquals(image.layers[0]?.annotations["org.opencontainers.image.title"], "app.bin");
      assertEquals(layers, [FIRMWARE]);
    },
  },
  {
    name: "by digest, and by tag and digest",
    async run(target) {
      const image = singleImage();
      await target.push(image, "c/digest", "v1");
      for (
        const name of [`c/digest@${image.descriptor.digest}`, `c/digest:moved@${image.descriptor.digest}`]
      ) {
        const pulled = await withClient(target, (client) => pullAll(client, `${target.host}/${name}`));
        assertEquals<string>(pulled.image.manifest.digest, image.descriptor.digest);
      }
    },
  },
  {
    name: "a pin on the index, on the manifest, on neither",
    async run(target) {
      const image = buildFirmwareImage({ format: "oci", platforms: OTHERS });
      await target.push(image, "c/pin", "v1");
      const reference = parseReference(`${target.host}/c/pin:v1`);
      await withClient(target, async (client) => {
        const { manifest } = await client.resolveImage(reference, WANTED, { signal: NEVER });
        // the pin's own algorithm decides, whichever one the registry names its documents by
        const sha512 = image.manifests.map(({ bytes }) => digestOf(bytes, "sha512"));
        assertEquals(sha512.length, OTHERS.length + 1);
        const [, ofWanted, , ofIndex] = sha512;
        for (const pin of [image.descriptor.digest, manifest.digest, ofIndex, ofWanted]) {
          const pinned = { signal: NEVER, expectDigest: parseDigest(pin ?? "") };
          await client.resolveImage(reference, WANTED, pinned);
          await client.listPlatforms(reference, pinned);
        }
        const pinned = { signal: NEVER, expectDigest: OTHER_DIGEST };
        assertEquals(await codeOf(() => client.resolveImage(reference, WANTED, pinned)), "pin-mismatch");
        assertEquals(await codeOf(() => client.listPlatforms(reference, pinned)), "pin-mismatch");
      });
    },
  },
  {
    name: "a missing platform names those that exist",
    async run(target) {
      await target.push(buildFirmwareImage({ format: "oci", platforms: OTHERS }), "c/platform", "v1");
      const reference = parseReference(`${target.host}/c/platform:v1`);
      const error = await withClient(target, (client) =>
        assertRejects(
          () => client.resolveImage(reference, { os: "custom", architecture: "esp32c3" }, { signal: NEVER }),
          RegistryError,
        ));
      assertEquals(error.code, "platform-missing");
      assertStringIncludes(error.message, "custom/esp32, custom/esp32s3, custom/esp32s2");
    },
  },
  {
    name: "a single manifest for another platform",
    async run(target) {
      await target.push(singleImage("esp32"), "c/wrong", "v1");
      await expectCode(target, `${target.host}/c/wrong:v1`, "wrong-platform");
    },
  },
  {
    name: "an unknown tag",
    async run(target) {
      await target.push(singleImage(), "c/known", "v1");
      await expectCode(target, `${target.host}/c/known:v2`, "not-found");
    },
  },
  {
    name: "an unknown repository",
    run: (target) => expectCode(target, `${target.host}/c/nobody:v1`, "not-found"),
  },
  {
    name: "an unknown digest",
    async run(target) {
      await target.push(singleImage(), "c/known", "v1");
      await expectCode(target, `${target.host}/c/known@${ABSENT_DIGEST}`, "not-found");
    },
  },
  {
    name: "an unknown blob",
    async run(target) {
      await target.push(singleImage(), "c/known", "v1");
      const blob = { mediaType: "application/octet-stream", digest: OTHER_DIGEST, size: 10, annotations: {} };
      const found = await withClient(
        target,
        (client) => codeOf(() => readBlob(client, `${target.host}/c/known:v1`, blob)),
      );
      assertEquals(found, "not-found");
    },
  },
  {
    name: "a listing",
    async run(target) {
      const image = buildFirmwareImage({ format: "oci", platforms: OTHERS, attestations: true });
      await target.push(image, "c/list", "v1");
      const listing = await withClient(
        target,
        (client) => client.listPlatforms(parseReference(`${target.host}/c/list:v1`), { signal: NEVER }),
      );
      assertEquals<string>(listing.digest, image.descriptor.digest);
      assertEquals(listing.entries.map(({ kind, platform }) => [kind, platform?.architecture]), [
        ["image", "esp32"],
        ["image", "esp32s3"],
        ["image", "esp32s2"],
        ["attestation", "unknown"],
        ["attestation", "unknown"],
        ["attestation", "unknown"],
      ]);
      assertEquals(listing.entries.every(({ layers }) => layers.length === 1), true);
    },
  },
  {
    name: "a manifest as it is",
    async run(target) {
      const image = singleImage();
      await target.push(image, "c/raw", "v1");
      const raw = await withClient(
        target,
        (client) => client.fetchManifest(parseReference(`${target.host}/c/raw:v1`), { signal: NEVER }),
      );
      assertEquals<string>(raw.digest, image.descriptor.digest);
      assertEquals(raw.bytes, image.manifests[0]?.bytes);
      assertEquals<string>(raw.mediaType, MEDIA_TYPES.oci.manifest);
    },
  },
  {
    name: "referrers, by API or fallback tag",
    async run(target) {
      const subject = singleImage();
      await target.push(subject, "c/signed", "v1");
      const note = (artifactType: string) =>
        buildArtifact({ artifactType, files: [{ bytes: FIRMWARE }], subject: subject.descriptor });
      const notes = ["application/vnd.example.signature", "application/vnd.example.sbom"].map(note);
      for (const [index, one] of notes.entries()) await target.push(one, "c/signed", `note${index}`);
      const fallback = buildIndex({ format: "oci", entries: notes });
      await target.push(fallback, "c/signed", subject.descriptor.digest.replace(":", "-"));
      const reference = parseReference(`${target.host}/c/signed@${subject.descriptor.digest}`);
      await withClient(target, async (client) => {
        const all = await client.listReferrers(reference, { signal: NEVER });
        assertEquals(
          all.map(({ digest }) => digest).sort(),
          notes.map(({ descriptor }) => descriptor.digest).sort(),
        );
        const artifactType = "application/vnd.example.sbom";
        const sboms = await client.listReferrers(reference, { signal: NEVER, artifactType });
        assertEquals(sboms.map(({ digest }) => String(digest)), [notes[1]?.descriptor.digest]);
      });
    },
  },
  {
    name: "no referrers",
    async run(target) {
      const image = buildImage({ format: "oci", platform: WANTED, layers: [opaqueLayer(5)] });
      await target.push(image, "c/unsigned", "v1");
      const reference = parseReference(`${target.host}/c/unsigned@${image.descriptor.digest}`);
      const found = await withClient(target, (client) => client.listReferrers(reference, { signal: NEVER }));
      assertEquals(found, []);
    },
  },
  {
    name: "several blobs at the same time",
    async run(target) {
      const layers = [3, 5, 7, 9].map((seed) => opaqueLayer(seed, 200_000));
      await target.push(buildImage({ format: "oci", platform: WANTED, layers }), "c/parallel", "v1");
      const name = `${target.host}/c/parallel:v1`;
      await withClient(target, async (client) => {
        const image = await client.resolveImage(parseReference(name), WANTED, { signal: NEVER });
        const read = await Promise.all(image.layers.map((layer) => readBlob(client, name, layer)));
        assertEquals(read, layers.map(({ bytes }) => bytes));
      });
    },
  },
  {
    name: "a config that is no image config is not fetched",
    async run(target) {
      const config = jsonContent({ any: "thing" }, "application/vnd.example.config+json");
      const artifact = buildArtifact({ files: [{ title: "app.bin", bytes: FIRMWARE }], config });
      await roundTrip(target, artifact, "c/config");
    },
  },
  {
    name: "a wrong password",
    guardedOnly: true,
    async run(target) {
      await target.push(singleImage(), "c/secret", "v1");
      const credentials = { username: "robot", password: "guess" };
      await expectCode(target, `${target.host}/c/secret:v1`, "auth-refused", { credentials });
    },
  },
  {
    name: "no password",
    guardedOnly: true,
    async run(target) {
      await target.push(singleImage(), "c/secret", "v1");
      using client = openTestRegistry({}, testWorld());
      assertEquals(await codeOf(() => pullAll(client, `${target.host}/c/secret:v1`)), "auth-refused");
    },
  },
  {
    name: "credentials from a docker config",
    guardedOnly: true,
    async run(target) {
      await target.push(singleImage(), "c/config-file", "v1");
      const { username, password } = target.credentials ?? { username: "", password: "" };
      const auths = { [target.host]: { auth: btoa(`${username}:${password}`) } };
      using client = openTestRegistry(
        { environment: { DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) } },
        testWorld(),
      );
      await pullAll(client, `${target.host}/c/config-file:v1`);
    },
  },
];
