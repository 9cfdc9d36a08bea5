/**
 * A signature that the policy does not accept ends the job before the device is asked, with the reason in the report;
 * one that it accepts lets the job go on.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { SignatureErrorCode } from "../../src/signature/signature_error.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { buildFirmwareImage, type OciImage } from "../builders/oci_image.ts";
import {
  bundleReferrer,
  certificateBundle,
  certificateLayer,
  keyBundle,
  keyLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  signStatement,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { SIGNING_TIME, sigstoreInstance } from "../builders/sigstore_instance.ts";
import { type Lab, startLab } from "../lab/lab_world.ts";
import { assertFailed, assertUndisturbed, assertUpdated, reportOf, runLabJob } from "./lab_job.ts";

const KEY = signingKey();
const OTHER_KEY = signingKey();
const SIGSTORE = await sigstoreInstance();
const SIGNER = { identity: "builder@acme.example", issuer: "https://login.acme.example" };
const LATE = new Date(SIGNING_TIME.getTime() + 3_600_000);

/** Two images of other bytes: the job's, and one whose signatures are worth nothing for it. */
const IMAGE = imageOf("1.1.0");
const OTHER_IMAGE = imageOf("1.2.0");

function imageOf(version: string): OciImage {
  const platforms = (["esp32s3", "esp32"] as const).map((chip) => ({
    architecture: chip,
    firmware: buildEspApp({ chip, version, project: "thermo" }),
  }));
  return buildFirmwareImage({ format: "oci", platforms });
}

/** One image in a repository of its own, and how signatures come to lie beside it. */
class Scene {
  readonly reference: string;
  readonly digest = IMAGE.descriptor.digest;
  readonly #lab: Lab;
  readonly #repository: string;

  constructor(lab: Lab, repository: string) {
    this.#lab = lab;
    this.#repository = repository;
    this.reference = `${lab.registry.host}/${repository}`;
    lab.registry.put(IMAGE, repository, "1.1.0");
  }

  /** The payload of a signature of this image. */
  payload(annotations?: Record<string, string>): Uint8Array<ArrayBuffer> {
    const { reference, digest } = this;
    return simpleSigningPayload({ reference, digest, ...(annotations ? { annotations } : {}) });
  }

  /** Under the tag that cosign reads first. */
  tag(layer: ReturnType<typeof keyLayer>): void {
    this.#lab.registry.put(signatureManifest([layer]), this.#repository, signatureTag(this.digest));
  }

  /** As a referrer. */
  refer(bundle: unknown): void {
    this.#lab.registry.put(bundleReferrer(bundle, IMAGE.descriptor), this.#repository);
  }
}

interface RefusalCase {
  readonly name: string;
  readonly reason: SignatureErrorCode;
  /** What the job is told besides `--verify-signature require`; the trusted key by default. */
  readonly by?: "key" | "identity" | "nobody";
  readonly args?: readonly string[];
  store(scene: Scene): void | Promise<void>;
}

const signer = async (request: Partial<typeof SIGNER> = {}, time = SIGNING_TIME) => ({
  certificate: await SIGSTORE.issue({ ...SIGNER, ...request }),
  sigstore: SIGSTORE,
  time,
});

const REFUSALS: readonly RefusalCase[] = [
  { name: "none", reason: "missing", store: () => {} },
  { name: "nobody-trusted", reason: "no-trust", by: "nobody", store: () => {} },
  {
    name: "wrong-key",
    reason: "wrong-key",
    store: (scene) => scene.tag(keyLayer(scene.payload(), OTHER_KEY)),
  },
  {
    name: "copied-from-another-image",
    reason: "wrong-digest",
    store: (scene) => {
      const { digest } = OTHER_IMAGE.descriptor;
      scene.tag(keyLayer(simpleSigningPayload({ reference: scene.reference, digest }), KEY));
    },
  },
  {
    name: "bundle-of-another-image",
    reason: "wrong-digest",
    store: (scene) => {
      const { digest } = OTHER_IMAGE.descriptor;
      scene.refer(keyBundle(signStatement({ reference: scene.reference, digest }), KEY));
    },
  },
  {
    name: "of-another-platform",
    reason: "wrong-digest",
    store: (scene) => {
      const digest = IMAGE.manifests[1]?.descriptor.digest ?? "";
      scene.tag(keyLayer(simpleSigningPayload({ reference: scene.reference, digest }), KEY));
    },
  },
  {
    name: "for-another-repository",
    reason: "wrong-reference",
    store: (scene) =>
      scene.tag(
        keyLayer(
          simpleSigningPayload({ reference: "registry.example/debug", digest: scene.digest }),
          KEY,
        ),
      ),
  },
  {
    name: "altered-payload",
    reason: "altered-payload",
    store: (scene) => {
      const { digest } = OTHER_IMAGE.descriptor;
      const genuine = keyLayer(simpleSigningPayload({ reference: scene.reference, digest }), KEY, SIGSTORE);
      scene.tag({ ...genuine, bytes: scene.payload() });
    },
  },
  {
    name: "annotation-not-signed",
    reason: "missing-annotation",
    args: ["--signature-annotation", "repo=acme"],
    store: (scene) => {
      const layer = keyLayer(scene.payload({ repo: "other" }), KEY);
      scene.tag({ ...layer, annotations: { ...layer.annotations, repo: "acme" } });
    },
  },
  {
    name: "expired-certificate",
    reason: "expired-certificate",
    by: "identity",
    store: async (scene) => scene.tag(certificateLayer(scene.payload(), await signer({}, LATE))),
  },
  {
    name: "wrong-identity",
    reason: "wrong-identity",
    by: "identity",
    store: async (scene) =>
      scene.refer(certificateBundle(signStatement(scene), await signer({ identity: "eve@acme.example" }))),
  },
  {
    name: "wrong-issuer",
    reason: "wrong-issuer",
    by: "identity",
    store: async (scene) =>
      scene.tag(certificateLayer(scene.payload(), await signer({ issuer: "https://evil.example" }))),
  },
];

/** The flags by which somebody is trusted; writes the files they name. */
async function trustArgs(lab: Lab, by: RefusalCase["by"] = "key"): Promise<string[]> {
  const [key, root] = [`${lab.directory}/cosign.pub`, `${lab.directory}/root.json`];
  await Deno.writeTextFile(key, KEY.publicPem);
  await Deno.writeTextFile(root, JSON.stringify(SIGSTORE.trustedRoot));
  switch (by) {
    case "key":
      return ["--cosign-key", key];
    case "identity": {
      const { identity, issuer } = SIGNER;
      return [
        ...["--certificate-identity", identity, "--certificate-oidc-issuer", issuer],
        ...["--trusted-root", root],
      ];
    }
    case "nobody":
      return [];
  }
}

Deno.test("flashjob: each signature that is not accepted ends the job before the device is asked", async (test) => {
  await using lab = await startLab();
  for (const { name, reason, by, args = [], store } of REFUSALS) {
    await test.step(name, async () => {
      const scene = new Scene(lab, `signed/${name}`);
      await store(scene);
      const run = await runLabJob(lab, {
        args: ["--output", "json", "--verify-signature", "require", ...await trustArgs(lab, by), ...args],
        environment: { FIRMWARE: `${scene.reference}:1.1.0` },
      });
      const report = assertFailed(run, {
        outcome: "signature-refused",
        cause: /^Cannot (accept|require) /,
        ...(reason === "no-trust" ? { remedy: "" } : {}),
      });
      assertEquals(report.reason, reason, report.message);
      assertUndisturbed(lab);
    });
  }
});

Deno.test("flashjob: what the policy file requires is not taken back by the flag's default", async () => {
  await using lab = await startLab();
  await trustArgs(lab);
  const rule = { mode: "require", keys: ["cosign.pub"] };
  const policy = { repositories: { [`${lab.registry.host}/team`]: rule } };
  await Deno.writeTextFile(`${lab.directory}/policy.json`, JSON.stringify(policy));
  const args = ["--output", "json", "--signature-policy", `${lab.directory}/policy.json`];

  const unsigned = await runLabJob(lab, { args });
  const report = assertFailed(unsigned, { outcome: "signature-refused", cause: /no signature/ });
  assertEquals(report.reason, "missing");
  assertUndisturbed(lab);

  const said = await runLabJob(lab, { args: [...args, "--verify-signature", "auto", "--dry-run"] });
  assertEquals(reportOf(said).outcome, "dry-run", "a flag that is given stands over the file");
});

Deno.test("flashjob: a policy file's rule that could never apply ends the job as a fault of the configuration", async () => {
  await using lab = await startLab();
  await trustArgs(lab);
  const rule = { mode: "require", keys: ["cosign.pub"] };
  const policy = { repositories: { [`https://${lab.registry.host}/team/`]: rule } };
  await Deno.writeTextFile(`${lab.directory}/policy.json`, JSON.stringify(policy));
  const args = ["--output", "json", "--signature-policy", `${lab.directory}/policy.json`];
  const run = await runLabJob(lab, { args });
  const report = assertFailed(run, { outcome: "configuration", cause: /is no prefix of a repository/ });
  assertStringIncludes(report.message, `wanted '${lab.registry.host}/team'`);
  assertEquals(run.code, 2);
  assertUndisturbed(lab);
});

Deno.test("flashjob: a pipe in place of a key is a fault of the configuration, not an endless wait", async () => {
  await using lab = await startLab();
  const pipe = `${lab.directory}/pipe`;
  assertEquals((await new Deno.Command("mkfifo", { args: [pipe] }).output()).code, 0);
  const run = await runLabJob(lab, { args: ["--output", "json", "--cosign-key", pipe] });
  assertFailed(run, { outcome: "configuration", cause: /it is a pipe or device, wanted a file/ });
  assertUndisturbed(lab);
});

Deno.test("flashjob: a signed image reaches the device, and the report tells who signed it", async () => {
  await using lab = await startLab();
  const digest = lab.registry.repository("team/thermo").tags.get("1.1.0") ?? "";
  const reference = `${lab.registry.host}/team/thermo`;
  const layer = keyLayer(simpleSigningPayload({ reference, digest }), KEY);
  lab.registry.put(signatureManifest([layer]), "team/thermo", signatureTag(digest));
  const args = ["--output", "json", "--verify-signature", "require", ...await trustArgs(lab)];
  const run = await runLabJob(lab, { args });
  assertEquals(run.code, 0, run.stderr);
  assertUpdated(lab);
  assertStringIncludes(
    reportOf(run).image?.signature ?? "",
    `index ${digest} is signed by the key of`,
  );
});
