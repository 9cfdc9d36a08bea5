/**
 * What can be wrong with the registry, the image in it and this machine: how the job ends, before the device is
 * disturbed.
 *
 * @module
 */

import { buildEspApp } from "../builders/esp_image.ts";
import {
  buildFirmwareImage,
  buildImage,
  buildIndex,
  buildPlatformImage,
  type OciImage,
} from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import { ABSENT_DIGEST, cutTo, firstLayerOf, flipByte, withContent } from "../builders/oci_spoil.ts";
import { tarArchive, tarFile } from "../builders/tar.ts";
import { type FailureCase, testFailures } from "./failure_case.ts";
import { freePort } from "../lab/lab_world.ts";
import { answer, blobRequests, redirect, stall } from "../lab/registry_fault.ts";

const firmware = buildEspApp({ chip: "esp32s3", version: "1.1.0", project: "thermo", size: 100_000 });
const image = buildFirmwareImage({ format: "oci", platforms: [{ architecture: "esp32s3", firmware }] });
const layer = firstLayerOf(image, "esp32s3");

/** The job pulls this image in place of the lab's. */
function holding(image: OciImage): NonNullable<FailureCase["arrange"]> {
  return (lab) => ({ FIRMWARE: lab.registry.put(image, "team/spoilt", "1.1.0") });
}

/** An image with two files that may be the firmware, and no label that names one. */
function imageOfTwoFiles(): OciImage {
  const tar = tarArchive([tarFile("firmware/a.bin", firmware), tarFile("firmware/b.bin", firmware)]);
  const platform = { os: "custom", architecture: "esp32s3" };
  const layers = [buildLayer(tar, { format: "oci", compression: "gzip" })];
  return buildIndex({ format: "oci", entries: [buildImage({ format: "oci", platform, layers })] });
}

const spoilings = [
  ["one byte wrong at its start", flipByte(0)],
  ["one byte wrong in its middle", flipByte(Math.floor(layer.size / 2))],
  ["one byte wrong at its end", flipByte(-1)],
  ["its last byte missing", cutTo(layer.size - 1)],
  ["its second half missing", cutTo(Math.floor(layer.size / 2))],
] as const;
const spoiltLayers = spoilings.map(([name, change]): FailureCase => ({
  name: `a layer with ${name}`,
  arrange: holding(withContent(image, layer.digest, change)),
  outcome: "content-mismatch",
  cause: new RegExp(layer.digest),
  device: "undisturbed",
}));

testFailures("image", [
  {
    name: "an index without the platform",
    arrange: holding(
      buildFirmwareImage({
        format: "docker",
        platforms: [{ architecture: "esp32s2", firmware }, { architecture: "esp32c3", firmware }],
      }),
    ),
    outcome: "wrong-target",
    cause: /custom\/esp32s3.*custom\/esp32s2.*custom\/esp32c3/,
    device: "undisturbed",
  },
  {
    name: "a single manifest of another platform",
    arrange: holding(buildPlatformImage({ architecture: "esp32c3", firmware }, "docker")),
    outcome: "wrong-target",
    cause: /custom\/esp32c3.*custom\/esp32s3/,
    device: "undisturbed",
  },
  ...spoiltLayers,
  {
    name: "a digest other than the pinned one",
    args: ["--expect-digest", ABSENT_DIGEST],
    outcome: "content-mismatch",
    remedy: "",
    cause: new RegExp(`${ABSENT_DIGEST}.*correct --expect-digest`),
    device: "undisturbed",
  },
  {
    name: "two files that may be the firmware",
    arrange: holding(imageOfTwoFiles()),
    outcome: "unusable-image",
    cause: /firmware\/a\.bin.*firmware\/b\.bin/,
    device: "undisturbed",
  },
  {
    name: "no signature where one is required",
    arrange: async (lab) => {
      const { publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
        "sign",
        "verify",
      ]);
      const der = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
      const pem = `-----BEGIN PUBLIC KEY-----\n${der.toBase64()}\n-----END PUBLIC KEY-----\n`;
      await Deno.writeTextFile(`${lab.directory}/cosign.pub`, pem);
      return { COSIGN_KEY: `${lab.directory}/cosign.pub`, VERIFY_SIGNATURE: "require" };
    },
    outcome: "signature-refused",
    cause: /signature|signed/,
    device: "undisturbed",
  },
]);

testFailures("registry", [
  {
    name: "nobody listening",
    arrange: () => ({ FIRMWARE: `127.0.0.1:${freePort()}/team/thermo:1.1.0` }),
    outcome: "registry-unreachable",
    cause: /127\.0\.0\.1:\d+/,
    device: "undisturbed",
  },
  {
    name: "a wrong password",
    arrange: () => ({ REGISTRY_USERNAME: "ci" }),
    args: ["--password-stdin"],
    input: "not-the-password\n",
    outcome: "registry-auth",
    cause: /401|refused/,
    device: "undisturbed",
  },
  {
    name: "no credentials",
    arrange: () => ({ DOCKER_CONFIG: "/nonexistent" }),
    outcome: "registry-auth",
    cause: /401|refused/,
    device: "undisturbed",
  },
  {
    name: "a redirect to a cloud's metadata service",
    arrange: (lab) => {
      lab.registry.fault({ match: blobRequests(), action: redirect("http://169.254.169.254/token") });
      return {};
    },
    outcome: "registry-misdirects",
    code: 18,
    cause: /leads into a local network, to '169\.254\.169\.254'/,
    device: "undisturbed",
  },
  {
    name: "a tag that is not there",
    arrange: (lab) => ({ FIRMWARE: lab.reference.replace(/1\.1\.0$/, "9.9.9") }),
    outcome: "not-found",
    cause: /9\.9\.9/,
    device: "undisturbed",
  },
  {
    name: "500 for every blob",
    arrange: (lab) => {
      lab.registry.fault({ match: blobRequests(), action: answer(500) });
      return {};
    },
    outcome: "registry-unreachable",
    cause: /500/,
    device: "undisturbed",
  },
  {
    name: "silence longer than --timeout",
    arrange: (lab) => {
      lab.registry.fault({ match: blobRequests(), action: stall() });
      return {};
    },
    args: ["--timeout", "1s"],
    outcome: "deadline",
    cause: /the job: 1000 ms/,
    device: "undisturbed",
  },
]);

testFailures("configuration", [
  {
    name: "several faults at once",
    arrange: () => ({
      DEVICE: "",
      HOST_ENDPOINT: "",
      HOST_ENDPOINT_A: "127.0.0.1:1",
      HOST_ENDPOINT_B: "127.0.0.1:2",
    }),
    outcome: "configuration",
    cause: /HOST_ENDPOINT_A/,
    device: "undisturbed",
  },
  {
    name: "a temporary directory that is not there",
    arrange: () => ({ TMPDIR: "/nonexistent" }),
    outcome: "local-io",
    cause: /nonexistent|temporary/,
    device: "undisturbed",
  },
]);
