/**
 * The real registry of Debian (`docker-registry` 2.8) on loopback, with the ways of access its users have.
 *
 * @module
 */

import type { OciImage } from "../builders/oci_image.ts";
import { havePrograms } from "./have_programs.ts";
import {
  makeTokenSigningKey,
  type TokenSignerOptions,
  type TokenSigningKey,
} from "./registry_token_signer.ts";
import type { TokenIssuerOptions } from "./registry_token_issuer.ts";
import { uploadImage } from "./registry_upload.ts";
import { startTokenServer, type TokenServer } from "./token_server.ts";

const REGISTRY_PROGRAM = "docker-registry";
const HTPASSWD_PROGRAM = "htpasswd";
/** It answers within 100 ms on an idle machine; this is for one that is not. */
const START_DEADLINE_MS = 20_000;

/** How clients prove who they are. */
export type DockerRegistryAuth =
  | { readonly kind: "open" }
  | { readonly kind: "htpasswd"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly tokens?: TokenIssuerOptions; readonly signing?: TokenSignerOptions };

/** A running docker-registry; disposing stops it and removes all it kept. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** The token server that signs for it, where it asks for tokens. */
  readonly tokenServer: TokenServer | undefined;
  /** What it has printed so far. */
  log(): string;
  /** Pushes an image over HTTP. Returns `HOST/REPOSITORY:TAG`, or `...@DIGEST` without a tag. */
  put(image: OciImage, repository: string, tag?: string): Promise<string>;
}

/** Whether the real registry and `htpasswd` are installed; see {@linkcode havePrograms}. */
export async function available(): Promise<boolean> {
  return await havePrograms([REGISTRY_PROGRAM, HTPASSWD_PROGRAM]);
}

/** Starts a docker-registry on a free port of 127.0.0.1 and waits until it listens. */
export async function startDockerRegistry(
  auth: DockerRegistryAuth = { kind: "open" },
): Promise<DockerRegistry> {
  await using started = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "docker-registry-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  const signingKey = auth.kind === "token" ? await makeTokenSigningKey(auth.signing) : undefined;
  const tokenServer = auth.kind === "token" && signingKey !== undefined
    ? started.use(await startTokenServer({ ...auth.tokens, sign: signingKey.sign }))
    : undefined;
  const access = tokenServer !== undefined && signingKey !== undefined
    ? await tokenConfig(directory, tokenServer, signingKey)
    : auth.kind === "htpasswd"
    ? await htpasswdConfig(directory, auth)
    : {};
  const child = started.use(await RegistryChild.start(directory, access));
  const owned = started.move();

  const authorization = async (repository: string): Promise<{ authorization?: string }> => {
    if (auth.kind === "htpasswd") return { authorization: `Basic ${btoa(`${auth.user}:${auth.password}`)}` };
    if (signingKey === undefined || tokenServer === undefined) return {};
    // Signed past the token server, so that its count of issued tokens stays that of the client under test.
    const grants = [{ repository, actions: ["pull", "push"] }];
    const claims = { user: "lab", service: tokenServer.issuer.service, grants, lifetimeSeconds: 60 };
    return { authorization: `Bearer ${await signingKey.sign(claims)}` };
  };
  const origin = `http://${child.host}`;
  return {
    host: child.host,
    origin,
    tokenServer,
    log: () => child.printed,
    async put(image: OciImage, repository: string, tag?: string): Promise<string> {
      const target = {
        origin,
        repository,
        ...(tag === undefined ? {} : { tag }),
        ...await authorization(repository),
      };
      await uploadImage(image, target);
      return `${child.host}/${repository}${tag === undefined ? `@${image.descriptor.digest}` : `:${tag}`}`;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function tokenConfig(
  directory: string,
  { realm, issuer: { service } }: TokenServer,
  { issuer, certificate }: TokenSigningKey,
): Promise<Record<string, unknown>> {
  const rootcertbundle = `${directory}/token.pem`;
  await Deno.writeTextFile(rootcertbundle, certificate);
  return { auth: { token: { realm, service, issuer, rootcertbundle } } };
}

async function htpasswdConfig(
  directory: string,
  { user, password }: { user: string; password: string },
): Promise<Record<string, unknown>> {
  const command = new Deno.Command(HTPASSWD_PROGRAM, {
    // The registry takes bcrypt only; the password comes through stdin.
    args: ["-B", "-C", "4", "-i", "-n", user],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  });
  await using child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(password));
  await writer.close();
  const path = `${directory}/htpasswd`;
  await Deno.writeFile(path, (await child.output()).stdout);
  return { auth: { htpasswd: { realm: "Docker registry", path } } };
}

/** The child process and what it prints. */
class RegistryChild implements AsyncDisposable {
  host = "";
  printed = "";
  readonly #child: Deno.ChildProcess;
  readonly #pump: Promise<void>;
  readonly #listening = Promise.withResolvers<string>();

  private constructor(configPath: string) {
    this.#child = new Deno.Command(REGISTRY_PROGRAM, {
      args: ["serve", configPath],
      // Its configuration can be overridden by REGISTRY_... variables: none of ours may reach it.
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#pump = this.#read();
  }

  /** Starts it and waits until it tells its port. */
  static async start(directory: string, access: Record<string, unknown>): Promise<RegistryChild> {
    const config = {
      version: "0.1",
      log: { level: "info", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: `${directory}/data` } },
      http: { addr: "127.0.0.1:0", secret: "lab" },
      ...access,
    };
    // JSON is YAML.
    await Deno.writeTextFile(`${directory}/config.yml`, JSON.stringify(config));
    const child = new RegistryChild(`${directory}/config.yml`);
    const deadline = setTimeout(() => child.#fail("it did not listen in time"), START_DEADLINE_MS);
    try {
      child.host = await child.#listening.promise;
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(deadline);
    }
    return child;
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.printed += text;
      const [, host] = /listening on (127\.0\.0\.1:\d+)/.exec(this.printed) ?? [];
      if (host !== undefined) this.#listening.resolve(host);
    }
    this.#fail("it ended");
  }

  #fail(reason: string): void {
    this.#listening.reject(new Error(`Cannot start '${REGISTRY_PROGRAM}': ${reason}: ${this.printed}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It may have ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#child.status;
    await this.#pump;
  }
}
