/**
 * The real docker-registry 2.8 as a child on loopback, in three set-ups: open, htpasswd, tokens of the lab's server.
 *
 * @module
 */

import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { serverPair } from "../builders/certificates.ts";
import { startTokenServer, type TokenServer } from "../lab/token_server.ts";
import type { TokenSigner } from "../lab/registry_token_issuer.ts";

/** How the registry is guarded. */
export type DockerRegistrySetUp = "open" | "htpasswd" | "token";

/** A running docker-registry. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Issues its tokens in the `token` set-up. */
  readonly tokenServer: TokenServer | undefined;
}

/** Who may pull and push where it is guarded. */
export const ROBOT = { username: "robot", password: "a robot's password" } as const;

const SERVICE = "docker-registry of the tests";
const ISSUER = "lab";

/** Starts it on a port of the system's choosing, with an empty store of its own. */
export async function startDockerRegistry(setUp: DockerRegistrySetUp): Promise<DockerRegistry> {
  const directory = await Deno.makeTempDir({ prefix: "docker-registry-" });
  const tokenServer = setUp === "token"
    ? await startTokenServer({
      service: SERVICE,
      users: { [ROBOT.username]: ROBOT.password },
      sign: await jwtSigner(),
    })
    : undefined;
  const auth = setUp === "open" ? {} : { auth: await authConfig(setUp, directory, tokenServer) };
  // YAML 1.2 holds JSON
  const config = {
    version: 0.1,
    log: { level: "info", formatter: "json", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: `${directory}/store` }, cache: { blobdescriptor: "inmemory" } },
    http: { addr: "127.0.0.1:0", secret: "not secret" },
    ...auth,
  };
  await Deno.writeTextFile(`${directory}/config.yml`, JSON.stringify(config));
  const child = new Deno.Command("docker-registry", {
    args: ["serve", `${directory}/config.yml`],
    env: { PATH: Deno.env.get("PATH") ?? "", OTEL_TRACES_EXPORTER: "none" },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const { host, rest } = await listeningHost(child.stderr);
  return {
    host,
    tokenServer,
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGTERM");
      await Promise.all([child.status, rest]);
      await tokenServer?.[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** Reads the log until it names the port, and goes on reading it so that the child never waits for us. */
async function listeningHost(
  stderr: ReadableStream<Uint8Array>,
): Promise<{ host: string; rest: Promise<void> }> {
  const reader = stderr.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`Cannot start docker-registry: it ended with ${text.slice(-500)}`);
    text += decoder.decode(value, { stream: true });
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(text)?.[1];
    if (host !== undefined) return { host, rest: drain(reader) };
  }
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}

async function authConfig(
  setUp: "htpasswd" | "token",
  directory: string,
  tokenServer: TokenServer | undefined,
): Promise<unknown> {
  if (setUp === "htpasswd") {
    const path = `${directory}/htpasswd`;
    const { success } = await new Deno.Command("htpasswd", {
      args: ["-Bbc", "-C", "4", path, ROBOT.username, ROBOT.password],
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) throw new Error("Cannot make a password file: htpasswd failed");
    return { htpasswd: { realm: "tests", path } };
  }
  const rootcertbundle = `${directory}/issuer.pem`;
  await Deno.writeTextFile(rootcertbundle, (await serverPair()).certificate);
  return { token: { realm: tokenServer?.realm, service: SERVICE, issuer: ISSUER, rootcertbundle } };
}

/** Signs what docker-registry checks: a JWT (distribution, "Token Authentication Implementation"). */
async function jwtSigner(): Promise<TokenSigner> {
  const { key, certificate } = await serverPair();
  const privateKey = createPrivateKey(key);
  const header = { typ: "JWT", alg: "ES256", kid: keyId(certificate) };
  return ({ user, service, grants, lifetimeSeconds }) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: ISSUER,
      sub: user,
      aud: service,
      exp: now + lifetimeSeconds,
      nbf: now - 5,
      iat: now,
      jti: crypto.randomUUID(),
      access: grants.map(({ repository, actions }) => ({ type: "repository", name: repository, actions })),
    };
    const signed = [header, claims].map((part) => encode(new TextEncoder().encode(JSON.stringify(part))))
      .join(".");
    const signature = sign("sha256", new TextEncoder().encode(signed), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
    });
    return Promise.resolve(`${signed}.${encode(signature)}`);
  };
}

function encode(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** libtrust's key id: base32 of the first 240 bits of the key's SHA-256, in groups of four. */
function keyId(certificate: string): string {
  const der = createPublicKey(certificate).export({ type: "spki", format: "der" });
  const bits = [...createHash("sha256").update(der).digest().subarray(0, 30)]
    .map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = (bits.match(/.{5}/g) ?? []).map((five) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[parseInt(five, 2)]
  );
  return (letters.join("").match(/.{4}/g) ?? []).join(":");
}

/** True when all programs are there. Without them a test returns after one line, or fails where CI says so. */
export async function havePrograms(programs: readonly string[]): Promise<boolean> {
  const missing: string[] = [];
  for (const program of programs) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${program}`],
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) missing.push(program);
  }
  if (missing.length === 0) return true;
  const message = `not installed: ${missing.join(", ")}`;
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot run this test: ${message}`);
  console.log(`skipped, ${message}`);
  return false;
}
