import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { REFUSAL_EXITS } from "../../src/job/job_outcome.ts";
import { buildElf } from "../builders/esp_mistaken_files.ts";
import {
  keyLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { processEnvironment, PROGRAM_ARGS } from "../lab/program.ts";
import { HOSTILE, InspectScene } from "./inspect_scene.ts";

/** Everything that moves a cursor or hides text, but for the line break. */
const ACTIVE = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u;

Deno.test("inspect: of a signed image, platforms, digests, chip, version, project and signature are shown", async () => {
  await using scene = await InspectScene.open();
  const { code, stdout } = await scene.inspect(
    scene.reference,
    "--device",
    "ESP32-S3",
    "--cosign-key",
    `${scene.directory}/cosign.pub`,
  );
  assertEquals(code, 0);
  for (const { descriptor } of scene.image.manifests) assertStringIncludes(stdout, descriptor.digest);
  assertStringIncludes(stdout, "Offers                3 images, 3 attestations\n");
  for (const chip of ["esp32s3", "esp32", "esp32c6"]) {
    assertStringIncludes(stdout, `Image for custom/${chip}\n`);
  }
  assertMatch(stdout, /^Attestation of sha256:[0-9a-f]{64}$/m);
  assertMatch(
    stdout,
    /^ {2}Layer {15}sha256:[0-9a-f]{64} {2}\d+ bytes {2}application\/vnd\.oci\.image\.layer/m,
  );
  assertMatch(stdout, /^Chip {18}esp32s3 \(id 9\)$/m);
  assertMatch(stdout, /^App version {11}1\.1\.0$/m);
  assertMatch(stdout, /^Project name {10}thermo$/m);
  assertMatch(stdout, /^Verdict {15}accepted, for esp32s3$/m);
  assertMatch(stdout, /^Signature {13}verified: index sha256:\S+ is signed by the key of '.*cosign\.pub'$/m);
});

Deno.test("inspect: the table shows no control characters of a registry's", async () => {
  await using scene = await InspectScene.open();
  const { stdout, stderr } = await scene.inspect(scene.reference, "--device", "esp32s3");
  assertStringIncludes(stdout, "org.example.note=");
  assertNotMatch(stdout, ACTIVE);
  assertNotMatch(stderr, ACTIVE);
  const { json } = await scene.inspectJson(scene.reference);
  assertEquals(json.image?.entries[0]?.annotations["org.example.note"], `${HOSTILE} note`);
});

Deno.test("inspect: the JSON holds the same, as its schema says", async () => {
  await using scene = await InspectScene.open();
  const key = `${scene.directory}/cosign.pub`;
  const { code, json } = await scene.inspectJson(scene.reference, "--device", "esp32s3", "--cosign-key", key);
  assertEquals(code, 0);
  assertEquals(json.image?.digest, scene.image.descriptor.digest);
  assertEquals(
    json.image?.entries.map(({ kind, digest, size }) => ({ kind, digest, size })),
    scene.image.manifests.slice(0, -1).map(({ descriptor }, index) => ({
      kind: index < 3 ? "image" : "attestation",
      digest: descriptor.digest,
      size: descriptor.size,
    })),
  );
  assertEquals(json.firmware?.path, "firmware/app.bin");
  assertEquals(json.firmware?.sha256, createHash("sha256").update(scene.firmware).digest("hex"));
  assertEquals(json.firmware?.foundIn?.manifestDigest, scene.image.manifests[0]?.descriptor.digest);
  const image = json.firmware?.file.image;
  assertEquals([image?.chip.name, image?.descriptor?.version, image?.descriptor?.project], [
    "esp32s3",
    "1.1.0",
    "thermo",
  ]);
  assertEquals(json.firmware?.verdict, {
    state: "accepted",
    device: "esp32s3",
    refusals: [],
    overridden: [],
    warnings: json.firmware?.verdict.warnings ?? [],
  });
  assertEquals(json.signature?.state, "verified");
});

Deno.test("inspect: without a device no layer is pulled, and the tag is asked for once", async () => {
  await using scene = await InspectScene.open();
  const { code, json } = await scene.inspectJson(scene.reference);
  assertEquals([code, json.firmware, json.signature?.state], [0, undefined, "not-checked"]);
  assertEquals(scene.registry.requests.filter(({ path }) => path.includes("/blobs/")), []);
  await scene.inspectJson(scene.reference, "--device", "esp32s3");
  const byTag = scene.registry.requests.filter(({ path }) => path.endsWith("/manifests/1.1.0"));
  assertEquals(
    byTag.length,
    2,
    "one for each run: all else goes by digest, so a tag that moves mixes nothing",
  );
});

Deno.test("inspect: an image that flash would refuse is shown with its code and exit, and leaves with 0", async () => {
  await using scene = await InspectScene.open();
  const { code, json } = await scene.inspectJson(scene.reference, "--device", "esp32c6");
  assertEquals([code, json.firmware?.verdict.state], [0, "refused"]);
  assertEquals(json.firmware?.verdict.refusals.map((finding) => [finding.code, finding.exit]), [
    ["wrong-chip", REFUSAL_EXITS["wrong-chip"]],
  ]);
  const forced = await scene.inspectJson(
    scene.reference,
    ...["--device", "esp32c6", "--force-image", "wrong-chip", "--max-image-size", "10k"],
  );
  assertEquals(forced.json.firmware?.verdict.overridden.map((finding) => finding.code), ["wrong-chip"]);
  assertEquals(forced.json.firmware?.verdict.refusals.map((finding) => finding.code), ["too-large"]);
  const { stdout } = await scene.inspect(scene.reference, "--device", "esp32c6");
  assertMatch(stdout, /^Verdict {15}refused \(flash would exit 57\), for esp32c6$/m);
  assertMatch(stdout, /^Refused {15}.*built for esp32 .*\[wrong-chip\]$/m);
});

Deno.test("inspect: the state of the signature is a finding, also without a device", async () => {
  await using scene = await InspectScene.open();
  const image = scene.reference;
  const unsigned = scene.registry.put(scene.image, "team/unsigned", "1");
  const [key, other] = ["--cosign-key", "--cosign-key"].map((flag, index) => [
    flag,
    `${scene.directory}/${index === 0 ? "cosign" : "other"}.pub`,
  ]);
  assert(key !== undefined && other !== undefined);
  const cases = [
    { args: [image, ...key], state: "verified", code: undefined },
    { args: [image, ...other], state: "refused", code: "wrong-key" },
    { args: [image, ...other, "--device", "esp32s3"], state: "refused", code: "wrong-key" },
    { args: [unsigned, ...key], state: "unsigned", code: undefined },
    { args: [unsigned, ...key, "--verify-signature", "require"], state: "refused", code: "missing" },
    { args: [unsigned, "--verify-signature", "require"], state: "refused", code: "no-trust" },
    { args: [image, "--cosign-key", "/nowhere.pub"], state: "refused", code: "bad-policy" },
    { args: [image, ...other, "--verify-signature", "off"], state: "not-checked", code: undefined },
  ];
  for (const { args, state, code } of cases) {
    const found = await scene.inspectJson(...args);
    assertEquals([found.code, found.json.signature?.state, found.json.signature?.code], [0, state, code]);
  }
  const { stdout } = await scene.inspect(image, ...other);
  assertMatch(stdout, /^Signature {13}refused \(wrong-key\): /m);
});

Deno.test("inspect: without a device a single manifest is called one, and told how to see what is in it", async () => {
  await using scene = await InspectScene.open();
  const digest = scene.image.manifests[0]?.descriptor.digest ?? "";
  const { host } = scene.registry;
  const key = signingKey();
  const publicKey = await scene.file("single.pub", new TextEncoder().encode(key.publicPem));
  const payload = simpleSigningPayload({ digest, reference: `${host}/team/thermo` });
  scene.registry.put(signatureManifest([keyLayer(payload, key)]), "team/thermo", signatureTag(digest));
  const single = await scene.inspect(`${host}/team/thermo@${digest}`, "--cosign-key", publicKey);
  assertMatch(single.stdout, /^Signature {13}verified: manifest sha256:\S+ is signed by /m);
  const shown = /^Firmware {14}not looked at; --device NAME shows the one for a device$/m;
  assertMatch(single.stdout, shown);
  const index = await scene.inspect(scene.reference, "--cosign-key", `${scene.directory}/cosign.pub`);
  assertMatch(index.stdout, /^Signature {13}verified: index sha256:\S+ is signed by /m);
  assertMatch(index.stdout, shown);
  assertNotMatch((await scene.inspect(scene.reference, "--device", "esp32s3")).stdout, shown);
});

Deno.test("inspect: a pin is met by the index or by one of its manifests, else nothing is shown", async () => {
  await using scene = await InspectScene.open();
  const [first, second] = scene.image.manifests;
  const pinned = (digest: string | undefined, ...more: string[]) =>
    scene.inspectJson(scene.reference, "--expect-digest", digest ?? "", ...more);
  assertEquals((await pinned(scene.image.descriptor.digest)).code, 0);
  assertEquals((await pinned(first?.descriptor.digest)).code, 0);
  assertEquals((await pinned(first?.descriptor.digest, "--device", "esp32s3")).code, 0);
  for (
    const { code, json } of [
      await pinned(`sha256:${"ab".repeat(32)}`),
      await pinned(second?.descriptor.digest, "--device", "esp32s3"),
    ]
  ) {
    assertEquals([code, json.outcome, json.image], [13, "content-mismatch", undefined]);
  }
});

Deno.test("inspect: what cannot be looked at is a failure with the code of its cause", async () => {
  await using scene = await InspectScene.open();
  const { host } = scene.registry;
  const loop = `${scene.directory}/loop`;
  await Deno.symlink("loop", loop);
  const cases = [
    { args: [`${host}/team/thermo:9`], code: 12, outcome: "not-found" },
    { args: [scene.reference, "--device", "esp32c3"], code: 14, outcome: "wrong-target" },
    { args: ["127.0.0.1:1/team/thermo:1"], code: 10, outcome: "registry-unreachable" },
    { args: [`${scene.directory}/nothing.bin`], code: 34, outcome: "local-io" },
    { args: [scene.directory], code: 34, outcome: "local-io" },
    { args: [`${loop}/thermo.bin`], code: 34, outcome: "local-io" },
    { args: [`./${"x".repeat(256)}`], code: 34, outcome: "local-io" },
    // a reference may be longer than a file's name
    {
      args: [`${host}/team/${"n".repeat(60)}:${"t".repeat(128)}@sha256:${"a".repeat(64)}`],
      code: 12,
      outcome: "not-found",
    },
  ];
  for (const { args, code, outcome } of cases) {
    const found = await scene.inspectJson(...args);
    assertEquals([found.code, found.json.outcome], [code, outcome]);
    assert(found.json.message?.startsWith("Cannot "), found.json.message);
  }
});

Deno.test("inspect: all faults of its flags are told at once", async () => {
  await using scene = await InspectScene.open();
  const { code, stdout, stderr } = await scene.inspect(
    "team//thermo",
    ...["--device", "?", "--max-image-size", "big", "--expect-digest", "md5:1", "--username", "me"],
  );
  assertEquals([code, stdout], [2, ""]);
  for (const name of ["REFERENCE", "--device", "--max-image-size", "--expect-digest", "--username"]) {
    assertStringIncludes(stderr, name);
  }
  assertEquals(scene.registry.requests.length, 0);
});

Deno.test("inspect: a local file is judged with and without a device", async () => {
  await using scene = await InspectScene.open();
  const app = await scene.file("app.bin", scene.firmware);
  const { json } = await scene.inspectJson(app);
  assertEquals([json.image, json.signature, json.firmware?.foundIn], [undefined, undefined, undefined]);
  assertEquals([json.firmware?.verdict.state, json.firmware?.verdict.device], ["accepted", undefined]);
  assertEquals(json.firmware?.verdict.warnings.filter(({ code }) => code === "unknown-device"), []);
  assertEquals(json.firmware?.sha256, createHash("sha256").update(scene.firmware).digest("hex"));

  const wrong = await scene.inspectJson(app, "--device", "esp32");
  assertEquals(wrong.json.firmware?.verdict.refusals.map(({ code }) => code), ["wrong-chip"]);

  const elf = await scene.file("app.elf", buildElf());
  const { code, stdout } = await scene.inspect(elf, "--device", "esp32s3");
  assertEquals(code, 0);
  assertMatch(stdout, /^Verdict {15}refused \(flash would exit 42\), for esp32s3$/m);
  assertEquals((await scene.inspectJson(elf)).json.firmware?.file.what, "elf");
});

Deno.test("inspect: a file that is there is meant, even where its name could be a reference", async () => {
  await using scene = await InspectScene.open();
  await scene.file("thermo", scene.firmware);
  const run = await new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM_ARGS, "inspect", "thermo"],
    cwd: scene.directory,
    env: processEnvironment(),
    clearEnv: true,
  }).output();
  assertEquals(run.code, 0);
  assertMatch(new TextDecoder().decode(run.stdout), /^Firmware {14}thermo$/m);
});

Deno.test("inspect: an artifact is called one, with the titles of its files", async () => {
  await using scene = await InspectScene.open();
  const reference = scene.putArtifact();
  const { json } = await scene.inspectJson(reference);
  const [entry] = json.image?.entries ?? [];
  assertEquals([entry?.kind, entry?.artifactType], ["artifact", "application/vnd.example.firmware"]);
  const { stdout } = await scene.inspect(reference, "--device", "esp32s3");
  assertMatch(stdout, /^Artifact application\/vnd\.example\.firmware$/m);
  assertStringIncludes(stdout, "org.opencontainers.image.title=thermo.bin");
  assertMatch(stdout, /^Firmware {14}thermo\.bin$/m);
});

Deno.test("inspect: a key file that is missing or holds no key is not called our own fault", async () => {
  await using scene = await InspectScene.open();
  const app = await scene.file("app.bin", scene.firmware);
  const noKey = await scene.file("key.pem", new TextEncoder().encode("-----BEGIN NOTHING-----"));
  const missing = await scene.inspectJson(app, "--secure-boot-key", `${scene.directory}/none.pem`);
  assertEquals([missing.code, missing.json.outcome], [2, "configuration"]);
  const unusable = await scene.inspectJson(app, "--secure-boot-key", noKey);
  assertEquals([unusable.code, unusable.json.outcome], [2, "configuration"]);
});

Deno.test("inspect: a key file that is a pipe or a device is not waited for", async () => {
  await using scene = await InspectScene.open();
  const app = await scene.file("app.bin", scene.firmware);
  const pipe = `${scene.directory}/pipe`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  for (const key of [pipe, "/dev/zero"]) {
    const { code, json } = await scene.inspectJson(app, "--secure-boot-key", key);
    assertEquals([code, json.outcome], [2, "configuration"]);
    assertEquals(json.message, `Cannot read the Secure Boot key '${key}': it is no file`);
  }
});
