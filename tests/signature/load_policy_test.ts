import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { loadSignaturePolicy } from "../../src/signature/load_policy.ts";
import { SignatureError } from "../../src/signature/signature_error.ts";
import type { SignatureFlags } from "../../src/signature/signature_rule.ts";
import type { FileFacts } from "../../src/world.ts";
import { signingKey } from "../builders/signatures.ts";
import { sigstoreInstance } from "../builders/sigstore_instance.ts";

const KEY = signingKey().publicPem;
const ROOT = JSON.stringify((await sigstoreInstance()).trustedRoot);
const REPOSITORY = "ghcr.io/acme/fw";
const REGULAR: FileFacts = { isFile: true, isDirectory: false, size: 0, mode: null, modified: null };
const SIGNER = { identity: "a@acme.example", issuer: "https://login.acme.example" };

/** Loads with these files in reach. */
function load(flags: SignatureFlags, files: Record<string, string> = {}, repository = REPOSITORY) {
  const all: Record<string, string> = { "key.pub": KEY, "root.json": ROOT, ...files };
  return loadSignaturePolicy(flags, repository, {
    files: {
      facts: (path) => Promise.resolve(all[path] === undefined ? undefined : REGULAR),
      readText: (path) => Promise.resolve(all[path] ?? ""),
    },
    signal: new AbortController().signal,
  });
}

async function faultsOf(flags: SignatureFlags, files?: Record<string, string>): Promise<string> {
  const failure = await assertRejects(() => load(flags, files), SignatureError);
  assertEquals(failure.code, "bad-policy");
  return failure.message;
}

Deno.test("loadSignaturePolicy: nothing given is auto with nobody trusted", async () => {
  assertEquals(await load({}), { mode: "auto", keys: [], identities: [], annotations: {}, signedAs: [] });
});

Deno.test("loadSignaturePolicy: require with nobody trusted is refused before anything is fetched", async () => {
  const failure = await assertRejects(() => load({ mode: "require" }), SignatureError);
  assertEquals(failure.code, "no-trust");
});

Deno.test("loadSignaturePolicy: reads every flag", async () => {
  const policy = await load({
    mode: "require",
    keys: ["key.pub"],
    identity: SIGNER.identity,
    issuerRegexp: "https://.*",
    trustedRoot: "root.json",
    annotations: ["repo=acme", "eq=a=b"],
    signedAs: ["ghcr.io/upstream"],
  });
  assertEquals(policy.mode, "require");
  assertEquals(policy.keys.map(({ file }) => file), ["key.pub"]);
  assertEquals(policy.identities, [{ identity: SIGNER.identity, issuer: /^(?:https:\/\/.*)$/u }]);
  assertEquals(policy.trust?.file, "root.json");
  assertEquals(policy.annotations, { repo: "acme", eq: "a=b" });
  assertEquals(policy.signedAs, ["ghcr.io/upstream"]);
});

Deno.test("loadSignaturePolicy: expressions are over the whole text, whatever is in them", async () => {
  const { identities: [signer] } = await load({
    identityRegexp: "a@acme|b@acme",
    issuer: "https://x",
    trustedRoot: "root.json",
  });
  const { identity } = signer ?? {};
  const matches = (text: string) => identity instanceof RegExp && identity.test(text);
  assertEquals(["a@acme", "b@acme", "b@acme.evil", "evil-a@acme"].map(matches), [true, true, false, false]);
});

Deno.test("loadSignaturePolicy: reports all faults at once", async () => {
  const faults = await faultsOf({
    mode: "always",
    keys: ["absent.pub", "root.json"],
    identity: SIGNER.identity,
    identityRegexp: ".*",
    issuerRegexp: "a)|(b",
    annotations: ["repo"],
    policyFile: "absent.json",
  });
  for (
    const part of [
      "'always', wanted off, auto or require",
      "cannot read 'absent.pub': nothing is there",
      "cannot use 'root.json'",
      "both an exact identity and an expression",
      "the issuer expression is not one",
      "'repo', wanted NAME=VALUE",
      "cannot read 'absent.json'",
      "needs --trusted-root",
    ]
  ) assertStringIncludes(faults, part);
});

const FAULTS: readonly { readonly name: string; readonly flags: SignatureFlags; readonly part: string }[] = [
  { name: "identity without issuer", flags: { identity: "a", trustedRoot: "root.json" }, part: "no issuer" },
  { name: "issuer without identity", flags: { issuer: "a", trustedRoot: "root.json" }, part: "no identity" },
  {
    name: "empty identity",
    flags: { identity: "", issuer: "a", trustedRoot: "root.json" },
    part: "no identity",
  },
  {
    name: "root without identity",
    flags: { trustedRoot: "root.json" },
    part: "issues certificates to anybody",
  },
  {
    name: "a long expression",
    flags: { identityRegexp: "a".repeat(513), issuer: "b", trustedRoot: "root.json" },
    part: "at most 512",
  },
  { name: "a root that is none", flags: { ...SIGNER, trustedRoot: "key.pub" }, part: "it is not JSON" },
  {
    name: "a root of rubbish",
    flags: { ...SIGNER, trustedRoot: "rubbish.json" },
    part: "not a Sigstore trusted root",
  },
  {
    name: "a root of nothing",
    flags: { ...SIGNER, trustedRoot: "empty.json" },
    part: "no certificate authority",
  },
  {
    name: "a root without witness",
    flags: { ...SIGNER, trustedRoot: "timeless.json" },
    part: "no signature has a time",
  },
];

for (const { name, flags, part } of FAULTS) {
  Deno.test(`loadSignaturePolicy: refuses ${name}`, async () => {
    const files = {
      "rubbish.json": '{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"AAAA"}]}}]}',
      "empty.json": "{}",
      "timeless.json": JSON.stringify({ ...JSON.parse(ROOT), tlogs: [] }),
    };
    assertStringIncludes(await faultsOf(flags, files), part);
  });
}

const POLICY = JSON.stringify({
  default: { mode: "auto", keys: ["default.pub"] },
  repositories: {
    "ghcr.io": { mode: "off" },
    "ghcr.io/acme": { mode: "require", keys: ["acme.pub"], annotations: { repo: "acme" } },
    "ghcr.io/acme/fw": { mode: "require", keys: ["/abs/fw.pub"], signedAs: ["ghcr.io/upstream"] },
    "quay.io/acme": { identities: [SIGNER], trustedRoot: "root.json" },
  },
});
const POLICY_FILES = {
  "etc/policy.json": POLICY,
  "etc/default.pub": KEY,
  "etc/acme.pub": KEY,
  "/abs/fw.pub": KEY,
  "etc/root.json": ROOT,
};

const PREFIXES = [
  ["ghcr.io/acme/fw", "require", ["/abs/fw.pub"]],
  ["ghcr.io/acme/fw/sub", "require", ["/abs/fw.pub"]],
  ["ghcr.io/acme/fwx", "require", ["etc/acme.pub"]],
  ["ghcr.io/acmex/fw", "off", []],
  ["docker.io/acme/fw", "auto", ["etc/default.pub"]],
  ["quay.io/acme/fw", "auto", []],
] as const;

for (const [repository, mode, keys] of PREFIXES) {
  Deno.test(`loadSignaturePolicy: the policy file's longest prefix for ${repository}`, async () => {
    const policy = await load({ policyFile: "etc/policy.json" }, POLICY_FILES, repository);
    assertEquals([policy.mode, policy.keys.map(({ file }) => file)], [mode, keys]);
  });
}

Deno.test("loadSignaturePolicy: flags stand over the file, and who may sign is one thing", async () => {
  const policy = await load(
    { policyFile: "etc/policy.json", keys: ["key.pub"], mode: "auto" },
    POLICY_FILES,
    "ghcr.io/acme/other",
  );
  assertEquals([policy.mode, policy.keys.map(({ file }) => file)], ["auto", ["key.pub"]]);
  assertEquals(policy.annotations, { repo: "acme" });
});

Deno.test("loadSignaturePolicy: a key's flag stands over a rule of identities and their trusted root", async () => {
  const policy = await load(
    { policyFile: "etc/policy.json", keys: ["key.pub"] },
    POLICY_FILES,
    "quay.io/acme/fw",
  );
  assertEquals([policy.keys.length, policy.identities, policy.trust], [1, [], undefined]);
});

Deno.test("loadSignaturePolicy: every rule of the file is checked, not only the one that applies", async () => {
  const policyFile = "p.json";
  const faults = await faultsOf({ policyFile }, {
    [policyFile]: JSON.stringify({
      repositories: { "quay.io": { identities: [{ identity: "a" }] }, "ghcr.io": {} },
    }),
  });
  assertStringIncludes(faults, "the rule of 'quay.io': no issuer");
  const unknown = { [policyFile]: '{"default":{"key":"a.pub"},"repositories":{"a":{"mode":"on"}}}' };
  const schema = await faultsOf({ policyFile }, unknown);
  assertStringIncludes(schema, "default.key");
  assertStringIncludes(schema, "repositories.a.mode");
  assertStringIncludes(await faultsOf({ policyFile }, { [policyFile]: "{" }), "not JSON");
});

Deno.test("loadSignaturePolicy: what must be signed, with nobody trusted to sign it, is a fault in auto", async () => {
  const signedAs = ["ghcr.io/upstream"];
  assertStringIncludes(
    await faultsOf({ annotations: ["repo=acme"] }),
    "--signature-annotation) say what must",
  );
  assertStringIncludes(await faultsOf({ mode: "auto", signedAs }), "--signed-as) say what must");
  const inFile = { "p.json": JSON.stringify({ default: { annotations: { repo: "acme" }, keys: [] } }) };
  assertStringIncludes(await faultsOf({ policyFile: "p.json" }, inFile), "nobody is trusted to sign it");
  assertEquals((await load({ mode: "off", signedAs })).mode, "off");
  const required = await assertRejects(() => load({ mode: "require", signedAs }), SignatureError);
  assertEquals(required.code, "no-trust");
});

Deno.test("loadSignaturePolicy: a prefix that no repository could be under is a fault, wherever it stands", async () => {
  const rules = {
    default: { signedAs: ["https://ghcr.io"] },
    repositories: {
      "index.docker.io/acme": { mode: "require", keys: ["acme.pub"] },
      "ghcr.io/acme": { signedAs: ["ghcr.io/Upstream"] },
    },
  };
  const faults = await faultsOf({ policyFile: "p.json", signedAs: ["quay.io/acme/"] }, {
    "p.json": JSON.stringify(rules),
  });
  for (
    const part of [
      "--signed-as 'quay.io/acme/' is no prefix of a repository: wanted 'quay.io/acme'",
      "the policy file's rule of 'index.docker.io/acme' is no prefix of a repository: wanted 'docker.io/acme'",
      "the rule of 'ghcr.io/acme': signedAs 'ghcr.io/Upstream'",
      "the default rule: signedAs 'https://ghcr.io'",
    ]
  ) assertStringIncludes(faults, part);
});

Deno.test("loadSignaturePolicy: off reads no key", async () => {
  assertEquals((await load({ mode: "off", keys: ["absent.pub"] })).mode, "off");
});

for (const flag of ["keys", "trustedRoot", "policyFile"] as const) {
  Deno.test(`loadSignaturePolicy: a pipe for ${flag} is refused without being opened`, async () => {
    const given = flag === "keys" ? { keys: ["pipe"] } : { ...SIGNER, [flag]: "pipe" };
    const failure = await assertRejects(
      () =>
        loadSignaturePolicy(given, REPOSITORY, {
          files: {
            facts: () => Promise.resolve({ ...REGULAR, isFile: false }),
            readText: (path) => Promise.reject(new Error(`'${path}' was opened`)),
          },
          signal: new AbortController().signal,
        }),
      SignatureError,
      "cannot read 'pipe': it is a pipe or device, wanted a file",
    );
    assertEquals(failure.code, "bad-policy");
  });
}

Deno.test("loadSignaturePolicy: a file that does not answer is waited for until the signal, and is no fault then", async () => {
  const ending = new AbortController();
  const files = {
    facts: () => Promise.resolve(REGULAR),
    readText: () => {
      queueMicrotask(() => ending.abort(new RangeError("deadline")));
      return new Promise<never>(() => {});
    },
  };
  await assertRejects(
    () => loadSignaturePolicy({ keys: ["key.pub"] }, REPOSITORY, { files, signal: ending.signal }),
    RangeError,
    "deadline",
  );
});
